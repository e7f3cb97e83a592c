"""Customers: their identifiers, contacts, addresses, moves between stages, and possible duplicates."""

MODULES = ("customers", "stage_moves", "contacts", "addresses", "identity_reviews")
