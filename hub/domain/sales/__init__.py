"""Products, orders and order items."""
