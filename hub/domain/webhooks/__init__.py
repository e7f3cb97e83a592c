"""Webhooks: their tables, commands, delivery queue and signing secrets."""
