"""Who read and wrote what."""
