"""Northwind, the public data set of a trader in food: the CSV files here, and what is derived from them."""
