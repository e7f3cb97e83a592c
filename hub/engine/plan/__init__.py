"""Planning: an operation and the catalog become a tree of frozen nodes without values."""
