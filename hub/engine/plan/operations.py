"""Plans operations: a document's selections become a Plan. It knows no SQL, no values and no database.

This module plans the roots and the plan as a whole; selections.py plans the selections below them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from graphql import FieldNode
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.catalog.input_values import bad_input, enum_value, storable_text
from hub.engine.document.limits import Limits
from hub.engine.graphql_types.mutation_types import MutationField
from hub.engine.graphql_types.narrowed_schema import narrow
from hub.engine.graphql_types.schema_builder import RootField, Schema
from hub.engine.plan.arguments import ArgumentReader, ArgumentTree, ArgumentValue, id_prefixes
from hub.engine.plan.changes import MAX_IDS, plan_changes
from hub.engine.plan.context import PlanningContext, required_value
from hub.engine.plan.fields import FieldCollector
from hub.engine.plan.groups import plan_groups
from hub.engine.plan.nodes import (
    Constant,
    LivePayload,
    Payload,
    Plan,
    ResolvedInPython,
    ResolverTree,
    RootNode,
    RowById,
    RowByLookup,
    RowsByIds,
)
from hub.engine.plan.pagination import page_size
from hub.engine.plan.parameters import ArgumentSource, Codec, ExecutionContext, ListSource, ObjectSource, Parameter
from hub.engine.plan.payloads import plan_payload
from hub.engine.plan.root_groups import has_lists, plan_root_group
from hub.engine.plan.selections import SelectionPlanner
from hub.errors import BadInput
from hub.model.declarations import Lookup
from hub.model.rows import prefix_error
from hub.rights import Rights


@dataclass(frozen=True, slots=True)
class ChangesRoot:
    """A `changes` root: its response key, the plan of its messages, the cursor that it begins after, its page size."""

    key: str
    plan: Plan
    after: ArgumentSource | None
    size: int | Parameter


@dataclass(frozen=True, slots=True)
class LiveRoot:
    """A live query: its response key and the plan of its answers. `time_dependent`: time alone may change them."""

    key: str
    plan: Plan
    time_dependent: bool


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A query's plan, the response keys of roots that Python answers, and the `changes` roots."""

    plan: Plan
    python_roots: tuple[str, ...]
    changes_roots: tuple[ChangesRoot, ...]


@dataclass(frozen=True, slots=True)
class MutationFieldPlan:
    """A root field of a mutation and the plan that reads its payload; `__typename` has none."""

    key: str
    node: FieldNode
    mutation: MutationField | None = None
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class LookupCodec(Codec):
    """One column of a lookup; its value depends on all arguments of the lookup."""

    argument: str
    lookup: Lookup = field(repr=False)
    name: str

    def encode(self, value: Mapping[str, Any], context: ExecutionContext) -> Any:
        """The normalised value; raises BadInput for values that the lookup refuses."""
        own = value[self.name]
        if isinstance(own, Enum):  # which has one spelling
            return own.value
        arguments = {name: storable_text(enum_value(part), f"{self.argument}.{name}") for name, part in value.items()}
        try:
            return enum_value(self.lookup.normalize(arguments)[self.name])
        except BadInput as error:
            raise prefix_error(self.argument, error) from None


@dataclass(frozen=True, slots=True)
class MixedIdsCodec(Codec):
    """Ids of rows of any type."""

    argument: str
    prefixes: frozenset[str] = field(repr=False)
    no_type: str  # how the error calls the types that it does not find

    def decode(self, ids: Sequence[str]) -> list[tuple[str, UUID]]:
        """Prefix and key of each id; raises PAGE_LIMIT, ID_MALFORMED and ID_WRONG_TYPE."""
        if len(ids) > MAX_IDS:
            bad_input("PAGE_LIMIT", self.argument, f"{len(ids)} ids are too many; give at most {MAX_IDS}.")
        decoded = [scalars.decode_id(public_id, self.argument) for public_id in ids]
        for prefix, _ in decoded:
            if prefix not in self.prefixes:
                bad_input(
                    "ID_WRONG_TYPE",
                    self.argument,
                    f"{self.no_type} has ids that begin with {prefix[:20]}_; give an id that the hub returned.",
                )
        return decoded


@dataclass(frozen=True, slots=True)
class IdTypesCodec(MixedIdsCodec):
    """The prefixes of ids."""

    def encode(self, value: Sequence[str], context: ExecutionContext) -> list[str]:
        """The prefixes; raises BadInput."""
        return [prefix for prefix, _ in self.decode(value)]


@dataclass(frozen=True, slots=True)
class IdKeysCodec(MixedIdsCodec):
    """The keys of ids."""

    def encode(self, value: Sequence[str], context: ExecutionContext) -> list[UUID]:
        """The keys; raises BadInput."""
        return [key for _, key in self.decode(value)]


