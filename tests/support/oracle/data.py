"""Every row of every table as Python holds it, and the part of the rows that a viewer may see, by plain walks."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from functools import cached_property
from typing import Any, cast
from uuid import UUID

import asyncpg

from hub.engine.catalog.catalog import Catalog
from hub.viewer import Viewer
from oracle.item_visibility import item_tests
from oracle.work_scopes import work_tests

# A row: its columns by their names in the table, `$type`, its type's name, and the links that roles hide in it.
DataRecord = dict[str, Any]
HIDDEN_LINKS = "$hidden"
UNMASKED = "$whole "  # before the name of a column whose value a link needs, whatever roles show of it


class JsonObject(dict[str, Any]):
    """An object of a stored JSON value: its keys have no order, unlike those of an answer."""


def read_json(text: str) -> Any:
    """A stored JSON value with exact numbers."""
    return json.loads(text, parse_float=Decimal, object_hook=JsonObject)


async def load(dsn: str, catalog: Catalog) -> "Dataset":
    """All rows that the catalog knows, read once."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=read_json)
        rows = {}
        for name, entity in catalog.entities.items():
            columns = ", ".join(f'"{c.name}"' + ("::text" if str(c.type) == "LTREE" else "") for c in entity.table.c)
            records = await connection.fetch(f'select {columns} from "{entity.table.name}"')
            rows[name] = [{"$type": name, **dict(record)} for record in records]
        return Dataset(catalog, rows)
    finally:
        await connection.close()


class Dataset:
    """Rows of all types, found by id and by foreign key."""

    def __init__(self, catalog: Catalog, rows: dict[str, list[DataRecord]]) -> None:
        self.catalog = catalog
        self.rows = rows
        self._linked: dict[tuple[str, str], dict[UUID, list[DataRecord]]] = {}
        self._visible: dict[Viewer, Dataset] = {}
        self._image_visibility: dict[Viewer, dict[str, Callable[[DataRecord], bool]]] = {}

    @cached_property
    def _by_id(self) -> dict[str, dict[UUID, DataRecord]]:
        return {name: {record["id"]: record for record in rows} for name, rows in self.rows.items()}

    def get(self, name: str, key: UUID | None) -> DataRecord | None:
        """The row of a type with this key."""
        return None if key is None else self._by_id[name].get(key)

    def linked(self, name: str, column: str, key: UUID) -> list[DataRecord]:
        """The rows of a type whose foreign key `column` is this key."""
        if (name, column) not in self._linked:
            records_by_key = defaultdict(list)
            for record in self.rows[name]:
                records_by_key[record[column]].append(record)
            self._linked[name, column] = records_by_key
        return self._linked[name, column].get(key, [])

    def type_of_table(self, table: object) -> str:
        """The name of the type whose rows a table holds."""
        return next(name for name, entity in self.catalog.entities.items() if entity.table is table)

    def visible_to(self, viewer: Viewer) -> "Dataset":
        """What a viewer may see, as if there were nothing else."""
        if viewer not in self._visible:
            self._visible[viewer] = self._restricted_to(viewer)
        return self._visible[viewer]

    def may_update(self, record: DataRecord, column: str, viewer: Viewer) -> bool:
        """Whether roles let a viewer that may change rows of this type write a column of this one: here, all."""
        return True

    def _records_in_scope(self, scope: str) -> list[DataRecord]:
        return [
            record
            for name, entity in self.catalog.entities.items()
            if entity.declaration.scope.name == scope
            for record in self.rows[name]
        ]

    def work_visibility(
        self, viewer: Viewer, units: Collection[UUID], people: Collection[UUID]
    ) -> dict[str, Callable[[DataRecord], bool]]:
        """By scope, whether a viewer sees a row of work, or an image of one; `units` and `people` are those that it sees."""

        def sees_its_subject(record: DataRecord) -> bool:
            return sees_subject(record, viewer, units, people)

        return {
            "subject": sees_its_subject,
            "every_unit": lambda record: viewer.customer_id is None,
            **work_tests(viewer, units, unbound=viewer.binding == "unrestricted"),
            **item_tests(self.rows["WorkItem"], self.rows["WorkStep"], viewer, units, sees_its_subject),
        }

    def image_visibility(self, viewer: Viewer) -> dict[str, Callable[[DataRecord], bool]]:
        """What `work_visibility` says of images, with the rows beside them as they are now."""
        if viewer not in self._image_visibility:
            unbound = viewer.binding == "unrestricted"
            units = {row["id"] for row in self.rows["OrgUnit"] if unbound} | set(viewer.unit_ids)
            people = {row["id"] for row in self.rows["Staff"] if row["unit_id"] in units}
            self._image_visibility[viewer] = self.work_visibility(viewer, units, people)
        return self._image_visibility[viewer]

    def _restricted_to(self, viewer: Viewer) -> "Dataset":
        if viewer.administers:
            return self
        own = viewer.customer_id is not None  # a customer's own viewer, who sees what is for it
        unbound = viewer.unit_path is None and not own
        units = {
            record["id"]
            for record in self._records_in_scope("unit_itself")
            if unbound or is_in_subtree(record["path"], viewer.unit_path)
        }
        customers = {record["id"] for record in self._records_in_scope("customer_itself") if record["unit_id"] in units}
        if own:
            units, customers = set(), {viewer.customer_id}
        people = {record["id"] for record in self.rows["Staff"] if record["unit_id"] in units}
        owned_by_role = {
            record["id"] for record in self._records_in_scope("role_itself") if record["name"] in viewer.role_names
        }
        visibility_tests: dict[str, Callable[[DataRecord], bool]] = {
            "any_key": lambda record: True,
            "unit_itself": lambda record: record["id"] in units,
            "unit_owned": lambda record: record["unit_id"] in units,
            "customer_itself": lambda record: record["id"] in customers,
            "customer_owned": lambda record: record["customer_id"] in customers,
            "shared": lambda record: record["customer_id"] in customers and not (own and is_internal(record)),
            "pair": lambda record: {record["customer_id"], record["other_id"]} <= customers and not own,
            "inside": lambda record: record["customer_id"] in customers and not own,
            "person": lambda record: (
                not own
                and (
                    record["staff_id"] == viewer.staff_id is not None
                    or (viewer.reads_people and record["staff_id"] in people)
                )
            ),
            "key_owned": lambda record: not own and record["owner"] == viewer.key_public_id,
            "administered": lambda record: False,
            "role_itself": lambda record: not own and record["name"] in viewer.role_names,
            "role_owned": lambda record: not own and record["role_id"] in owned_by_role,
        }
        visibility_tests |= self.work_visibility(viewer, units, people)
        rows = {
            name: [record for record in self.rows[name] if visibility_tests[entity.declaration.scope.name](record)]
            for name, entity in self.catalog.entities.items()
        }
        return Dataset(self.catalog, rows)


