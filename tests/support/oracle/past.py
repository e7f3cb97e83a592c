"""What a viewer may see of the change log, by plain walks: images of rows, rows as they were, histories and changes."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.engine.catalog.catalog import Catalog, CatalogEntity
from hub.rights import AccessRule
from hub.viewer import Viewer
from oracle.conditions import FilterEvaluator
from oracle.data import DataRecord, is_internal, read_json
from oracle.executor import Oracle
from oracle.roles import masked, pair_test, role_oracle, rule_test, rules_of
from oracle.values import timestamp_text, to_output

COLUMNS = """select l.id, o.position, l.row_id, l.version, l.operation, l.changed, l.at
    from change_log as l left join change_order as o on o.id = l.id where l.table_name = $1 order by l.id"""


@dataclass(slots=True)
class LoggedRecord:
    """A change as the log has it, with the rows before and after as the oracle holds rows."""

    position: int
    entity: str
    row_id: UUID
    version: int
    operation: str
    changed: Sequence[str]
    logged_at: datetime
    before: DataRecord | None = None
    after: DataRecord | None = None


async def load_log(connection: Connection, catalog: Catalog) -> list[LoggedRecord]:
    """The whole log of the types that it captures, in the order of the log."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=read_json)
    logged: dict[int, LoggedRecord] = {}
    for entity in catalog.with_past_rows:
        table = entity.table.name
        for row in await connection.fetch(COLUMNS, table):
            logged[row["id"]] = LoggedRecord(
                row["position"],
                entity.name,
                *(row[name] for name in ("row_id", "version", "operation", "changed", "at")),
            )
        columns = ", ".join(f'i."{c.name}"' + ("::text" if str(c.type) == "LTREE" else "") for c in entity.table.c)
        for side in ("before", "after"):
            images = await connection.fetch(
                f"select l.id as log_id, {columns} from change_log as l,"
                f" jsonb_populate_record(null::{table}, l.{side}) as i where l.table_name = $1 and l.{side} is not null",
                table,
            )
            for image in images:
                values = {"$type": entity.name, **dict(image)}
                setattr(logged[values.pop("log_id")], side, values)
    await connection.reset_type_codec("jsonb", schema="pg_catalog")
    return [logged[key] for key in sorted(logged)]


def with_keys(entity: CatalogEntity, image: dict[str, Any]) -> dict[str, Any]:
    """The image with its keys as the oracle holds them."""
    names = {column.name for column in entity.table.c if isinstance(column.type, sa.Uuid)}
    return {n: UUID(str(value)) if n in names and value is not None else value for n, value in image.items()}


