"""The change feed: one sequencer assigns dense positions, and readers follow them by cursor. Writes no graph table."""
