"""Scoring: values that models compute for customers."""
