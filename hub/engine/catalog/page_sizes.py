"""How many rows a page of a list has when a query names no size."""

ROOT_PAGE = 20
NESTED_PAGE = 10  # inside another list it counts for every row of that list
