"""Moves of rows between the states of a workflow: the one way in which a state changes.

`move_row` is for commands of the hub; the mutation that clients call is in hub/model/move_commands.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.errors import CODES, BadInput
from hub.model.definition import snake_case
from hub.model.entity import Entity, declared_entities
from hub.model.rows import insert_row, lock_row, update_row
from hub.model.rules import Write
from hub.model.subjects import subject_values
from hub.model.workflows import ANY, MoveRule, Workflow
from hub.viewer import ADMIN, Viewer

# Since when the row is in its state, how much of that was working time by its last clock, and who acts where no key does.
_SINCE = """
select since, coalesce(nullif(current_setting('hub.actor', true), ''), 'hub') as actor,
    extract(epoch from hub_working_time(
        (select calendar_id from clocks where row_id = $1 order by started_at desc limit 1), since, $3
    ))::bigint as worked
from (select coalesce(
    (select max(moved_at) from moves where row_id = $1 and "column" = $2 and moved_at <= $3), $4
) as since) as entered
"""


@dataclass(frozen=True, slots=True)
class WorkflowColumn:
    """A column that holds a state of a workflow, and the entity that stores its moves; None for one without history."""

    entity: type[Entity]
    column: str
    workflow: type[Workflow]
    history: type[Entity] | None

    @property
    def noun(self) -> str:
        """What a row is, in messages."""
        return snake_case(self.entity.__name__).replace("_", " ")

    @property
    def is_shared(self) -> bool:
        """Whether its moves are stored with those of other workflows."""
        return self.history is not None and self.history.definition.options.get("moves_of") is ANY

    @property
    def code(self) -> str:
        """The code of a refused move."""
        if self.is_shared:
            return "MOVE_INVALID"
        own_code = f"{self.column.upper()}_MOVE_INVALID"
        return own_code if own_code in CODES else "STATUS_MOVE_INVALID"


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """A move that is asked for: the target, the reason, and the columns that go along."""

    target: Workflow
    reason: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    by_hub: bool = False


def workflow_column(
    entity: type[Entity], column: str, entities: Sequence[type[Entity]] | None = None
) -> WorkflowColumn:
    """The workflow of a column, with the entity that stores its moves; KeyError for a column without one."""
    workflow = entity.definition.workflow_columns[column]
    candidates = declared_entities() if entities is None else entities
    histories = {e.definition.options["moves_of"]: e for e in candidates if "moves_of" in e.definition.options}
    shared = histories.get(ANY) if workflow.has_history else None
    return WorkflowColumn(entity, column, workflow, histories.get(entity.c[column], shared))


async def move_row(
    tx: Connection,
    viewer: Viewer,
    entity: type[Entity],
    key: UUID,
    column: str,
    target: Workflow,
    *,
    now: datetime,
    reason: str | None = None,
    columns: Mapping[str, Any] | None = None,
    by_hub: bool = True,
) -> UUID | None:
    """Moves a row for a command that has checked the viewer's rights; returns the key of the stored move, if one is.

    Locks the row and moves it from the state that it is in then; `columns` are written along. A move `by_hub` is one that
    no client may make. Raises BadInput with MOVE_INVALID (or the workflow's code) where no such move leaves the state."""
    where = workflow_column(entity, column)
    row = await lock_row(tx, ADMIN, entity, key, "id")
    request = MoveRequest(target, reason, columns or {}, by_hub)
    return await apply_move(tx, viewer, ADMIN, where, row, request, now)


async def apply_move(
    tx: Connection,
    viewer: Viewer,
    writer: Viewer,
    where: WorkflowColumn,
    row: asyncpg.Record,
    request: MoveRequest,
    now: datetime,
) -> UUID | None:
    """Moves a locked row for `viewer`, within what `writer` may write; returns the key of the stored move, if one is."""
    entity, column, target = where.entity, where.column, request.target
    current = where.workflow(row[column])
    step = _require_move(where, row, request)
    values = _moved_values(column, step, request, row, now)
    guard = entity.rules.guards.get((column, target.value))
    if step.guarded and guard is not None:
        guard(Write("update", values, dict(row), viewer, now))
    stored: UUID | None = None
    if where.is_shared:
        stored = await _store_move(tx, viewer, where, row, step, request, now)
    elif where.history is not None:
        moved = {"customer_id": row.get("customer_id", row["id"]), "moved_at": now}
        states = {f"from_{column}": current, f"to_{column}": target, "reason": request.reason}
        stored = await insert_row(tx, writer, where.history, moved | states, now)
    await update_row(tx, writer, entity, row["id"], values, now, fields=(column,))
    await entity.rules.changed(tx, entity, row["id"], now)
    return stored


def possible_moves(current: Workflow, *, by_hub: bool = False) -> dict[Workflow, MoveRule]:
    """The moves that leave a state, by their targets; those of the hub alone only if `by_hub`."""
    return {state: step for state, step in current.moves().items() if by_hub or not step.by_hub}


def _require_move(where: WorkflowColumn, row: asyncpg.Record, request: MoveRequest) -> MoveRule:
    """The move that is asked for; raises BadInput, naming the possible ones, for one that is none."""
    current, target = where.workflow(row[where.column]), request.target
    moves = possible_moves(current, by_hub=request.by_hub)
    step = moves.get(target)
    if step is not None:
        return step
    column, noun = where.column, where.noun
    remedy = f"it may become {' or '.join(moves)}" if moves else "it stays so"
    extensions = {"allowedMoves": [state.value for state in moves]} if where.is_shared else {}
    if target is current:
        message = f"{column}: the {noun} is {current} already; {remedy}."
    else:
        message = f"{column}: {article(noun)} that is {current} does not become {target}; {remedy}."
    raise BadInput(message, code=where.code, argument=column, extensions=extensions)


def _moved_values(
    column: str, step: MoveRule, request: MoveRequest, row: asyncpg.Record, now: datetime
) -> dict[str, Any]:
    """The columns that a move writes; raises BadInput for one that it needs and does not have."""
    if step.reason and request.reason is None:
        raise BadInput("reason: this move needs one; give it.", code="ARGUMENT_MISSING", argument="reason")
    supplied = dict(request.columns)
    for name in step.needs:
        if supplied.get(name, row[name]) is None:
            raise BadInput(f"{name}: this move needs it; set it first.", code="ARGUMENT_MISSING", argument=name)
    values: dict[str, Any] = {column: request.target, **supplied}
    if step.counts is not None:
        values[step.counts] = row[step.counts] + 1
    stamped = request.target.state.stamps
    if stamped is not None and row[stamped] is None and values.get(stamped) is None:
        values[stamped] = now
    return values


async def _store_move(
    tx: Connection,
    viewer: Viewer,
    where: WorkflowColumn,
    row: asyncpg.Record,
    step: MoveRule,
    request: MoveRequest,
    now: datetime,
) -> UUID:
    assert where.history is not None
    subject = await subject_values(tx, where.entity, row["id"])
    before = await tx.fetchrow(_SINCE, row["id"], where.column, now, row["created_at"])
    assert before is not None  # the statement reads no table that could be empty
    values = {
        "column": where.column,
        "from_value": row[where.column],
        "to_value": request.target.value,
        "name": step.name or request.target.value,
        "reason": request.reason,
        "moved_at": now,
        "moved_by_id": viewer.staff_id,
        "actor": before["actor"] if viewer.key_id is None else viewer.actor,
        "stayed": max(0, int((now - before["since"]).total_seconds())),
        "worked": before["worked"],
    }
    return await insert_row(tx, ADMIN, where.history, subject | values, now)


def article(noun: str) -> str:
    """`an order`, `a team`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
