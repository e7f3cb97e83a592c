"""Coerces the values of an operation's variables and limits their size."""

import re
from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    VariableDefinitionNode,
)
from graphql.execution.values import get_variable_values

from hub.engine.document.documents import Operation
from hub.engine.document.limits import node_locations
from hub.errors import BadInput, HubError, LimitExceeded

MAX_OBJECTS = 6_000  # enough for an upsert of 500 rows by a key of another system with four nested rows each
MAX_DEPTH = 100  # graphql-core reports deeper ones
CONTAINERS = (dict, list)
_INVALID_VARIABLE = re.compile(r"Variable '(?P<name>\$\w+)' has invalid value(?: at (?P<path>[^\s:]+))?:")


def coerce_variables(
    schema: GraphQLSchema,
    operation: Operation,
    values: Mapping[str, Any],
    max_errors: int,
    *,
    hide_suggestions: bool = False,
) -> Mapping[str, Any]:
    """The coerced values; raises VARIABLE_LIMIT, and VARIABLE_INVALID with at most `max_errors` errors.

    `hide_suggestions` leaves similar names of the schema out of the errors."""
    definitions = operation.node.variable_definitions
    if not definitions:
        return {}
    texts: dict[str, Any] = {}
    for variable in operation.variables:
        value = values.get(variable.name)
        if not (variable.is_text and isinstance(value, str)):
            break
        texts[variable.name] = value
    else:
        return texts  # nothing to coerce: the most common case
    objects, depth = _measure(values)
    if objects > MAX_OBJECTS:
        message = (
            f"The variables hold more than {MAX_OBJECTS:,} objects or {MAX_OBJECTS * 20:,} values; send fewer at once."
        )
        raise _located(LimitExceeded(message, code="VARIABLE_LIMIT", argument="variables"), definitions[0])
    coerced = operation.try_coerce(values) if depth <= MAX_DEPTH else None
    if coerced is not None:
        return coerced
    result = get_variable_values(schema, definitions, dict(values), max_errors, hide_suggestions)
    if isinstance(result, list):
        message = result[0].message.replace("not to be None", "not to be null")
        matched = _INVALID_VARIABLE.match(message)
        argument = None if matched is None else matched["name"] + (matched["path"] or "")
        error = BadInput(message, code="VARIABLE_INVALID", argument=argument)
        error.locations = tuple((location.line, location.column) for location in result[0].locations or ())
        raise error
    return result.coerced


def recoercible_definitions(operation: Operation) -> tuple[VariableDefinitionNode, ...]:
    """The definitions of variables whose values may be coerced twice without a change: texts and Booleans."""
    definitions = operation.node.variable_definitions or ()
    pairs = zip(definitions, operation.variables, strict=True)
    return tuple(node for node, variable in pairs if _nullable(variable.type) in (GraphQLString, GraphQLBoolean))


def _located(error: HubError, node: VariableDefinitionNode) -> HubError:
    error.locations = node_locations(node)
    return error


def _measure(value: Any) -> tuple[int, int]:
    """How many objects and lists a JSON value holds, and how deeply they nest. It stops early when the value costs too much.

    Twenty plain values count as one object, which is about what coercing them costs."""
    containers, plain_values, depth, level = 0, 0, 0, [value]
    while level:
        containers, depth = containers + len(level), depth + 1
        if containers + (plain_values + sum(map(len, level))) // 20 > MAX_OBJECTS:
            return MAX_OBJECTS + 1, depth
        parts = [
            part for container in level for part in (container.values() if isinstance(container, dict) else container)
        ]
        level = [part for part in parts if isinstance(part, CONTAINERS)]
        plain_values += len(parts) - len(level)
    return containers + plain_values // 20, depth


def _nullable(type_: GraphQLInputType) -> GraphQLInputType:
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_
