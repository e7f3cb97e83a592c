"""Matching: customers who may be one, and what people decided about them."""
