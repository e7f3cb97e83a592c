"""Projections: rows that are derived from others and kept current from the change feed."""
