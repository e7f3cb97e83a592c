"""A synthetic data set in Northwind's shape and of any size.

Every value is a function of a row's number, with no state between rows: a million customers need no more memory than a thousand,
and orders can be generated twice, once for totals and once for writing."""
