"""Plans the payloads of mutations: which rows and values of a command's outcome are selected, alone or for each of many."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.graphql_types.mutation_types import MutationField, PayloadField
from hub.engine.plan.fields import SelectionSets
from hub.engine.plan.nodes import BulkResults, Constant, LiteralValue, Payload, ResolverTree, ResultRow, RowById
from hub.engine.plan.predicates import ExecutionContext, Parameter
from hub.engine.plan.selections import SelectionPlanner

ResultReader = Callable[[Mapping[str, Any]], Any]


def json_value(value: Any) -> str:
    """What a command gave, as JSON text."""
    return orjson.dumps(value, default=str).decode()


def plan_payload(
    selector: SelectionPlanner, mutation: MutationField, selection_sets: SelectionSets
) -> tuple[Payload, ResolverTree | None]:
    """The payload of a mutation; the draft of `select` is the payload's alone."""
    payload_fields = {payload_field.name: payload_field for payload_field in mutation.payload}
    fields: list[tuple[str, Constant | LiteralValue | RowById | BulkResults]] = []
    children: list[tuple[str, ResolverTree]] = []
    for key, nodes in selector.collector.fields(selection_sets, mutation.payload_type).items():
        name = nodes[0].name.value
        inner = [node.selection_set for node in nodes]
        resolver_tree = None
        part: Constant | LiteralValue | RowById | BulkResults
        with selector.collector.field_context(key, nodes[0]):
            if name == "__typename":
                part = Constant(mutation.payload_type)
            elif mutation.is_bulk and name == "results":
                part, resolver_tree = _results(selector, mutation, inner)
            elif mutation.is_bulk:
                part = LiteralValue(_outcome_parameter(selector, name))
            elif payload_fields[name].entity is None:
                part = LiteralValue(_outcome_parameter(selector, payload_fields[name].key))
            else:
                part, resolver_tree = _payload_row(selector, payload_fields[name], inner)
        fields.append((key, part))
        if resolver_tree is not None:
            children.append((key, resolver_tree))
    return Payload(tuple(fields)), ResolverTree(children=tuple(children)) if children else None


def _outcome_parameter(selector: SelectionPlanner, name: str) -> Parameter:
    return selector.planning.parameter(sa.Text(), lambda context: json_value(context.outcome[name]))


def _payload_row(
    selector: SelectionPlanner, payload_field: PayloadField, selection_sets: SelectionSets
) -> tuple[RowById, ResolverTree | None]:
    assert payload_field.entity is not None
    key = selector.planning.parameter(sa.Uuid(), lambda context: context.outcome[payload_field.key])
    selection, resolver_tree = selector.object_selection(payload_field.entity, selection_sets)
    return RowById(payload_field.entity, key, selection), resolver_tree


def _results(
    selector: SelectionPlanner, mutation: MutationField, selection_sets: SelectionSets
) -> tuple[BulkResults, ResolverTree | None]:
    payload_fields = {payload_field.name: payload_field for payload_field in mutation.payload}
    keys: list[Parameter] = []
    fields: list[tuple[str, Constant | ResultRow | None]] = []
    readers: list[tuple[str, ResultReader]] = []
    children: list[tuple[str, ResolverTree]] = []
    for key, nodes in selector.collector.fields(selection_sets, mutation.result_type).items():
        name = nodes[0].name.value
        inner = [node.selection_set for node in nodes]
        with selector.collector.field_context(key, nodes[0]):
            if name == "__typename":
                fields.append((key, Constant(mutation.result_type)))
            elif name == "error":
                readers.append((key, _result_error(selector, inner)))
                fields.append((key, None))
            elif payload_fields[name].entity is None:
                readers.append((key, _result_value(payload_fields[name].key)))
                fields.append((key, None))
            else:
                result_row, resolver_tree = _result_row(selector, payload_fields[name], inner, keys)
                fields.append((key, result_row))
                if resolver_tree is not None:
                    children.append((key, resolver_tree))

    def result_values(context: ExecutionContext) -> list[str]:
        return [json_value({key: read(result) for key, read in readers}) for result in context.outcome["results"]]

    parameter = selector.planning.parameter(ARRAY(sa.Text()), result_values)
    if not keys:  # `unnest` of the objects alone would do; one way for both is simpler
        keys.append(_result_keys_parameter(selector, ""))
    return BulkResults(tuple(keys), parameter, tuple(fields)), ResolverTree(
        children=tuple(children)
    ) if children else None


def _result_value(key: str) -> ResultReader:
    return lambda result: result.get(key)


def _result_keys_parameter(selector: SelectionPlanner, key: str) -> Parameter:
    return selector.planning.parameter(
        ARRAY(sa.Uuid()), lambda context: [result.get(key) for result in context.outcome["results"]]
    )


def _result_row(
    selector: SelectionPlanner, payload_field: PayloadField, selection_sets: SelectionSets, keys: list[Parameter]
) -> tuple[ResultRow, ResolverTree | None]:
    assert payload_field.entity is not None
    selection, resolver_tree = selector.object_selection(payload_field.entity, selection_sets)
    keys.append(_result_keys_parameter(selector, payload_field.key))
    return ResultRow(payload_field.entity, len(keys) - 1, selection), resolver_tree


def _result_error(selector: SelectionPlanner, selection_sets: SelectionSets) -> ResultReader:
    requested_fields: Sequence[tuple[str, str]] = [
        (key, nodes[0].name.value) for key, nodes in selector.collector.fields(selection_sets, "RowError").items()
    ]

    def read(result: Mapping[str, Any]) -> Any:
        error = result.get("error")
        return error and {
            key: "RowError" if name == "__typename" else error.get(name) for key, name in requested_fields
        }

    return read
