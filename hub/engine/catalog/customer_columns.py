"""Columns that are about a customer and not for it, and the setting that opens some of them to the customer's own keys."""

from collections.abc import Sequence
from dataclasses import replace

from hub.engine.catalog.catalog import Catalog, camel_case
from hub.errors import Misconfigured
from hub.model.declarations import ToMany, ToOne

SETTING = "HUB_CUSTOMER_COLUMNS"


def open_columns(catalog: Catalog, names: Sequence[str]) -> Catalog:
    """The catalog in which the columns of these names, like `Customer.tier`, are for the customer too.

    Raises Misconfigured for a name that is no column which the declarations keep from the customer."""
    closed = {name: set(fields) for name, fields in catalog.inside.items()}
    for name in names:
        entity_name, _, field_name = name.partition(".")
        if field_name not in closed.get(entity_name, ()) or _is_list(catalog, entity_name, field_name):
            closable = ", ".join(sorted(_closed_columns(catalog)))
            raise Misconfigured(f"{SETTING}: {name[:60]!r} is none of {closable}.", argument=SETTING)
        closed[entity_name].discard(field_name)
        link = catalog.entities[entity_name].links.get(field_name)
        if isinstance(link, ToOne):  # the list on the other side goes by the same column
            target = catalog.target(link.target)
            source = catalog.entities[entity_name].declaration.entity
            closed.get(target.name, set()).difference_update(
                list_name
                for list_name, inverse in target.links.items()
                if isinstance(inverse, ToMany) and inverse.target is source and inverse.by == link.by
            )
    return replace(catalog, inside={name: frozenset(fields) for name, fields in closed.items() if fields})


def _closed_columns(catalog: Catalog) -> list[str]:
    """The names that the setting takes."""
    return [
        f"{entity_name}.{camel_case(field_name)}"
        for entity_name, fields in catalog.inside.items()
        for field_name in fields
        if not _is_list(catalog, entity_name, field_name)
    ]


def _is_list(catalog: Catalog, entity_name: str, field_name: str) -> bool:
    return isinstance(catalog.entities[entity_name].links.get(field_name), ToMany)
