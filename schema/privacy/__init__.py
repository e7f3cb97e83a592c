"""Privacy: the consents of customers."""

MODULES = ("consents",)
