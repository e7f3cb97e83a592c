"""Webhooks on their way out: what they are told becomes rows of a queue (expand.py), and those are posted (deliver.py).

How a request leaves is post.py's, where it may go egress.py's, when it is tried again schedule.py's. Holds no statement."""
