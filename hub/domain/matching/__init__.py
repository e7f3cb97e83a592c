"""Matching: which customers may be one person or organisation, why, and what people decided."""
