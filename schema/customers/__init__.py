"""Customers: their identifiers, contacts, addresses, moves between stages, and possible duplicates."""
