"""Sales: products, orders and their items."""

MODULES = ("products", "orders")