# What is about a customer and not for it, by the type's name: a column and the value that says so.
INTERNAL_MARKS = {"Interaction": ("direction", "INTERNAL"), "Score": ("audience", "INSIDE")}
# What a customer's own viewer does not know of a type that it knows.
INSIDE_FIELDS = {
    "Customer": {"annualRevenue", "annualRevenueCurrency", "attributes", "fieldSources", "owner", "tier", "unverified"},
    "Score": {"overriddenBy", "overrideReason"},
    # Which values of its revenue wait for another person, why they were refuted, and the proof of them.
    "Verification": {"columns", "evidence", "note"},
}


def sees_subject(record: DataRecord, viewer: Viewer, units: Collection[UUID], people: Collection[UUID]) -> bool:
    """Whether a viewer sees a row about another one; `units` and `people` are those that the viewer sees."""
    if viewer.customer_id is not None:
        return bool(record["audience"] == "CUSTOMER" and record["customer_id"] == viewer.customer_id)
    own = viewer.staff_id is not None and record["staff_id"] == viewer.staff_id
    if record["audience"] == "PERSON":
        return bool(own) or (viewer.reads_people and record["staff_id"] in people)
    if record["audience"] == "ASSIGNEE" and own:
        return True
    if record["unit_id"] is None:
        return bool(record["audience"] == "UNIT") or viewer.unit_path is None
    return record["unit_id"] in units


def is_internal(record: DataRecord) -> bool:
    """Whether a row is marked as internal."""
    column, value = INTERNAL_MARKS[record["$type"]]
    return bool(record[column] == value)


def is_in_subtree(path: str, root_path: str | None) -> bool:
    """Whether a unit's path is another's or below it."""
    return root_path is not None and (path == root_path or path.startswith(root_path + "."))


def non_null_values(records: Iterable[DataRecord], column: str) -> list[Any]:
    """The values of a column that are not null."""
    return [record[column] for record in records if record[column] is not None]


def public_id(data: Dataset, record: DataRecord) -> str:
    """A row's id as clients see it."""
    return f"{data.catalog.entities[record['$type']].declaration.prefix}_{cast(UUID, record['id']).hex}"
