"""Sales: products, orders and their items."""
