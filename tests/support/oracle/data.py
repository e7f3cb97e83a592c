"""Every row of every table as Python holds it, and the part of the rows that a viewer may see, by plain walks."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cached_property
from typing import Any, cast
from uuid import UUID

import asyncpg

from hub.engine.catalog.catalog import Catalog
from hub.viewer import Viewer

# A row: its columns by their names in the table, and `$type`, its type's name.
Record = dict[str, Any]


class JsonObject(dict[str, Any]):
    """An object of a stored JSON value: its keys have no order, unlike those of an answer."""


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, object_hook=JsonObject)


async def load(dsn: str, catalog: Catalog) -> "Data":
    """All rows that the catalog knows, read once."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=_json)
        rows = {}
        for name, row in catalog.rows.items():
            columns = ", ".join(f'"{c.name}"' + ("::text" if str(c.type) == "LTREE" else "") for c in row.table.c)
            found = await connection.fetch(f'select {columns} from "{row.table.name}"')
            rows[name] = [{"$type": name, **dict(each)} for each in found]
        return Data(catalog, rows)
    finally:
        await connection.close()


class Data:
    """Rows of all types, found by id and by foreign key."""

    def __init__(self, catalog: Catalog, rows: dict[str, list[Record]]) -> None:
        self.catalog = catalog
        self.rows = rows
        self._linked: dict[tuple[str, str], dict[UUID, list[Record]]] = {}
        self._seen: dict[Viewer, Data] = {}

    @cached_property
    def _by_id(self) -> dict[str, dict[UUID, Record]]:
        return {name: {each["id"]: each for each in rows} for name, rows in self.rows.items()}

    def get(self, name: str, key: UUID | None) -> Record | None:
        """The row of a type with this key."""
        return None if key is None else self._by_id[name].get(key)

    def linked(self, name: str, by: str, key: UUID) -> list[Record]:
        """The rows of a type whose foreign key `by` is this key."""
        if (name, by) not in self._linked:
            found = defaultdict(list)
            for each in self.rows[name]:
                found[each[by]].append(each)
            self._linked[name, by] = found
        return self._linked[name, by].get(key, [])

    def of_table(self, table: object) -> str:
        """The name of the type whose rows a table holds."""
        return next(name for name, row in self.catalog.rows.items() if row.table is table)

    def seen_by(self, viewer: Viewer) -> "Data":
        """What a viewer may see, as if there were nothing else."""
        if viewer not in self._seen:
            self._seen[viewer] = self._cut(viewer)
        return self._seen[viewer]

    def _scoped(self, scope: str) -> list[Record]:
        return [
            each
            for name, row in self.catalog.rows.items()
            if row.declaration.scope.name == scope
            for each in self.rows[name]
        ]

    def _cut(self, viewer: Viewer) -> "Data":
        if viewer.unit_path is None and viewer.customer_id is None:
            return self
        units = {each["id"] for each in self._scoped("unit") if within(each["path"], viewer.unit_path)}
        customers = {each["id"] for each in self._scoped("itself") if each["unit_id"] in units}
        if viewer.customer_id is not None:
            units, customers = set(), {viewer.customer_id}
        sees: dict[str, Callable[[Record], bool]] = {
            "everyone": lambda each: True,
            "unit": lambda each: each["id"] in units,
            "staff": lambda each: each["unit_id"] in units,
            "itself": lambda each: each["id"] in customers,
            "customer": lambda each: each["customer_id"] in customers,
            "keeper": lambda each: False,
        }
        rows = {
            name: [each for each in self.rows[name] if sees[row.declaration.scope.name](each)]
            for name, row in self.catalog.rows.items()
        }
        return Data(self.catalog, rows)


def within(path: str, top: str | None) -> bool:
    """Whether a unit's path is another's or below it."""
    return top is not None and (path == top or path.startswith(top + "."))


def values_of(records: Iterable[Record], column: str) -> list[Any]:
    """The values of a column that are not null."""
    return [each[column] for each in records if each[column] is not None]


def public(data: Data, record: Record) -> str:
    """A row's id as clients see it."""
    return f"{data.catalog.rows[record['$type']].declaration.prefix}_{cast(UUID, record['id']).hex}"
