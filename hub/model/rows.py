"""Single rows of an entity, within what the viewer sees: insert, update, lock, and the errors of hidden or absent rows."""

from collections.abc import AsyncIterator, Awaitable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.constraint_errors import in_use, to_hub_error, values_taken
from hub.db.database_errors import ContentionError
from hub.db.pool import Connection
from hub.errors import BadInput, Forbidden, HubError, NotFound
from hub.model import dual_control, provenance, registry, statements, survivorship
from hub.model.columns import UNIQUE_AMONG_VISIBLE, metadata
from hub.model.definition import UNVERIFIED
from hub.model.entity import Entity
from hub.model.statements import ColumnValues
from hub.rights import Verb
from hub.text_case import camel_case
from hub.viewer import Viewer

T = TypeVar("T")
_NO_ROW = UUID(int=0)  # looked for in place of a row that is absent, so that a hidden one takes as many statements
_ROOT_UNITS = "select id from org_units where parent_id is null limit 2"


def not_visible(argument: str) -> NotFound:
    """The error for a key of a row that is absent or hidden; the two are the same answer."""
    return NotFound(f"{argument}: there is no such row, or this key may not see it.", argument=argument)


def own_customer(viewer: Viewer, customer_id: UUID | None) -> UUID:
    """The customer that a command is about: the given one, else that of a key which is bound to one."""
    key = customer_id or viewer.customer_id
    if key is None:
        message = "customer_id: this key is not bound to a customer; name one."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="customer_id")
    return key


def prefix_error(argument: str, error: HubError) -> HubError:
    """The error of a nested value, with the argument that the value is nested in."""
    if error.argument is not None:
        error.message = f"{argument}.{error.message}"
        error.argument = f"{argument}.{error.argument}"
    return error


async def prefixing_errors(argument: str, awaitable: Awaitable[T]) -> T:
    """Awaits; its errors, and those of the database, name the argument that the value is nested in."""
    try:
        return await awaitable
    except HubError as error:
        raise prefix_error(argument, error) from None
    except asyncpg.IntegrityConstraintViolationError as error:
        refusal = to_hub_error(error, metadata)
        if refusal is None:
            raise
        raise prefix_error(argument, refusal) from error


async def blaming_id(argument: str, awaitable: Awaitable[T]) -> T:
    """Awaits; an error of `argument`, which the command does not have, names the row in its place."""
    try:
        return await awaitable
    except BadInput as error:
        if error.argument == argument:
            error.argument, error.message = "id", f"id{error.message.removeprefix(argument)}"
        raise


@contextmanager
def hiding_references(viewer: Viewer) -> Iterator[None]:
    """In the block, a row that others refer to is refused without naming them, unless the viewer sees all rows."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        if viewer.sees_all_rows:
            raise
        raise in_use() from error


async def retry_if_gone(awaitable: Awaitable[T]) -> T:
    """Awaits; ContentionError where the row was deleted after it was looked up, so that it is looked up again."""
    try:
        return await awaitable
    except NotFound as error:
        if error.argument != "id":
            raise
        raise ContentionError from error


async def default_unit(tx: Connection, viewer: Viewer) -> UUID | None:
    """The unit of a row that names none: the viewer's own, else the only root; None where there are several."""
    if viewer.unit_ids:
        return viewer.unit_ids[0]
    roots = await tx.fetch(_ROOT_UNITS)
    return roots[0]["id"] if len(roots) == 1 else None


async def insert_row(
    tx: Connection,
    viewer: Viewer,
    entity: type[Entity],
    values: ColumnValues,
    now: datetime,
    *,
    fields: Collection[str] = (),
) -> UUID:
    """Inserts a row, stamped with `now`; returns its key. Raises NotFound for a reference that the viewer does not see.

    Roles must let the caller write the columns among `fields`, what it named, in this row."""
    table, copied = entity.table, entity.definition.copied_columns
    claim = dual_control.claim_of_insert(viewer, entity, values) if entity.definition.verified_columns else None
    claimed = {} if claim is None else {UNVERIFIED: claim.unverified}
    stamped = {**values, **claimed, "created_at": now, "updated_at": now}
    statement = statements.insert(table, tuple(stamped), copied, viewer.rights)
    key: UUID | None = await tx.fetchval(statement.text, *statement.bind(stamped, viewer))
    if key is None:
        for name in values:
            await require_reference_visible(tx, viewer, table, name, values[name])
        unique_columns = table.info.get(UNIQUE_AMONG_VISIBLE)
        raise values_taken(table, [table.c[name] for name in unique_columns]) if unique_columns else not_visible("id")
    if viewer.rights.roles:
        await _require_within_rights(
            tx, viewer, entity, key, Verb.CREATE, _limited(viewer, entity, Verb.CREATE, fields)
        )
    if claim is not None:
        await dual_control.record(tx, viewer, entity, key, claim, now)
    return key


