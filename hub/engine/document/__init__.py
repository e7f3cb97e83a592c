"""A document's way from text to a validated, priced operation: parsing, limits, cost, variables."""
