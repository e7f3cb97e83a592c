"""Execution: mutations in transactions, resolver fields, the sources of subscriptions."""
