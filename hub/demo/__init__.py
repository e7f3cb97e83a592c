"""Sample data: Northwind, real and small, and a synthetic set of the same shape, as large as asked. See load.py."""
