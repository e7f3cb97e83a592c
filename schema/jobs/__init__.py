"""Jobs: long work that the hub does in the background: imports, exports."""
