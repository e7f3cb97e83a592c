"""Sample data: Northwind, small and well known, and a synthetic data set of the same shape and of any size. See load.py."""
