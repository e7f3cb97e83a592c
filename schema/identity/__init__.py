"""Identity: merges of customers, their undo, and the redirects of merged ids."""
