"""Fast path: a mutation that is a single INSERT runs as one SQL statement (row, payload, idempotency record, actor).

mutations.py runs the command against a recording connection to find out, and has the general path."""

from dataclasses import dataclass, field
from functools import lru_cache

from hub.engine.plan.nodes import ColumnSelection, Constant, ObjectSelection, Payload, Plan, RowById, ToOneSelection
from hub.engine.plan.operations import MutationFieldPlan
from hub.engine.sql.compiler import CompiledStatement, compile_plan
from hub.model.idempotency import KeystreamLength
from hub.rights import Rights

INSERTED = "new$"


@dataclass(frozen=True, slots=True)
class SingleStatement:
    """The statement that reads the payload from the row inserted into `table`, and how long its responses are."""

    table: str
    payload: CompiledStatement
    keystream: KeystreamLength = field(default_factory=KeystreamLength, compare=False)


def single_statement(field_plan: MutationFieldPlan, rights: Rights) -> SingleStatement | None:
    """Returns the statement of a payload that needs only the inserted row; None if the payload needs more.

    A statement sees its own writes only through RETURNING, so lists and links back need a second statement."""
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
    return SingleStatement(table, compile_plan(field_plan.plan, rights, INSERTED))


def _payload_table(plan: Plan) -> str | None:
    """Returns the table of the payload's only row if the payload has no lists and no links back, else None."""
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
    """Returns the whole statement; its parameters are those of payload, insert, actor, request, context, source and `store_sql`.

    The parameters of the insert are renumbered. `store_sql` is the beginning of an `insert … select …`."""
    pieces = insert.split("$")
    renumbered = [pieces[0]]
    for piece in pieces[1:]:
        digits = len(piece) - len(piece.lstrip("0123456789"))
        # A `$` without a number is the end of an alias.
        renumbered.append(f"{int(piece[:digits]) + payload_parameters}{piece[digits:]}" if digits else piece)
    actor = payload_parameters + insert_parameters + 1
    # Reads the CTE of the payload: an expression that occurs twice in the statement would be evaluated twice.
    response = """select convert_to('{"data":' || body || '}', 'UTF8') as answer$ from payload$"""
    store_cte = f", stored$ as ({store_sql} from ({response}) as response$)" if store_sql else ""
    settings = ("hub.actor", "hub.request", "hub.context", "hub.source")
    set_actor = f"select {', '.join(f'set_config({name!r}, ${actor + i}, true)' for i, name in enumerate(settings))}"
    # No inserted row gives no payload. The triggers that read the actor fire at the end of the statement.
    return (
        f"with {INSERTED} as ({'$'.join(renumbered)}), payload$ as (select ({payload})::text as body from {INSERTED}){store_cte} "
        f"select body::json from payload$, ({set_actor}) as actor_setting$"
    )
