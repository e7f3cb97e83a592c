"""Plans `changes` roots: the types, the conditions, and the selection of each change.

A row's images in the log replace its table, so filter, permissions and columns apply to the row at the change. Links below
are read as they are now, and each is checked: the row above may belong to somebody else by now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import CatalogEntity, upper_snake
from hub.engine.catalog.input_values import bad_input, enum_value
from hub.engine.graphql_types.subscription_types import MESSAGE_TYPES, field_name
from hub.engine.plan.arguments import ArgumentTree, EmptiedObject, plan_value
from hub.engine.plan.context import required_value
from hub.engine.plan.filters import plan_filter, require_condition
from hub.engine.plan.nodes import (
    CellSelection,
    ChangeFilterPlan,
    ChangesPlan,
    ChangeTypePlan,
    ColumnSelection,
    MessageFields,
    ObjectSelection,
    ResolverTree,
    ToOneSelection,
    UnionSelection,
)
from hub.engine.plan.parameters import Codec, ExecutionContext, Parameter
from hub.engine.plan.selections import SelectionPlanner

MAX_IDS = 100
IMMUTABLE_COLUMNS = ("id", "created_at")  # they never change


@dataclass(frozen=True, slots=True)
class EnumListCodec(Codec):
    """Lists of enum values, as texts."""

    def encode(self, value: Sequence[Any], context: ExecutionContext) -> list[str]:
        """The texts."""
        return [enum_value(item) for item in value]


@dataclass(frozen=True, slots=True)
class RowIdsCodec(Codec):
    """Ids of rows of any type, as keys."""

    argument: str

    def encode(self, value: Sequence[str], context: ExecutionContext) -> list[UUID]:
        """The keys; raises PAGE_LIMIT and ID_MALFORMED."""
        if len(value) > MAX_IDS:
            bad_input("PAGE_LIMIT", self.argument, f"{len(value)} ids are too many; give at most {MAX_IDS}.")
        return [scalars.decode_id(public_id, self.argument)[1] for public_id in value]


@dataclass(frozen=True, slots=True)
class ChangedFieldsCodec(Codec):
    """Names of fields, as the columns of one type; `known_fields` are those of all types of the stream."""

    argument: str
    field_by_column: Mapping[str, str] = field(repr=False)
    known_fields: frozenset[str] = field(repr=False)

    def encode(self, value: Sequence[str], context: ExecutionContext) -> list[str]:
        """The columns; raises FILTER_INVALID for a field of none of the types."""
        fields = set(value)
        for name in sorted(fields - self.known_fields):
            bad_input(
                "FILTER_INVALID",
                self.argument,
                f"{name[:60]!r} is not a field of these types; give a field of one of them.",
            )
        return [column for column, name in self.field_by_column.items() if name in fields]


def plan_changes(
    selector: SelectionPlanner, selection_sets: Sequence[Any], arguments: Mapping[str, ArgumentTree]
) -> tuple[ChangesPlan, ResolverTree | None]:
    """The plan of a `changes` root with these selections and arguments."""
    entities = selector.planning.catalog.with_past_rows
    tree = arguments.get("filter")
    require_condition(not isinstance(tree, EmptiedObject), "filter")
    conditions = tree if isinstance(tree, dict) else {}
    selector.planning.below_image = True
    messages = {name: _message_fields(selector, selection_sets, name) for name in MESSAGE_TYPES}
    change_fields = selector.collector.fields(selection_sets, "Change").values()
    nodes = [field_nodes for field_nodes in change_fields if field_nodes[0].name.value == "node"]
    named_types = _entity_types(conditions)
    selected = [entity for entity in entities if named_types is None or entity.entity_type in named_types]
    type_plans: list[ChangeTypePlan] = []
    resolver_trees: dict[str, ResolverTree] = {}
    for entity in selected:
        node_selection_sets = [node.selection_set for field_nodes in nodes for node in field_nodes]
        if not nodes or selector.collector.fields(node_selection_sets, entity.name):
            planned, resolver_tree = _type_plan(selector, entity, nodes, conditions)
            type_plans.append(planned)
            resolver_trees |= {entity.name: resolver_tree} if resolver_tree else {}
    planning = selector.planning
    columns = {type_plan.entity.name: type_plan.entity.field_by_column for type_plan in type_plans}
    log_filter = ChangeFilterPlan(
        operations=_text_list_parameter(selector, conditions, "operations"),
        keys=_keys_parameter(selector, conditions),
        customer=_customer_parameter(selector, conditions),
        changed_columns={name: _changed_columns_parameter(selector, conditions, columns, name) for name in columns}
        if _has(conditions, "changedFields")
        else {},
        exclude_own=plan_value(conditions.get("excludeOwn")) is True,
    )
    planning.below_image = False
    resolver_tree = (
        ResolverTree(
            by_type=tuple((entity.name, resolver_trees.get(entity.name, ResolverTree())) for entity in selected)
        )
        if resolver_trees
        else None
    )
    return ChangesPlan(tuple(type_plans), len(type_plans) == len(entities), log_filter, messages), resolver_tree


def _has(conditions: Mapping[str, ArgumentTree], name: str) -> bool:
    return conditions.get(name) is not None


def _entity_types(conditions: Mapping[str, ArgumentTree]) -> set[object] | None:
    """The types of the stream: those that `types` names, else those with a filter of their own; None for all."""
    types = conditions.get("types")
    if isinstance(types, list):
        return {plan_value(item) for item in types}
    own = {name for name, part in conditions.items() if isinstance(part, dict)}
    return {upper_snake(name[0].upper() + name[1:]) for name in own} or None


def _message_fields(selector: SelectionPlanner, selection_sets: Sequence[Any], name: str) -> MessageFields:
    fields = selector.collector.fields(selection_sets, name)
    for nodes in fields.values():
        selector.collector.require_selectable(nodes[0])
    return tuple((key, nodes[0].name.value) for key, nodes in fields.items())


def _type_plan(
    selector: SelectionPlanner,
    entity: CatalogEntity,
    nodes: Sequence[Sequence[Any]],
    conditions: Mapping[str, ArgumentTree],
) -> tuple[ChangeTypePlan, ResolverTree | None]:
    """The plan of one type: its selections (one for each `node` field), its filter, and the columns that it watches."""
    selections: list[tuple[str, ObjectSelection]] = []
    children: list[tuple[str, ResolverTree]] = []
    for field_nodes in nodes:
        key = (field_nodes[0].alias or field_nodes[0].name).value
        with selector.collector.field_context(key, field_nodes[0]):
            selection, resolver_tree = selector.object_selection(entity, [node.selection_set for node in field_nodes])
        selections.append((key, selection))
        children += [(key, resolver_tree)] if resolver_tree else []
    name = field_name(entity)
    where = plan_filter(selector.planning, conditions.get(name), entity, f"filter.{name}")
    type_plan = ChangeTypePlan(
        entity, tuple(selections), where, _watched_columns([selection for _, selection in selections])
    )
    return type_plan, ResolverTree(children=tuple(children)) if children else None


def _watched_columns(selections: Sequence[ObjectSelection]) -> tuple[str, ...] | None:
    """The columns that the selections show; None when every change counts: they show the version, or no column."""
    columns: set[str] = set()
    for selection in selections:
        for _, part in selection.fields:
            match part:
                case ColumnSelection(column) | CellSelection(value=ColumnSelection(column)):
                    columns.add(column)
                case ToOneSelection(join) | CellSelection(value=ToOneSelection(join)):
                    columns.add(join.our_column)
                case UnionSelection(choices) | CellSelection(value=UnionSelection(choices)):
                    columns |= {choice.join.our_column for choice in choices}
    columns -= set(IMMUTABLE_COLUMNS)
    return tuple(sorted(columns)) if columns and not columns & {"version", "updated_at"} else None


def _text_list_parameter(
    selector: SelectionPlanner, conditions: Mapping[str, ArgumentTree], name: str
) -> Parameter | None:
    part = conditions.get(name)
    if part is None:
        return None
    value = required_value(part, f"filter.{name}", "FILTER_INVALID")
    return selector.planning.parameter(ARRAY(sa.Text()), value.source, EnumListCodec())


def _keys_parameter(selector: SelectionPlanner, conditions: Mapping[str, ArgumentTree]) -> Parameter | None:
    if not _has(conditions, "ids"):
        return None
    value = required_value(conditions["ids"], "filter.ids", "FILTER_INVALID")
    codec = RowIdsCodec("filter.ids")
    return selector.planning.parameter(ARRAY(sa.Uuid()), value.source, codec, names_rows=True, names_past=True)


def _customer_parameter(selector: SelectionPlanner, conditions: Mapping[str, ArgumentTree]) -> Parameter | None:
    if not _has(conditions, "customerId"):
        return None
    value = required_value(conditions["customerId"], "filter.customerId", "FILTER_INVALID")
    return selector.planning.key_parameter(value, selector.planning.catalog.customer_type, "filter.customerId")


def _changed_columns_parameter(
    selector: SelectionPlanner,
    conditions: Mapping[str, ArgumentTree],
    columns: Mapping[str, Mapping[str, str]],
    name: str,
) -> Parameter:
    value = required_value(conditions["changedFields"], "filter.changedFields", "FILTER_INVALID")
    known_fields = frozenset(field for field_names in columns.values() for field in field_names.values())
    codec = ChangedFieldsCodec("filter.changedFields", columns[name], known_fields)
    return selector.planning.parameter(ARRAY(sa.Text()), value.source, codec)
