"""`class Order(Entity, prefix="ord", order="-placed_at", …)`: the one declaration of an entity.

From it follow the table, the GraphQL type, the lists on the other sides of its links, and how rows are written."""

from datetime import datetime
from typing import Any, ClassVar, Unpack
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from hub.model import registry, scopes
from hub.model.definition import EntityDefinition, EntityOptions, WriteOperation, define
from hub.model.fields import Column, system_column
from hub.model.rules import Rules
from hub.model.table_builder import build_table
from hub.rights import Verb
from hub.viewer import Viewer


class Entity:
    """The base of every declaration. EntityOptions lists the words that follow the class name."""

    table: ClassVar[sa.Table]
    c: ClassVar[ReadOnlyColumnCollection[str, sa.Column[Any]]]
    definition: ClassVar[EntityDefinition]
    rules: ClassVar[Rules]

    id: Column[UUID] = system_column()
    version: Column[int] = system_column()
    created_at: Column[datetime] = system_column()
    updated_at: Column[datetime] = system_column()

    def __init_subclass__(cls, **options: Unpack[EntityOptions]) -> None:
        super().__init_subclass__()
        cls.definition = define(cls, options)
        cls.rules = Rules()
        cls.table = build_table(cls.definition)
        cls.c = cls.table.c
        registry.register(cls.table, cls)
        scopes.register(cls.table, cls.definition.scope)

    @classmethod
    def require(cls, viewer: Viewer, operation: WriteOperation) -> None:
        """Raises Forbidden unless the viewer may write rows of this entity in this way."""
        permission, writable_by = cls.definition.write_permissions[operation]
        viewer.require_write(cls.__name__, Verb(operation), permission, writable_by)


def entity_of(table: sa.Table) -> type[Entity]:
    """The entity whose table it is."""
    entity: type[Entity] = registry.registered(table)
    return entity


def declared_entities() -> list[type[Entity]]:
    """Every entity whose module has been imported."""
    return registry.all_registered()
