"""Consents and erasure."""
