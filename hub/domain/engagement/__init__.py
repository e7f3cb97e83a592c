"""Interactions between the business and its customers."""
