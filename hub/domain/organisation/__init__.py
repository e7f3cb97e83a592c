"""Units and staff."""
