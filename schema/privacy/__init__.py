"""Privacy: the consents of customers."""
