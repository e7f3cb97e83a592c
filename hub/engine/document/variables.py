"""The values of an operation's variables: coerced, bounded, and by the shortest way that fits."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLID,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    VariableDefinitionNode,
)
from graphql.execution.values import get_variable_values

from hub.engine.document.documents import Operation
from hub.errors import BadInput, LimitExceeded

OBJECTS = 4_000  # a bulk of 500 rows with four parts each has room
LEVELS = 100  # for deeper ones graphql-core has words
JOINING = (dict, list)


def coerced(schema: GraphQLSchema, operation: Operation, given: Mapping[str, Any], most: int) -> Mapping[str, Any]:
    """The coerced values; raises VARIABLE_LIMIT for too many and VARIABLE_INVALID for the first of `most` misfits."""
    definitions = operation.node.variable_definitions
    if not definitions:
        return {}
    if all(isinstance(given.get(each.name), str) and _is_text(each.type) for each in operation.variables):
        return {each.name: given[each.name] for each in operation.variables}  # nothing to coerce, and most common
    objects, levels = _extent(given)
    if objects > OBJECTS:
        message = f"The variables hold more than {OBJECTS:,} objects or {OBJECTS * 20:,} values; send fewer at once."
        raise LimitExceeded(message, code="VARIABLE_LIMIT", argument="variables")
    quick = operation.coerced(given) if levels <= LEVELS else None
    if quick is not None:
        return quick
    found = get_variable_values(schema, definitions, dict(given), max_errors=most)
    if isinstance(found, list):
        raise BadInput(found[0].message, code="VARIABLE_INVALID")
    return found.coerced


def as_sent(operation: Operation) -> tuple[VariableDefinitionNode, ...]:
    """The variables whose values may be coerced once more, since that leaves them as they were sent: texts and flags."""
    definitions = operation.node.variable_definitions or ()
    pairs = zip(definitions, operation.variables, strict=True)
    return tuple(node for node, each in pairs if _bare(each.type) in (GraphQLString, GraphQLBoolean))


def _extent(value: Any) -> tuple[int, int]:
    """How many objects and lists stand in a JSON value, twenty plain values counting as one, as coercing them costs; and how
    deep they do. What costs too much is not looked through to its end."""
    found, plain, levels, level = 0, 0, 0, [value]
    while level:
        found, levels = found + len(level), levels + 1
        if found + (plain + sum(map(len, level))) // 20 > OBJECTS:
            return OBJECTS + 1, levels
        parts = [part for each in level for part in (each.values() if isinstance(each, dict) else each)]
        level = [part for part in parts if isinstance(part, JOINING)]
        plain += len(parts) - len(level)
    return found + plain // 20, levels


def _is_text(of: GraphQLInputType) -> bool:
    return _bare(of) in (GraphQLID, GraphQLString)


def _bare(of: GraphQLInputType) -> GraphQLInputType:
    return of.of_type if isinstance(of, GraphQLNonNull) else of