def _limited(viewer: Viewer, entity: type[Entity], verb: Verb, fields: Collection[str]) -> tuple[str, ...]:
    """The columns among `fields` that not every role which lets the viewer write rows of the entity lets it write.

    Whose row it is can always be said."""
    if not viewer.rights.roles or viewer.runs_freely:
        return ()
    parent = entity.definition.parent
    of_row = {"customer_id", None if parent is None else parent.column_name}
    columns = (name for name in fields if name in entity.table.c and name not in of_row)
    return tuple(n for n in columns if viewer.rights.writing(entity.__name__, verb, camel_case(n)) is not None)


async def _require_within_rights(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, verb: Verb, limited: tuple[str, ...]
) -> None:
    """Raises Forbidden for a written row that is not among those that the viewer may write so.

    What a command writes beside, and what a role lets it write freely, is not the viewer's."""
    if viewer.runs_freely or viewer.rights.rules(entity.__name__, verb) == ():
        return
    if not await _is_within(tx, viewer, entity, key, verb, limited):
        await _require_fields(tx, viewer, entity, key, verb, limited)
        message = (
            f"The row would not be among those that this key's roles let it {verb};"
            " give values that keep it there, or use a key that may."
        )
        raise Forbidden(message, extensions={"entity": entity.__name__})


async def require_creatable(tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID) -> None:
    """Raises Forbidden for a row that a command has inserted and the viewer's roles do not let it create."""
    if viewer.rights.roles:
        await _require_within_rights(tx, viewer, entity, key, Verb.CREATE, ())


async def may_write_row(tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, verb: Verb) -> bool:
    """Whether the viewer's roles let it update or delete a row that it sees; only asked of the database if it has such."""
    if not viewer.rights.roles or viewer.runs_freely:
        return True
    return await _is_within(tx, viewer, entity, key, verb)


async def _is_within(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, verb: Verb, limited: tuple[str, ...] = ()
) -> bool:
    statement = statements.select_key(entity.table, "id", viewer.rights, verb, limited)
    return await tx.fetchval(statement.text, *statement.bind({"row_key": key}, viewer)) is not None


async def _require_fields(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, verb: Verb, limited: tuple[str, ...]
) -> None:
    """Raises Forbidden for the first of the columns that the viewer may not write in the row, if it may write others."""
    if limited and await _is_within(tx, viewer, entity, key, verb):
        for name in limited:
            if not await _is_within(tx, viewer, entity, key, verb, (name,)):
                message = f"{name}: this key's roles do not let it write this field in this row; leave it out."
                raise Forbidden(message, argument=name)


async def require_reference_visible(
    tx: Connection, viewer: Viewer, table: sa.Table, name: str, key: UUID | None
) -> None:
    """Raises NotFound if the column refers to a row that the viewer does not see."""
    target = statements.referenced_table(table.c[name])
    if target is not None and key is not None and not await can_see(tx, viewer, target, key):
        raise not_visible(name)


async def update_row(
    tx: Connection,
    viewer: Viewer,
    entity: type[Entity],
    key: UUID,
    values: ColumnValues,
    now: datetime,
    *,
    fields: Collection[str] = (),
    derived: bool = False,
) -> None:
    """Updates columns of a row; raises NotFound for one that the viewer does not see.

    Roles must let the caller write the columns among `fields`, what it named, in this row, before and after. The values are
    what the transaction's source says, unless they are `derived` from what sources said before."""
    claim = None
    if dual_control.written_columns(entity, values):
        stored = await lock_row(tx, viewer, entity, key, "id")
        claim = await dual_control.claim_of_update(tx, viewer, entity, dict(stored), values)
    if claim is not None:
        values = {**values, UNVERIFIED: claim.unverified}
    limited = _limited(viewer, entity, Verb.UPDATE, fields)
    if not await _update(tx, viewer, entity, key, values, now, limited, derived=derived) and not (
        not derived and await _update_governed(tx, viewer, entity, key, values, now, limited)
    ):
        await _require_fields(tx, viewer, entity, key, Verb.UPDATE, limited)
        raise await refused_row(tx, viewer, entity, key, Verb.UPDATE)
    if viewer.rights.roles:
        await _require_within_rights(tx, viewer, entity, key, Verb.UPDATE, limited)
    if claim is not None:
        await dual_control.record(tx, viewer, entity, key, claim, now)


