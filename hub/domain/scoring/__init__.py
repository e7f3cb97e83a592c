"""Scores of customers and the RFM models."""
