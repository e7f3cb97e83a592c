"""The catalog of the declared entities, validated at start-up, and the scalar types of their fields."""
