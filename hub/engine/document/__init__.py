"""From query text to a validated operation with a cost: parsing, limits, validation, variables."""
