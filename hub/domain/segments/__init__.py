"""Segments: what they are, who is in them, and when somebody enters or leaves."""
