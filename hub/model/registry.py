"""The entities that have been declared, by table; a module of its own, because rules and entities both look them up."""

from typing import Any

import sqlalchemy as sa

_entities: dict[sa.FromClause, type[Any]] = {}


def register(table: sa.Table, entity: type[Any]) -> None:
    """Adds an entity when its class is declared."""
    _entities[table] = entity


def registered(table: sa.FromClause) -> type[Any]:
    """The entity of a table; KeyError for a table that is no entity's."""
    return _entities[table]


def entity_named(name: str) -> type[Any]:
    """The entity of a name, which is that of its GraphQL type; KeyError for a name that is none's."""
    try:
        return next(entity for entity in _entities.values() if entity.__name__ == name)
    except StopIteration:
        raise KeyError(name) from None


def all_registered() -> list[type[Any]]:
    """Every entity whose module has been imported."""
    return list(_entities.values())
