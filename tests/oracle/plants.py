"""Planted."""
PLANTED=(); Plant=object
