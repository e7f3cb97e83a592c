"""Webhooks: subscriptions with a URL, their deliveries and the attempts to send them."""
