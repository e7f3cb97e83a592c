"""The independent check of the engine: a naive executor over rows in Python lists, operations to compare by, and planted faults.

Written from the API's meaning, not from the engine: it imports the declarations, and no planner and no SQL."""