async def _update(
    tx: Connection,
    viewer: Viewer,
    entity: type[Entity],
    key: UUID,
    values: ColumnValues,
    now: datetime,
    limited: tuple[str, ...],
    *,
    derived: bool = False,
) -> bool:
    """Whether the row was updated."""
    verb = viewer.rows_for(Verb.UPDATE)
    statement = statements.update(entity.table, tuple(values), viewer.rights, verb, limited, derived=derived)
    arguments = statement.bind({**values, "row_key": key, "now": now}, viewer)
    return await tx.fetchval(statement.text, *arguments) is not None


async def _update_governed(
    tx: Connection,
    viewer: Viewer,
    entity: type[Entity],
    key: UUID,
    values: ColumnValues,
    now: datetime,
    limited: tuple[str, ...],
) -> bool:
    """Updates a row of whose values policies choose some: what is said of these is recorded, and the winner stands."""
    policies = await survivorship.find_policies(tx, entity.table, list(values))
    if not policies:
        return False
    others = {name: value for name, value in values.items() if name not in policies}
    if not await _update(tx, viewer, entity, key, others, now, limited):
        return False
    said = {name: values[name] for name in policies}
    for name in provenance.merged_by_key(entity.table) & said.keys():
        said[name] = await provenance.changed_keys(tx, entity.table, key, name, said[name])
    await provenance.record(tx, entity.table, {key: said}, now)
    await survivorship.derive(tx, entity.table, policies, [key], now)
    return True


@asynccontextmanager
async def updating(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, *, fields: Collection[str] = ()
) -> AsyncIterator[None]:
    """In the block, a command updates a row by statements of its own; raises as `update_row` for what roles do not allow."""
    limited = _limited(viewer, entity, Verb.UPDATE, fields)
    is_limited = viewer.rights.roles and not viewer.runs_freely
    if is_limited and not await _is_within(tx, viewer, entity, key, Verb.UPDATE, limited):
        await _require_fields(tx, viewer, entity, key, Verb.UPDATE, limited)
        raise await refused_row(tx, viewer, entity, key, Verb.UPDATE)
    yield
    if viewer.rights.roles:
        await _require_within_rights(tx, viewer, entity, key, Verb.UPDATE, limited)


async def refused_row(tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, verb: Verb) -> HubError:
    """The error for a row that was not written: absent, hidden, or only to be read."""
    if viewer.rights.roles and await can_see(tx, viewer, entity.table, key):
        return Forbidden(f"id: this key may read the row, but not {verb} it; use a key that may.", argument="id")
    return not_visible("id")


async def lock_row(tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, argument: str) -> asyncpg.Record:
    """The row, locked until the transaction ends; raises NotFound for one that the viewer does not see."""
    statement = statements.select_for_update(entity.table, viewer.rights)
    row = await tx.fetchrow(statement.text, *statement.bind({"row_key": key}, viewer))
    if row is None:
        raise not_visible(argument)
    return row


async def require_visible(tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, argument: str) -> None:
    """Raises NotFound unless the viewer sees the row."""
    if not await can_see(tx, viewer, entity.table, key):
        raise not_visible(argument)


async def require_nameable(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID | None, argument: str
) -> None:
    """Raises NotFound where a name is that of a row which the viewer does not see, or of no row and roles may hide one.

    A command that makes a row where no row has the name would tell by that which names hidden rows have."""
    if await can_see(tx, viewer, entity.table, key or _NO_ROW):
        return
    rights, name = viewer.rights, entity.__name__
    if key is not None or rights.filters_rows(name) or not rights.shows_rows(name):
        raise not_visible(argument)


async def visible_keys(
    tx: Connection, viewer: Viewer, entity: type[Entity], column: str, names: Collection[str]
) -> dict[str, UUID]:
    """The keys of the rows that bear these names in a column, as far as the viewer sees them; the others are absent."""
    statement = statements.select_named(entity.table, column, viewer.rights)
    stored = await tx.fetch(statement.text, *statement.bind({"names": list(names)}, viewer))
    return {row["name"]: row["id"] for row in stored}


async def can_see(tx: Connection, viewer: Viewer, table: sa.Table, key: UUID) -> bool:
    """Whether the row exists and the viewer sees it. Who sees only aggregates over rows sees none."""
    if not viewer.rights.shows_rows(registry.registered(table).__name__):
        return False
    statement = statements.select_key(table, "id", viewer.rights)
    return await tx.fetchval(statement.text, *statement.bind({"row_key": key}, viewer)) is not None
