"""Names in the API's spelling. Imports nothing, so that every layer can use it."""


def camel_case(name: str, separator: str = "_") -> str:
    """`placed_at` → `placedAt`."""
    first, *rest = name.split(separator)
    return first + "".join(part.capitalize() for part in rest)
