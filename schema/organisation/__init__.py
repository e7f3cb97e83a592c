"""The organisation that runs the hub: its tree of units and its staff. Permissions are cut along the tree."""
