"""A set of made-up customers of Northwind's shape, as large as asked, for load.

Every fact is a function of a row's number: nothing is remembered between rows, so that a million customers need no more
memory than a thousand, and orders can be gone through twice, once to be summed up and once to be written."""
