"""The entities that the schema declares, checked, and the scalar types of their fields."""
