"""Webhooks on their way out: what they are told becomes rows of a queue (expander.py), and those are posted (deliverer.py).

How a request leaves is http_client.py's, where it may go egress.py's, when it is tried again retry_schedule.py's.
Holds no statement."""
