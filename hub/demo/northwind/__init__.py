"""Northwind, the public data set of a food trader: its CSV files, and the rows derived from them."""
