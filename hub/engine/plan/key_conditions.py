"""Conditions behind a link that columns of the row itself decide, for filters to which no linked row is hidden.

These are ids of the linked row and, where the row repeats them, of its customer's unit and owner."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, CatalogEntity, ColumnField
from hub.engine.plan.arguments import ArgumentTree
from hub.model.columns import DENORMALIZED_OWNER, DENORMALIZED_UNIT
from hub.model.declarations import ToOne


class KeyCondition(NamedTuple):
    """A comparison of a foreign key with ids of that prefix; `path` leads to it from the link."""

    column: ColumnField
    prefix: str
    ids: ArgumentTree
    path: str


def key_conditions(
    catalog: Catalog, name: str, link: ToOne, tree: Mapping[str, ArgumentTree], entity: CatalogEntity
) -> tuple[list[KeyCondition], dict[str, ArgumentTree]]:
    """The conditions that the row's own columns decide, and the others, of a filter behind a link of `entity`."""
    target = catalog.target(link.target)
    keys: list[KeyCondition] = []
    others: dict[str, ArgumentTree] = {}
    for part_name, part in tree.items():
        inner = target.links.get(part_name)
        if part_name == "id" and _compares_ids(part):
            column = catalog.column(entity, link)
            keys.append(KeyCondition(_key(name, column), target.declaration.prefix, part, "id"))
        elif isinstance(inner, ToOne) and _names_key(part) and _repeats(entity.table, link, inner):
            assert isinstance(part, dict)
            prefix = catalog.target(inner.target).declaration.prefix
            column = entity.table.c[inner.by]
            keys.append(KeyCondition(_key(part_name, column), prefix, part["id"], f"{part_name}.id"))
        else:
            others[part_name] = part
    return keys, others


def _key(name: str, column: sa.Column[object]) -> ColumnField:
    return ColumnField(name, column, scalars.ID, bool(column.nullable), searched=False)


def _compares_ids(ids: ArgumentTree) -> bool:
    return isinstance(ids, dict) and bool(ids) and ids.keys() <= {"eq", "in"}


def _names_key(tree: ArgumentTree) -> bool:
    """Whether a condition on a linked row compares its id with one or several, and nothing else."""
    return isinstance(tree, dict) and len(tree) == 1 and _compares_ids(tree.get("id"))


def _repeats(table: sa.Table, link: ToOne, inner: ToOne) -> bool:
    """Whether the rows of a table repeat a key of their customer, which the database keeps right."""
    column = table.c.get(inner.by)
    if column is None or link.by != "customer_id":
        return False
    return bool(column.info.get(DENORMALIZED_UNIT) or column.info.get(DENORMALIZED_OWNER))
