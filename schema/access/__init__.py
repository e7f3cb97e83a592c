"""Access: API keys, the people behind them, who asks, and roles: what they let their holders do."""
