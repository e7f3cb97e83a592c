"""Segments: groups of customers that the hub keeps up to date."""
