"""Change streams and live queries: groups of identical subscriptions, their routing and their fan-out."""
