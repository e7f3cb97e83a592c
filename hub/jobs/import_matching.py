"""Rows of an import beside what is stored: which rows they are, and what would change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.db.pool import Connection
from hub.domain.exchange.dry_runs import DryRun, SeenRow
from hub.errors import BadInput, HubError
from hub.jobs.import_rows import PlannedRow, key_or_value
from hub.model import bulk_statements, exact_json
from hub.model.entity import Entity
from hub.model.rows import not_visible
from hub.model.rules import Write
from hub.model.upserts import not_changed
from hub.model.writer import EntityWriter
from hub.viewer import Viewer


def not_one(argument: str, count: int) -> HubError:
    if count == 0:
        return not_visible(argument)
    message = f"{argument}: {count} rows are found by it; name more fields in `match`, or correct the rows."
    return BadInput(message, code="UPSERT_AMBIGUOUS", argument=argument)


async def match_rows(
    tx: Connection, viewer: Viewer, entity: type[Entity], names: tuple[str, ...], sought: Sequence[Mapping[str, Any]]
) -> list[tuple[int, Mapping[str, Any]]]:
    """The visible rows with the sought values, each with the number of what it was sought by."""
    if not sought:
        return []
    statement = bulk_statements.match_many(entity.table, names, viewer.rights)
    arguments = bulk_statements.array_arguments(statement, entity.table, names, sought, viewer)
    return [(row["ordinal"] - 1, dict(row)) for row in await tx.fetch(statement.text, *arguments)]


def updates_of(
    writer: EntityWriter, row: PlannedRow, stored: Mapping[str, Any], viewer: Viewer, dry_run: DryRun | None
) -> dict[str, Any]:
    """The values that change the stored row; raises BadInput for one that an import does not change."""
    values = {
        name: key_or_value(value) for name, value in row.values.items() if value is not None or name in row.clears
    }
    fixed = {name: value for name, value in values.items() if name not in writer.updatable}
    if row.seen is None and not writer.entity.rules.computations.keys() & fixed.keys():
        _require_equal(writer, writer.canonical(fixed), stored)  # before faults of the others, as an upsert does
    canonical = writer.canonical(values)
    if writer.entity.rules.computations:
        computed = writer.computed(Write("create", canonical, None, viewer, stored["updated_at"]))
        canonical |= {name: computed[name] for name in values if name in computed}
    differing = {name for name, value in canonical.items() if _differs(writer, name, value, stored)}
    row.written = canonical
    if dry_run is not None and row.seen is not None:
        differing = _differing_from_seen(row.seen, dry_run.digests(canonical), differing)
    for name in canonical:
        if name in differing and name not in writer.updatable:
            raise not_changed(name)
    if differing:
        return {name: value for name, value in values.items() if name in writer.updatable}
    write = Write("update", canonical, None, viewer, stored["updated_at"])
    for authorize in writer.entity.rules.authorizers:
        authorize(write)
    return {}


def _require_equal(writer: EntityWriter, canonical: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    for name, value in canonical.items():
        if _differs(writer, name, value, stored):
            raise not_changed(name)


def _differs(writer: EntityWriter, name: str, value: Any, stored: Mapping[str, Any]) -> bool:
    before = stored[name]
    if name in writer.merged_columns and isinstance(value, dict):
        before = exact_json.loads(before)
        merged = {key: member for key, member in {**before, **value}.items() if member is not None}
        return bool(merged != before)
    if isinstance(value, dict | list) and isinstance(before, str):
        return bool(exact_json.loads(before) != value)
    return bool(before != value)


def _differing_from_seen(seen: SeenRow, digests: Mapping[str, str], otherwise: set[str]) -> set[str]:
    """The columns that differ from what earlier lines of a dry run would have written, where these say something."""
    return {
        name for name in digests if (digests[name] != seen.columns[name] if name in seen.columns else name in otherwise)
    }


def updates_of_seen(
    writer: EntityWriter, row: PlannedRow, viewer: Viewer, dry_run: DryRun, now: datetime
) -> dict[str, Any]:
    """As `updates_of`, for a row that is new in the dry run: nothing of it is stored."""
    absent = dict.fromkeys((column.name for column in writer.table.c), None)
    return updates_of(writer, row, {**absent, "updated_at": now}, viewer, dry_run)
