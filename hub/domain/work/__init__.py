"""Work: the rules of calendars and codes."""
