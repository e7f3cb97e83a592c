"""Webhook delivery: expander.py turns changes into queued deliveries, deliverer.py posts them.

http_client.py sends requests, egress.py restricts their destinations, retry_schedule.py times the retries.
The SQL is in hub/domain/webhooks."""
