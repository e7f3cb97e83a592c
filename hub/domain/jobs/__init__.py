"""Jobs: the queue of long work and its commands."""
