"""A mutation that comes down to one insert, as one statement and one round trip: the row, its payload, the kept answer, who
writes. Which command does is seen by letting it note what it would do; mutations.py has the way for all others."""

from dataclasses import dataclass
from functools import lru_cache

from hub.engine.plan.nodes import ColumnSelection, Constant, ObjectSelection, Payload, Plan, RowById, ToOneSelection
from hub.engine.plan.operations import MutationFieldPlan
from hub.engine.sql.compiler import CompiledStatement, compile_plan
from hub.viewer import Binding

INSERTED = "new$"


@dataclass(frozen=True, slots=True)
class SingleStatement:
    """The payload as it is read from the new row, which stands in `table`."""

    table: str
    payload: CompiledStatement


def single_statement(field_plan: MutationFieldPlan, binding: Binding) -> SingleStatement | None:
    """How the payload of a root is read from the row that its command inserts; None where it needs more than that row.

    A statement does not see what it writes but for the rows that it gives: lists and links back need the next one."""
    if (
        field_plan.plan is None
        or field_plan.plan.resolver_tree is not None
        or field_plan.mutation is None
        or field_plan.mutation.single_insert is None
        or field_plan.mutation.secret
    ):
        return None
    table = _payload_table(field_plan.plan)
    if table is None:
        return None
    return SingleStatement(table, compile_plan(field_plan.plan, binding, INSERTED))


def _payload_table(plan: Plan) -> str | None:
    """The table of the one row that a payload tells, if it can be told of the row alone."""
    ((_, root),) = plan.roots
    assert isinstance(root, Payload)
    rows = [part for _, part in root.fields if isinstance(part, RowById)]
    if len(rows) != 1 or not all(isinstance(part, RowById | Constant) for _, part in root.fields):
        return None
    table = rows[0].entity.table.name
    return table if _needs_only_row(rows[0].selection, table) else None


def _needs_only_row(selection: ObjectSelection, table: str) -> bool:
    for _, part in selection.fields:
        if isinstance(part, ToOneSelection):
            if part.join.entity.table.name == table or not _needs_only_row(part.selection, table):
                return False
        elif not isinstance(part, Constant | ColumnSelection):
            return False
    return True


@lru_cache(maxsize=512)
def combine(payload: str, payload_parameters: int, insert: str, insert_parameters: int, store_sql: str | None) -> str:
    """The whole statement. Its parameters are the payload's, the insert's, actor and request, and what `store_sql` needs.

    Parameters of the insert are numbered anew; `store_sql` is the beginning of another, `insert … select …`."""
    pieces = insert.split("$")
    renumbered = [pieces[0]]
    for piece in pieces[1:]:
        digits = len(piece) - len(piece.lstrip("0123456789"))
        # A `$` without a number behind it is the end of an alias.
        renumbered.append(f"{int(piece[:digits]) + payload_parameters}{piece[digits:]}" if digits else piece)
    actor = payload_parameters + insert_parameters + 1
    # Made here, since what stands twice in the statement would be evaluated twice.
    response = """select convert_to('{"data":' || body || '}', 'UTF8') as answer$ from payload$"""
    store_cte = f", stored$ as ({store_sql} from ({response}) as response$)" if store_sql else ""
    set_actor = f"select set_config('hub.actor', ${actor}, true), set_config('hub.request', ${actor + 1}, true)"
    # Where the insert finds nothing to insert, nothing is told. Triggers that ask who writes fire at the statement's end.
    return (
        f"with {INSERTED} as ({'$'.join(renumbered)}), payload$ as (select ({payload})::text as body from {INSERTED}){store_cte} "
        f"select body::json from payload$, ({set_actor}) as actor_setting$"
    )
