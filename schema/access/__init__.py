"""Access: roles, what they let their holders do, and who holds them."""
