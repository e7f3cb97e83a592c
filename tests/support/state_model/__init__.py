"""A plain model of the domain, in dictionaries, that mutations are done on beside the hub: what they give, or why not.

`world.py` keeps the rows, `kinds.py` the writes that all kinds have in common, `customers.py` and `trade.py` the rules of
the subjects; `graph.py` asks the hub and compares, `generate.py` makes mutations up."""
