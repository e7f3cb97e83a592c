"""Customers: identifiers, lookup, identify, lifecycle, contacts, addresses."""