class OperationPlanner:
    """Plans one operation; the plan serves all values of the variables that have the same cache key."""

    def __init__(
        self,
        schema: Schema,
        variables: Mapping[str, Any],
        fragments: Mapping[str, Any],
        limits: Limits,
        rights: Rights,
    ) -> None:
        reader = ArgumentReader(schema.plan_relevant_enums, variables)
        schema = narrow(schema, rights)
        self.schema = schema
        self.planning = PlanningContext(schema.catalog, reader, limits, rights)
        self.collector = FieldCollector(schema, self.planning, fragments, variables)
        self.selector = SelectionPlanner(self.collector)

    def plan_query(self, selection_set: Any) -> QueryPlan:
        """The plan of a query's selection set; raises BadInput with the path of the field."""
        roots: list[tuple[str, RootNode]] = []
        children: list[tuple[str, ResolverTree]] = []
        python_roots: list[str] = []
        changes_roots: list[ChangesRoot] = []
        for key, nodes in self.collector.fields([selection_set], "Query").items():
            node, resolver_tree = self._plan_root(key, nodes)
            if nodes[0].name.value == "changes":
                changes_roots.append(self._plan_changes(key, nodes, "Query"))
            elif isinstance(node, ResolvedInPython):
                python_roots.append(key)
            if resolver_tree is not None:
                children.append((key, resolver_tree))
            roots.append((key, node))
        node_types = {type(node) for _, node in roots}
        custom_plan = (
            self.planning.uses_search
            or (
                self.planning.rights.binding == "unit_subtree"
                and bool(node_types - {Constant, ResolvedInPython, RowById, RowsByIds, RowByLookup, Payload})
            )
            or any(isinstance(node, Payload) and has_lists(node) for _, node in roots)
        )
        resolver_tree = ResolverTree(children=tuple(children)) if children or python_roots else None
        return QueryPlan(
            Plan(tuple(roots), tuple(self.planning.parameters), resolver_tree, custom_plan),
            tuple(python_roots),
            tuple(changes_roots),
        )

    def plan_subscription(self, selection_set: Any) -> ChangesRoot | LiveRoot:
        """The plan of a subscription, which has one root; raises BadInput."""
        roots = self.collector.fields([selection_set], "Subscription")
        if len(roots) != 1:
            message = "A subscription has exactly one root field; @skip and @include have left none, or several."
            raise BadInput(message, code="GRAPHQL_INVALID")
        ((key, nodes),) = roots.items()
        root = self.schema.streams[nodes[0].name.value]
        if root.category == "changes":
            return self._plan_changes(key, nodes, "Subscription")
        children: list[tuple[str, ResolverTree]] = []
        fields: list[tuple[str, Any]] = []
        with self.collector.field_context(key, nodes[0]):
            arguments = self.collector.arguments(nodes[0], "Subscription")
            for name, payload_nodes in self.collector.fields(
                [node.selection_set for node in nodes], root.payload_type
            ).items():
                field = payload_nodes[0].name.value
                if field != root.query:
                    fields.append((name, "cursor" if field == "cursor" else Constant(root.payload_type)))
                    continue
                with self.collector.field_context(name, payload_nodes[0]):
                    answer, resolver_tree = self._plan_field(
                        self.schema.roots[root.query], root.query, payload_nodes, arguments
                    )
                fields.append((name, answer))
                children += [(name, resolver_tree)] if resolver_tree else []
        root_tree = ResolverTree(children=tuple(children)) if children else None
        custom_plan = self.planning.uses_search or (
            self.planning.rights.binding == "unit_subtree" and self.schema.roots[root.query].category == "list"
        )
        plan = Plan(((key, LivePayload(tuple(fields))),), tuple(self.planning.parameters), root_tree, custom_plan)
        return LiveRoot(key, plan, self.planning.time_dependent)

    def _plan_changes(self, key: str, nodes: Sequence[FieldNode], root: str) -> ChangesRoot:
        """A `changes` root has a plan of its own, because its messages are read by their positions."""
        with self.collector.field_context(key, nodes[0]):
            arguments = self.collector.arguments(nodes[0], root)
            inner = self.selector.independent()
            node, resolver_tree = plan_changes(inner, [field_node.selection_set for field_node in nodes], arguments)
            page = {"first": arguments["first"]} if arguments.get("first") else {}
            size, _ = page_size(inner.planning, page, nested=False)
            after = arguments.get("after")
        plan = Plan(((key, node),), tuple(inner.planning.parameters), resolver_tree, inner.planning.uses_search)
        return ChangesRoot(key, plan, after.source if isinstance(after, ArgumentValue) else None, size)

    def plan_mutation(self, selection_set: Any) -> list[MutationFieldPlan]:
        """The root fields of a mutation in order, each with a plan of its own, because each runs before the next is read."""
        field_plans = []
        for key, nodes in self.collector.fields([selection_set], "Mutation").items():
            name = nodes[0].name.value
            if name == "__typename":
                field_plans.append(MutationFieldPlan(key, nodes[0]))
                continue
            mutation = self.schema.mutations[name]
            with self.collector.field_context(key, nodes[0]):
                inner = self.selector.independent()
                node, resolver_tree = plan_payload(inner, mutation, [field_node.selection_set for field_node in nodes])
            root_tree = ResolverTree(children=((key, resolver_tree),)) if resolver_tree else None
            plan = Plan(((key, node),), tuple(inner.planning.parameters), root_tree, inner.planning.uses_search)
            field_plans.append(MutationFieldPlan(key, nodes[0], mutation, plan))
        return field_plans

    def _plan_root(self, key: str, nodes: Sequence[FieldNode]) -> tuple[RootNode, ResolverTree | None]:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant("Query"), None
        root = self.schema.roots.get(name)
        if root is None or root.category == "changes":
            return ResolvedInPython(), None
        with self.collector.field_context(key, nodes[0]):
            arguments = self.collector.arguments(nodes[0], "Query")
            return self._plan_field(root, name, nodes, arguments)

    def _plan_field(
        self, root: RootField, name: str, nodes: Sequence[FieldNode], arguments: dict[str, ArgumentTree]
    ) -> tuple[RootNode, ResolverTree | None]:
        selection_sets = [node.selection_set for node in nodes]
        if root.category in ("node", "node_as_of", "nodes"):
            single, past = root.category != "nodes", root.category == "node_as_of"
            return self._plan_by_ids(arguments, selection_sets, single=single, past=past)
        if root.group is not None:
            return plan_root_group(self.selector, root.group, selection_sets)
        assert root.entity is not None
        entity = self.planning.catalog.entities[root.entity.name]
        if root.category == "list":
            return self.selector.connection(entity, None, selection_sets, arguments, f"Query.{name}")
        if root.category == "groups":
            return plan_groups(self.collector, entity, selection_sets, arguments, f"Query.{name}"), None
        if root.category == "lookup":
            assert root.lookup is not None
            return self._plan_lookup(entity, root.lookup, selection_sets, arguments)
        key, as_of = (
            self.planning.key_parameter(required_value(arguments.get("id"), "id"), entity, "id"),
            self._as_of(arguments, "asOf"),
        )
        with self.planning.in_the_past(enabled=as_of is not None):
            selection, resolver_tree = self.selector.object_selection(entity, selection_sets)
        return RowById(entity, key, selection, as_of), resolver_tree

    def _as_of(self, arguments: dict[str, ArgumentTree], argument: str) -> Parameter | None:
        """The time at which a row is read; None for the present."""
        value = arguments.get(argument)
        return self.planning.past_timestamp_parameter(value, argument) if isinstance(value, ArgumentValue) else None

    def _plan_lookup(
        self, entity: CatalogEntity, lookup: Lookup, selection_sets: Sequence[Any], arguments: dict[str, ArgumentTree]
    ) -> tuple[RootNode, ResolverTree | None]:
        argument = next(iter(arguments))
        parts = cast(dict[str, ArgumentTree], arguments[argument])
        source = ObjectSource(
            tuple((name, part.source) for name, part in parts.items() if isinstance(part, ArgumentValue))
        )
        names = [name for name, _ in source.fields]
        parameters = tuple(
            (column.name, self.planning.parameter(sa.Text(), source, LookupCodec(argument, lookup, name)))
            for name, column in lookup.compared.items()
            if name in names
        )
        selection, resolver_tree = self.selector.object_selection(entity, selection_sets)
        return RowByLookup(entity, lookup, parameters, selection), resolver_tree

    def _plan_by_ids(
        self, arguments: dict[str, ArgumentTree], selection_sets: Sequence[Any], *, single: bool, past: bool
    ) -> tuple[RootNode, ResolverTree | None]:
        argument = "id" if single else "ids"
        value = required_value(arguments.get(argument), argument)

        source = ListSource((value.source,)) if single else value.source
        catalog = self.planning.catalog
        entities, types_described = (
            (catalog.with_past_rows, "no type with a history") if past else (catalog.with_rows, "no type")
        )
        prefixes = frozenset(entity.declaration.prefix for entity in entities)
        possible = self._entities_of_ids(value, entities)
        types = self.planning.parameter(ARRAY(sa.Text()), source, IdTypesCodec(argument, prefixes, types_described))
        codec = IdKeysCodec(argument, prefixes, types_described)
        keys = self.planning.parameter(ARRAY(sa.Uuid()), source, codec, names_rows=True)
        as_of = self._as_of(arguments, "at")
        with self.planning.in_the_past(enabled=as_of is not None):
            selections, resolver_tree = self.selector.object_selections(possible, selection_sets)
        return RowsByIds(types, keys, tuple(selections), single, as_of), resolver_tree

    def _entities_of_ids(self, value: ArgumentValue, entities: Sequence[CatalogEntity]) -> Sequence[CatalogEntity]:
        """The entities whose rows the ids may be: those of few types that the plan's key names, or all."""
        known = (self.planning.catalog.whole or self.planning.catalog).prefixes
        prefixes = id_prefixes(self.planning.reader.current_value(value), known) or ()
        few = [entity for entity in entities if entity.declaration.prefix in prefixes]
        return few or entities
