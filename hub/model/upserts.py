"""Upserts: finds a row by a key of its own or in another table, and updates it or creates it.

An upsert ignores nothing: what it cannot change in an existing row must be there already."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import BadInput, NotFound
from hub.model import statements
from hub.model.rows import lock_row, prefix_error, prefixing_errors, require_visible, retry_if_gone
from hub.model.rules import Write
from hub.model.statements import ColumnValues
from hub.model.writer import EntityWriter, NestedRows
from hub.viewer import Viewer


async def upsert(
    writer: EntityWriter,
    tx: Connection,
    viewer: Viewer,
    by: ColumnValues,
    values: ColumnValues,
    version: int | None,
    now: datetime,
) -> tuple[UUID, bool]:
    """Updates the row that `by` identifies, or creates it; returns its key and whether it is new."""
    writer.entity.require(viewer, "create")
    if len(by) != 1 or None in by.values():
        raise BadInput("by: give exactly one thing to find the row by.", code="UPSERT_AMBIGUOUS", argument="by")
    ((name, sought),) = by.items()
    if name == "id":
        await prefixing_errors("by", require_visible(tx, viewer, writer.entity, sought, "id"))
        return await _update_existing(writer, tx, viewer, sought, values, version, now), False
    if name in writer.alternate_keys:
        alternate = writer.alternate_keys[name]
        key = await prefixing_errors(f"by.{name}", alternate.find(tx, viewer, sought))
        if key is None:
            key = await _insert(writer, tx, viewer, values, version, now)
            await _attach(name, alternate.attach(tx, viewer, key, sought, now))
            return key, True
    else:
        values, key = await _find_by_unique_key(writer, tx, viewer, name, sought, values)
        if key is None:
            return await _insert(writer, tx, viewer, values, version, now), True
    return await retry_if_gone(_update_existing(writer, tx, viewer, key, values, version, now)), False


async def _find_by_unique_key(
    writer: EntityWriter, tx: Connection, viewer: Viewer, name: str, by: Any, values: ColumnValues
) -> tuple[ColumnValues, UUID | None]:
    """The values with the unique key in normal form, and the key of the row that has it, if there is one."""
    try:
        sought = writer.canonical({name: by})[name]
    except BadInput as error:
        raise prefix_error("by", error) from None
    if writer.canonical({name: values.get(name, by)})[name] != sought:
        message = f"{name}: by.{name} says another one; leave it out, or give the same."
        raise BadInput(message, argument=name)
    await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"{writer.table.name}.{name}={sought}")
    statement = statements.select_key(writer.table, name, viewer.rights)
    key: UUID | None = await tx.fetchval(statement.text, *statement.bind({"row_key": sought}, viewer))
    return {**values, name: sought}, key


async def _insert(
    writer: EntityWriter, tx: Connection, viewer: Viewer, values: ColumnValues, version: int | None, now: datetime
) -> UUID:
    """An upsert's new row. An edit that is based on a version was one of a row that is gone, and creates none."""
    if version is not None:
        message = "expected_version: the row that had it is gone; leave it out to make a new one."
        raise NotFound(message, argument="expected_version")
    return await writer.create(tx, viewer, values, now)


async def _attach(name: str, awaitable: Awaitable[None]) -> None:
    """Ties a new row to what it was sought by, which a row that the viewer does not see may have already."""
    try:
        await prefixing_errors(f"by.{name}", awaitable)
    except BadInput as error:
        if error.code != "ALREADY_EXISTS":
            raise
        # An alternate key need not have the columns of the row that it makes: the error names it as a whole.
        message = f"by.{name}: another row or a part of this one has it; give another, or leave the part out."
        raise BadInput(message, code=error.code, argument=f"by.{name}") from error


async def _update_existing(
    writer: EntityWriter,
    tx: Connection,
    viewer: Viewer,
    key: UUID,
    values: ColumnValues,
    version: int | None,
    now: datetime,
) -> UUID:
    """Updates the columns that may change; the others, and nested rows, must be as they are stored."""
    writer.entity.require(viewer, "update")
    updates = {name: value for name, value in values.items() if name in writer.updatable}
    others = {name: value for name, value in values.items() if name not in updates and name not in writer.nested}
    await _require_stored_values(writer, tx, viewer, key, others)
    for name, part in writer.nested.items():
        await _require_stored_parts(part, tx, viewer, key, name, values.get(name) or (), now)
    return await writer.update(tx, viewer, key, updates, version, now)


async def _require_stored_values(
    writer: EntityWriter, tx: Connection, viewer: Viewer, key: UUID, values: ColumnValues
) -> None:
    """Raises BadInput for a value that differs from the stored one. Null means left out, as on a create."""
    supplied = {name: value for name, value in values.items() if value is not None or not writer.is_filled(name)}
    if not supplied:
        return
    canonical = writer.canonical(await writer.resolve_references(tx, viewer, supplied))
    stored = await lock_row(tx, viewer, writer.entity, key, "id")
    for name, value in canonical.items():
        if stored[name] != value:
            argument = next(
                (alias for alias, r in writer.references.items() if alias in supplied and r.column == name), name
            )
            raise not_changed(argument)


def not_changed(argument: str) -> BadInput:
    """The error of a value that differs from that of an existing row, and that no update takes."""
    message = f"{argument}: the row exists, and this of it is not changed; give what it has, or leave it out."
    return BadInput(message, argument=argument)


async def _require_stored_parts(
    part: NestedRows,
    tx: Connection,
    viewer: Viewer,
    key: UUID,
    name: str,
    rows: Sequence[ColumnValues],
    now: datetime,
) -> None:
    """Raises BadInput for a nested row that the existing row does not have."""
    for index, row in enumerate(rows):
        try:
            canonical = part.writer.canonical(row)
            canonical |= part.writer.computed(Write("create", canonical, None, viewer, now))
        except BadInput as error:
            raise prefix_error(f"{name}[{index}]", error) from None
        compared = {
            column: value
            for column, value in canonical.items()
            if column not in part.writer.columns_with_normal_form
            and (value is not None or not part.writer.is_filled(column))
        }
        statement = statements.select_equal(part.writer.table, (part.parent_column, *compared), viewer.rights)
        arguments = statement.bind({**compared, part.parent_column: key}, viewer)
        if await tx.fetchval(statement.text, *arguments) is None:
            message = (
                f"{name}[{index}]: the row exists without it, and an upsert adds no rows to it; "
                "create it by itself, or leave it out."
            )
            raise BadInput(message, argument=f"{name}[{index}]")
