"""Arguments of a mutation's root fields: the idempotency key, the limit of bulk rows, and errors that name an argument."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.engine.catalog.catalog import CatalogEntity, camel_case
from hub.engine.document.limits import node_locations
from hub.engine.graphql_types.mutation_types import MutationField
from hub.engine.plan.operations import MutationFieldPlan
from hub.errors import BadInput, HubError, LimitExceeded
from hub.model.declarations import ToOne, UnionLink
from hub.model.versions import ROW_CHANGED

MAX_BULK_ROWS = 500
IDEMPOTENCY_KEY_ERROR = ("idempotencyKey", "IDEMPOTENCY_KEY_INVALID")
MAX_KEY_LENGTH = 255


def limit_bulk_rows(field_plans: Sequence[MutationFieldPlan], arguments: Sequence[Mapping[str, Any]]) -> None:
    """Refuses more rows than one operation may write, over all of its roots."""
    bulk_fields = [
        (field_plan, field_arguments)
        for field_plan, field_arguments in zip(field_plans, arguments, strict=True)
        if field_plan.mutation and field_plan.mutation.is_bulk
    ]
    count = sum(len(field_arguments["input"]["rows"]) for _, field_arguments in bulk_fields)
    if count > MAX_BULK_ROWS:
        message = f"input.rows: {count} rows are too many; give an operation at most {MAX_BULK_ROWS} and send the rest after it."
        error = LimitExceeded(message, code="BULK_LIMIT", argument="input.rows")
        field_plan = bulk_fields[-1][0]
        error.path, error.locations = (field_plan.key,), node_locations(field_plan.node)
        raise error


def execution_order(rows: Sequence[Mapping[str, Any]], ordering_field: str | None) -> list[int]:
    """The order in which rows are done: by an id that they are done to, so that two who do the same do not block each other.

    Rows of one id, and rows without, keep their order."""
    return sorted(
        range(len(rows)), key=lambda index: str(rows[index].get(ordering_field) or "") if ordering_field else ""
    )


def idempotency_key(field_plans: Sequence[MutationFieldPlan], arguments: Sequence[Mapping[str, Any]]) -> str | None:
    """The idempotency key of an operation: the one that its roots name, on one of them or alike on several."""
    keys = {
        field_arguments["idempotencyKey"]
        for field_arguments in arguments
        if field_arguments.get("idempotencyKey") is not None
    }
    if not keys:
        return None
    if len(keys) > 1:
        raise argument_error(
            field_plans[0], *IDEMPOTENCY_KEY_ERROR, "the operation names several keys; give the operation one"
        )
    (key,) = keys
    if not 1 <= len(key) <= MAX_KEY_LENGTH or "\0" in key or not key.isprintable():
        raise argument_error(
            field_plans[0],
            *IDEMPOTENCY_KEY_ERROR,
            f"a key has 1 to {MAX_KEY_LENGTH} printable characters; a UUID is a good one",
        )
    return str(key)


def argument_error(field_plan: MutationFieldPlan, argument: str, code: str, fault_and_remedy: str) -> BadInput:
    """The refusal of an argument of a root."""
    error = BadInput(f"{argument}: {fault_and_remedy}.", code=code, argument=argument)
    error.path, error.locations = (field_plan.key,), node_locations(field_plan.node)
    return error


def qualify_argument(error: HubError, argument: str) -> HubError:
    """The error with the whole path of the argument that a command named in its own words or as clients do."""
    if error.argument is not None:
        path = ".".join(camel_case(part) for part in error.argument.split("."))
        qualified = f"{argument}.{path}"
        named = next((name for name in (error.argument, path) if error.message.startswith(name)), None)
        rest = f": {error.message}" if named is None else error.message.removeprefix(named)
        error.argument, error.message = qualified, qualified + rest
    return error


def show_conflict(error: HubError, mutation: MutationField, entities: Mapping[str, CatalogEntity]) -> HubError:
    """The error of an edit that clashes, with the state that the viewer reads as it is, under the names of the fields.

    `entities` are those of the catalog that is narrowed to the viewer's rights. The message names no other column."""
    entity = None if mutation.entity is None else entities.get(mutation.entity)
    current: Any = error.extensions["current"]
    readable = [] if entity is None else [column for column in current if _reads(entity, column)]
    shown = {
        field.name: field.conflict_value(current[field.key])
        for field in mutation.conflict_fields
        if field.key in readable
    }
    error.extensions = {**error.extensions, "current": shown}
    if readable:
        error.message = error.message.replace(ROW_CHANGED, f"{', '.join(readable)} changed", 1)
    return error


def _reads(entity: CatalogEntity, column: str) -> bool:
    """Whether all rows show the column, or the link by it, unmasked."""
    columns = (name for name, field in entity.columns.items() if field.column.name == column)
    links = (name for name, link in entity.links.items() if _is_by(link, column))
    return not entity.aggregate_only and any(name not in entity.cells for name in (*columns, *links))


def _is_by(link: object, column: str) -> bool:
    match link:
        case ToOne(by=by):
            return by == column
        case UnionLink(targets=targets):
            return column in targets.values()
    return False


def row_error(error: HubError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "argument": error.argument, **error.extensions}
