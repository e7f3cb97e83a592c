"""Work: calendars of working time, and codes of numbered things."""
