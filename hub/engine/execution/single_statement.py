"""A mutation that comes down to one insert, as one statement and one round trip: the row, its payload, the kept answer, who
writes. Which command does is seen by letting it note what it would do; perform.py has the way for all others."""

from dataclasses import dataclass
from functools import lru_cache

from hub.engine.plan.nodes import ById, Constant, Payload, Plan, Read, Shape, Single
from hub.engine.plan.operations import Act
from hub.engine.sql.compiler import Statement, written
from hub.viewer import Binding

ROW = "new$"


@dataclass(frozen=True, slots=True)
class Alone:
    """The payload as it is read from the new row, which stands in `table`."""

    table: str
    payload: Statement


def alone(act: Act, binding: Binding) -> Alone | None:
    """How the payload of a root is read from the row that its command inserts; None where it needs more than that row.

    A statement does not see what it writes but for the rows that it gives: lists and links back need the next one."""
    if act.plan is None or act.plan.splice is not None or act.mutation is None or act.mutation.many:
        return None
    table = _table(act.plan)
    if table is None or act.mutation.secret:
        return None
    return Alone(table, written(act.plan, binding, ROW))


def _table(plan: Plan) -> str | None:
    """The table of the one row that a payload tells, if it can be told of the row alone."""
    ((_, root),) = plan.roots
    assert isinstance(root, Payload)
    rows = [part for _, part in root.fields if isinstance(part, ById)]
    if len(rows) != 1 or not all(isinstance(part, ById | Constant) for _, part in root.fields):
        return None
    table = rows[0].row.table.name
    return table if _told_by_itself(rows[0].shape, table) else None


def _told_by_itself(shape: Shape, table: str) -> bool:
    for _, part in shape.fields:
        if isinstance(part, Single):
            if part.join.row.table.name == table or not _told_by_itself(part.shape, table):
                return False
        elif not isinstance(part, Constant | Read):
            return False
    return True


@lru_cache(maxsize=512)
def combined(payload: str, parameters: int, insert: str, inserted: int, keeping: str | None) -> str:
    """The whole statement. Its parameters are the payload's, the insert's, actor and request, and what `keeping` wants.

    Parameters of the insert are numbered anew; `keeping` is the beginning of another, `insert … select …`."""
    pieces = insert.split("$")
    moved = [pieces[0]]
    for piece in pieces[1:]:
        digits = len(piece) - len(piece.lstrip("0123456789"))
        # A `$` without a number behind it is the end of an alias.
        moved.append(f"{int(piece[:digits]) + parameters}{piece[digits:]}" if digits else piece)
    actor = parameters + inserted + 1
    # Made here, since what stands twice in the statement would be evaluated twice.
    answer = """select convert_to('{"data":' || body || '}', 'UTF8') as answer$ from told$"""
    keeps = f", kept$ as ({keeping} from ({answer}) as answered$)" if keeping else ""
    who = f"select set_config('hub.actor', ${actor}, true), set_config('hub.request', ${actor + 1}, true)"
    # Where the insert finds nothing to insert, nothing is told. Triggers that ask who writes fire at the statement's end.
    return (
        f"with {ROW} as ({'$'.join(moved)}), told$ as (select ({payload})::text as body from {ROW}){keeps} "
        f"select body::json from told$, ({who}) as who$"
    )
