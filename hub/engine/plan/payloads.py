"""Plans the payloads of mutations: the selected rows and values of a command's outcome, or of each result of a bulk."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.graphql_types.mutation_types import MutationField, PayloadField
from hub.engine.plan.fields import SelectionSets
from hub.engine.plan.nodes import BulkResults, Constant, LiteralValue, Payload, ResolverTree, ResultRow, RowById
from hub.engine.plan.parameters import Codec, ExecutionContext, Parameter, Runtime
from hub.engine.plan.selections import SelectionPlanner
from hub.model import exact_json

ErrorFields = tuple[tuple[str, str], ...]  # response keys and the fields of the error


def json_value(value: Any) -> str:
    """A value of a command's outcome, as the JSON text that Postgres would write."""
    return orjson.dumps(value, default=_plain_text, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _plain_text(value: Any) -> str:
    return exact_json.timestamp_text(value) if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, slots=True)
class OutcomeJsonCodec(Codec):
    """One value of a command's outcome, as JSON text."""

    name: str

    def encode(self, value: Mapping[str, Any], context: ExecutionContext) -> str:
        """The JSON text."""
        return json_value(value[self.name])


@dataclass(frozen=True, slots=True)
class OutcomeKeyCodec(Codec):
    """The key of a row in a command's outcome."""

    name: str

    def encode(self, value: Mapping[str, Any], context: ExecutionContext) -> Any:
        """The key."""
        return value[self.name]


@dataclass(frozen=True, slots=True)
class ResultKeysCodec(Codec):
    """The keys of one row of each result; null where a result has none."""

    name: str

    def encode(self, value: Mapping[str, Any], context: ExecutionContext) -> list[Any]:
        """The keys, in the order of the results."""
        return [result.get(self.name) for result in value["results"]]


@dataclass(frozen=True, slots=True)
class ResultValuesCodec(Codec):
    """The values of each result that are no rows, as JSON objects by response key."""

    fields: tuple[tuple[str, str | ErrorFields], ...]

    def encode(self, value: Mapping[str, Any], context: ExecutionContext) -> list[str]:
        """The JSON texts, in the order of the results."""
        return [
            json_value({key: self._read(result, field) for key, field in self.fields}) for result in value["results"]
        ]

    def _read(self, result: Mapping[str, Any], field: str | ErrorFields) -> Any:
        if isinstance(field, str):
            return result.get(field)
        error = result.get("error")
        return error and {key: "RowError" if name == "__typename" else error.get(name) for key, name in field}


def plan_payload(
    selector: SelectionPlanner, mutation: MutationField, selection_sets: SelectionSets
) -> tuple[Payload, ResolverTree | None]:
    """The payload of a mutation; the planning context of `selector` must be its own."""
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
    return selector.planning.parameter(sa.Text(), Runtime("outcome"), OutcomeJsonCodec(name))


def _payload_row(
    selector: SelectionPlanner, payload_field: PayloadField, selection_sets: SelectionSets
) -> tuple[RowById, ResolverTree | None]:
    assert payload_field.entity is not None
    entity = selector.planning.catalog.entities[payload_field.entity.name]
    key = selector.planning.parameter(sa.Uuid(), Runtime("outcome"), OutcomeKeyCodec(payload_field.key))
    selection, resolver_tree = selector.object_selection(entity, selection_sets)
    return RowById(entity, key, selection), resolver_tree


def _results(
    selector: SelectionPlanner, mutation: MutationField, selection_sets: SelectionSets
) -> tuple[BulkResults, ResolverTree | None]:
    payload_fields = {payload_field.name: payload_field for payload_field in mutation.payload}
    keys: list[Parameter] = []
    fields: list[tuple[str, Constant | ResultRow | None]] = []
    values: list[tuple[str, str | ErrorFields]] = []
    children: list[tuple[str, ResolverTree]] = []
    for key, nodes in selector.collector.fields(selection_sets, mutation.result_type).items():
        name = nodes[0].name.value
        inner = [node.selection_set for node in nodes]
        with selector.collector.field_context(key, nodes[0]):
            if name == "__typename":
                fields.append((key, Constant(mutation.result_type)))
            elif name == "error":
                values.append((key, _error_fields(selector, inner)))
                fields.append((key, None))
            elif payload_fields[name].entity is None:
                values.append((key, payload_fields[name].key))
                fields.append((key, None))
            else:
                result_row, resolver_tree = _result_row(selector, payload_fields[name], inner, keys)
                fields.append((key, result_row))
                if resolver_tree is not None:
                    children.append((key, resolver_tree))

    codec = ResultValuesCodec(tuple(values))
    parameter = selector.planning.parameter(ARRAY(sa.Text()), Runtime("outcome"), codec)
    if not keys:  # `unnest` of the objects alone would do, but one form for both cases is simpler
        keys.append(_result_keys_parameter(selector, ""))
    return BulkResults(tuple(keys), parameter, tuple(fields)), ResolverTree(
        children=tuple(children)
    ) if children else None


def _result_keys_parameter(selector: SelectionPlanner, key: str) -> Parameter:
    return selector.planning.parameter(ARRAY(sa.Uuid()), Runtime("outcome"), ResultKeysCodec(key))


def _result_row(
    selector: SelectionPlanner, payload_field: PayloadField, selection_sets: SelectionSets, keys: list[Parameter]
) -> tuple[ResultRow, ResolverTree | None]:
    assert payload_field.entity is not None
    entity = selector.planning.catalog.entities[payload_field.entity.name]
    selection, resolver_tree = selector.object_selection(entity, selection_sets)
    keys.append(_result_keys_parameter(selector, payload_field.key))
    return ResultRow(entity, len(keys) - 1, selection), resolver_tree


def _error_fields(selector: SelectionPlanner, selection_sets: SelectionSets) -> ErrorFields:
    fields = selector.collector.fields(selection_sets, "RowError")
    return tuple((key, nodes[0].name.value) for key, nodes in fields.items())