class VisiblePast:
    """The log as one viewer may see it. What row filters read beside a row is read as it is now."""

    def __init__(self, oracle: Oracle, log: Sequence[LoggedRecord], viewer: Viewer, now: datetime) -> None:
        self.oracle = role_oracle(oracle, viewer, now)
        self.catalog = self.oracle.graph.catalog
        self.viewer = viewer
        self.log = log
        self._whole = oracle.data
        self._visible = self.oracle.data.visible_to(viewer)
        self._evaluator = FilterEvaluator(oracle.data, now)

    @property
    def entities(self) -> list[CatalogEntity]:
        """The types whose rows the viewer sees, and whose past is stored."""
        return [entity for entity in self.catalog.with_past_rows if not entity.aggregate_only]

    def leaves(self, entity: CatalogEntity) -> str:
        """The columns that the viewer may select."""
        return " ".join(entity.columns)

    # -- rows -------------------------------------------------------------------------------------------------------------

    @cached_property
    def _customers(self) -> set[UUID]:
        """The customers that the viewer sees, and those that it saw when they were deleted."""
        units = set(self.viewer.unit_ids)
        unbound = self.viewer.binding == "unrestricted"
        customers = {row["id"] for row in self._whole.rows["Customer"] if unbound or row["unit_id"] in units}
        for change in self.log:
            if change.entity == "Customer" and change.operation == "DELETE" and change.before is not None:
                customers |= {change.row_id} if unbound or change.before["unit_id"] in units else set()
        return customers

    def _is_of_unit(self, unit_id: UUID) -> bool:
        return self.viewer.binding == "unrestricted" or unit_id in self.viewer.unit_ids

    @cached_property
    def _work_visibility(self) -> dict[str, Callable[[DataRecord], bool]]:
        return self._whole.image_visibility(self.viewer)

    @cached_property
    def _shows_both(self) -> Callable[[DataRecord], bool]:
        return pair_test(self.viewer, self._whole, self._evaluator)

    def _in_scope(self, entity: CatalogEntity, image: DataRecord) -> bool:
        """Whether the binding shows the image."""
        viewer, scope = self.viewer, entity.declaration.scope.name
        if scope == "any_key":
            return True
        if scope in self._work_visibility:
            return self._work_visibility[scope](image)
        if scope == "person":
            people = {row["id"] for row in self._whole.rows["Staff"] if self._is_of_unit(row["unit_id"])}
            is_own = image["staff_id"] == viewer.staff_id is not None
            return viewer.customer_id is None and (is_own or (viewer.reads_people and image["staff_id"] in people))
        if viewer.customer_id is not None:
            if scope in ("customer_owned", "shared"):
                return image["customer_id"] == viewer.customer_id and not (scope == "shared" and is_internal(image))
            return scope == "customer_itself" and image["id"] == viewer.customer_id
        if scope in ("key_owned", "administered", "role_itself", "role_owned"):
            names = {row["id"]: row["name"] for row in self._whole.rows["AccessRole"]}
            role = image["name"] if scope == "role_itself" else names.get(image.get("role_id"))
            is_own = image["owner"] == viewer.key_public_id if scope == "key_owned" else role in viewer.role_names
            return viewer.administers or (is_own and scope != "administered")
        if viewer.binding == "unrestricted":
            return True
        if scope == "pair":
            return {image["customer_id"], image["other_id"]} <= self._customers
        if scope == "unit_itself":
            return image["id"] in viewer.unit_ids
        return image["unit_id"] in viewer.unit_ids if "unit_id" in image else image["customer_id"] in self._customers

    def shown(self, entity: CatalogEntity, image: DataRecord | None) -> dict[str, Any] | None:
        """The image as the viewer sees it, by the names of fields; None if it sees none."""
        if image is None or not self._in_scope(entity, image):
            return None
        record = image
        if all(role.rules is not None for role in self.viewer.all_roles):
            rules = rules_of(self.viewer, entity.name)
            granting = [rule for rule in rules if self.grants(rule, image)]
            if not granting or (entity.declaration.scope.name == "pair" and not self._shows_both(image)):
                return None
            record = masked(image, self._whole.catalog.entities[entity.name], granting)
        return {name: to_output(record[column.column.name], column.scalar) for name, column in entity.columns.items()}

    def grants(self, rule: AccessRule, image: DataRecord) -> bool:
        """Whether a rule grants the image. Rows have a copy of their customer's owner, which counts as it was."""
        of_customer = json.loads(rule.row_filter or "{}").get("customer", {})
        has_copy = "owner_id" in image and image["$type"] != "Customer"
        if has_copy and list(of_customer) == ["owner"] and list(of_customer["owner"]) == ["id"]:
            rule = AccessRule("Customer", row_filter=json.dumps(of_customer))
        return rule_test(rule, self.viewer, self._evaluator, self._whole.catalog)(image)

    def sees_today(self, entity: CatalogEntity, key: UUID) -> bool:
        """Whether the viewer sees the row; one that is gone, by what it was at last."""
        if self._whole.get(entity.name, key) is not None:
            return self._visible.get(entity.name, key) is not None
        return self.shown(entity, self._changes(entity, key)[-1].before) is not None

    # -- answers ----------------------------------------------------------------------------------------------------------

    @cached_property
    def _by_row(self) -> dict[tuple[str, UUID], list[LoggedRecord]]:
        by_row: dict[tuple[str, UUID], list[LoggedRecord]] = {}
        for change in self.log:
            by_row.setdefault((change.entity, change.row_id), []).append(change)
        return by_row

    def _changes(self, entity: CatalogEntity, key: UUID) -> list[LoggedRecord]:
        return self._by_row.get((entity.name, key), [])

    def as_of(self, entity: CatalogEntity, key: UUID, moment: datetime) -> dict[str, Any] | None:
        """The row as the viewer may see it at a moment."""
        changes = self._changes(entity, key)
        past = [change.after for change in changes if change.logged_at <= moment]
        future = [change.before for change in changes if change.logged_at > moment]
        image = past[-1] if past else future[0] if future else self._whole.get(entity.name, key)
        if image is None or image["created_at"] > moment or not self.sees_today(entity, key):
            return None
        return self.shown(entity, image)

    def history(self, entity: CatalogEntity, key: UUID) -> Iterator[dict[str, Any]]:
        """The row's changes, the newest first, with the row before and after."""
        for change in reversed(self._changes(entity, key)):
            message = self._message(entity, change)
            if message is not None:
                before, after, shown = message
                yield {**shown, "at": timestamp_text(change.logged_at), "before": before, "after": after}

    def changes(self) -> Iterator[dict[str, Any]]:
        """All changes of all types in the global order, with the row as it was last seen."""
        entities = {entity.name: entity for entity in self.entities}
        for change in sorted(self.log, key=lambda change: change.position):
            entity = entities.get(change.entity)
            message = self._message(entity, change) if entity else None
            if entity is not None and message is not None:
                before, after, shown = message
                key = f"{entity.declaration.prefix}_{change.row_id.hex}"
                yield {"entity": entity.entity_type, "entityId": key, **shown, "node": after if after else before}

    def _message(self, entity: CatalogEntity, change: LoggedRecord) -> tuple[Any, Any, dict[str, Any]] | None:
        before, after = self.shown(entity, change.before), self.shown(entity, change.after)
        if before is None and after is None:
            return None
        moved = "ENTER" if before is None else "LEAVE"
        operation = change.operation if change.operation != "UPDATE" else "UPDATE" if before and after else moved
        fields = [name for name, field in self._fields(entity).items() if field & set(change.changed)]
        return before, after, {"operation": operation, "version": change.version, "changedFields": fields}

    def _fields(self, entity: CatalogEntity) -> dict[str, set[str]]:
        """The columns that each field shows."""
        fields: dict[str, set[str]] = {}
        for column, name in entity.field_by_column.items():
            fields.setdefault(name, set()).add(column)
        return fields
