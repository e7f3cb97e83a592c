"""Identity: merging customers, undoing it, and following the ids of those who were merged."""
