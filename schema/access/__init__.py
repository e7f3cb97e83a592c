"""Access: API keys, the people behind them, and who asks."""
