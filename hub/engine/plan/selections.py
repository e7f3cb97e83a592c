"""Plans selections: objects, links, connections, merged lists, and the fields that resolvers fill in.

fields.py collects the selected fields; the catalog says what each of them is."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import sqlalchemy as sa
from graphql import (
    FieldNode,
)
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import HISTORY, CatalogEntity, camel_case, upper_snake
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue
from hub.engine.plan.connections import plan_connection_parts
from hub.engine.plan.fields import HIDDEN_PREFIX, TYPENAME_KEY, FieldCollector, SelectionSets
from hub.engine.plan.filters import plan_filter, plan_join
from hub.engine.plan.history import plan_history
from hub.engine.plan.list_nodes import SortColumn, SortTerm
from hub.engine.plan.nodes import (
    CellSelection,
    ColumnSelection,
    ConnectionPlan,
    Constant,
    MergedConnectionPlan,
    MergedSourcePlan,
    ObjectSelection,
    Plan,
    ResolvedInPython,
    ResolverField,
    ResolverTree,
    RowsByKeys,
    SelectionIndex,
    SelectionPlan,
    ToOneSelection,
    UnionSelection,
)
from hub.engine.plan.pagination import cursor_signing, list_signature, plan_order, plan_page, plan_search
from hub.engine.plan.parameters import ConditionSelection, ExpressionSelection, ObjectSource, Runtime
from hub.engine.plan.predicates import And, Join
from hub.errors import BadInput
from hub.model import scopes
from hub.model.declarations import (
    FieldResolver,
    FilteredList,
    LinkGroup,
    MergedConnection,
    ToMany,
    ToOne,
    UnionLink,
    parameter_name,
)

HiddenSelection: TypeAlias = ColumnSelection | ExpressionSelection | ConditionSelection  # what resolvers read


class SelectionPlanner:
    """Plans the selections of one plan."""

    def __init__(self, collector: FieldCollector) -> None:
        self.collector = collector
        self.planning = collector.planning
        self._catalog = collector.schema.catalog

    # -- objects --------------------------------------------------------------------------------------------------------

    def object_selection(
        self, entity: CatalogEntity, selection_sets: SelectionSets
    ) -> tuple[ObjectSelection, ResolverTree | None]:
        """The object over a row, and the resolver fields in it; raises AS_OF_LINK."""
        fields: list[tuple[str, SelectionPlan]] = []
        resolver_fields: list[ResolverField] = []
        children: list[tuple[str, ResolverTree]] = []
        hidden: dict[str, HiddenSelection] = {}
        for key, nodes in self.collector.fields(selection_sets, entity.name).items():
            name = nodes[0].name.value
            resolver = entity.resolvers.get(name)
            with self.collector.field_context(key, nodes[0]):
                is_link = name in entity.links or name in entity.groups or name == HISTORY
                if self.planning.as_of and (is_link or (resolver and resolver.returns)):
                    problem = "a link cannot be read as it was in the past; select the present row beside it."
                    raise BadInput(f"{name}: {problem}", code="AS_OF_LINK")
                if resolver is not None:
                    resolver_fields.append(self._resolver_field(entity, key, resolver, nodes, hidden))
                    fields.append((key, ResolvedInPython()))
                    continue
                selected, resolver_tree = self._field(entity, nodes)
            fields.append((key, selected))
            if resolver_tree is not None:
                children.append((key, resolver_tree))
        fields += hidden.items()
        resolver_tree = ResolverTree(tuple(resolver_fields), tuple(children)) if resolver_fields or children else None
        return ObjectSelection(tuple(fields)), resolver_tree

    def object_selections(
        self, entities: Sequence[CatalogEntity], selection_sets: SelectionSets
    ) -> tuple[list[tuple[CatalogEntity, ObjectSelection]], ResolverTree | None]:
        """The objects over rows of several types; a hidden key distinguishes them when one of them has resolver fields."""
        planned = [(entity, *self.object_selection(entity, selection_sets)) for entity in entities]
        if not any(resolver_tree for _, _, resolver_tree in planned):
            return [(entity, selection) for entity, selection, _ in planned], None
        with_type_key = [
            (entity, ObjectSelection((*selection.fields, (TYPENAME_KEY, Constant(entity.name)))))
            for entity, selection, _ in planned
        ]
        return with_type_key, ResolverTree(
            by_type=tuple((entity.name, resolver_tree or ResolverTree()) for entity, _, resolver_tree in planned)
        )

    def _field(self, entity: CatalogEntity, nodes: list[FieldNode]) -> tuple[SelectionPlan, ResolverTree | None]:
        """A field; one that not every rule of the viewer's roles shows as it is becomes a cell."""
        selected, resolver_tree = self._whole_field(entity, nodes)
        cell = entity.cells.get(nodes[0].name.value)
        return (selected if cell is None else CellSelection(cell, selected)), resolver_tree

    def _whole_field(self, entity: CatalogEntity, nodes: list[FieldNode]) -> tuple[SelectionPlan, ResolverTree | None]:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(entity.name), None
        if name == "id":
            return ColumnSelection("id", scalars.ID, entity.declaration.prefix), None
        column = entity.columns.get(name)
        if column is not None:
            return ColumnSelection(column.column.name, column.scalar), None
        if name == HISTORY:
            return plan_history(self.collector, entity, nodes, self.object_selection)
        selection_sets = [node.selection_set for node in nodes]
        if name in entity.groups:
            return self._group(entity, entity.groups[name], selection_sets)
        match entity.links.get(name):
            case ToOne() as link:
                join = plan_join(self.planning, entity, link)
                selection, resolver_tree = self.object_selection(join.entity, selection_sets)
                return ToOneSelection(join, selection), resolver_tree
            case UnionLink() as link:
                return self._union(entity, link, selection_sets)
            case ToMany() as link:
                arguments = self.collector.arguments(nodes[0], entity.name)
                join = plan_join(self.planning, entity, link)
                return self.connection(join.entity, join, selection_sets, arguments, f"{entity.name}.{name}")
            case MergedConnection() as link:
                return self._merged_connection(
                    entity,
                    link,
                    selection_sets,
                    self.collector.arguments(nodes[0], entity.name),
                    f"{entity.name}.{name}",
                )
        column_name = next(
            column_name
            for interface, column_name in entity.declaration.implements.items()
            if self._is_interface_field(interface, name) and entity.shows_interface(interface)
        )
        return ColumnSelection(column_name, scalars.DATETIME), None

    def _is_interface_field(self, interface: str, field: str) -> bool:
        return self._catalog.interfaces[interface].field == field

    def _union(
        self, entity: CatalogEntity, link: UnionLink, selection_sets: SelectionSets
    ) -> tuple[SelectionPlan, ResolverTree | None]:
        links = [ToOne(target, by, link.description) for target, by in link.targets.items()]
        joins = [plan_join(self.planning, entity, to_one) for to_one in links]
        selections, resolver_tree = self.object_selections([join.entity for join in joins], selection_sets)
        return UnionSelection(
            tuple(ToOneSelection(join, selection) for join, (_, selection) in zip(joins, selections, strict=True)),
            link.type_column,
        ), resolver_tree

    def _group(
        self, entity: CatalogEntity, group: LinkGroup, selection_sets: SelectionSets
    ) -> tuple[SelectionPlan, ResolverTree | None]:
        """The lists of a group, each narrowed by its own filter beside the caller's."""
        lists = {camel_case(name): filtered for name, filtered in group.lists.items()}
        fields: list[tuple[str, SelectionPlan]] = []
        children: list[tuple[str, ResolverTree]] = []
        for key, nodes in self.collector.fields(selection_sets, group.name).items():
            name = nodes[0].name.value
            if name == "__typename":
                fields.append((key, Constant(group.name)))
                continue
            with self.collector.field_context(key, nodes[0]):
                connection, resolver_tree = self._filtered_list(entity, group.name, lists[name], nodes)
            fields.append((key, connection))
            children += [(key, resolver_tree)] if resolver_tree else []
        return ObjectSelection(tuple(fields)), ResolverTree(children=tuple(children)) if children else None

    def _filtered_list(
        self, entity: CatalogEntity, group: str, filtered: FilteredList, nodes: list[FieldNode]
    ) -> tuple[ConnectionPlan, ResolverTree | None]:
        link = entity.links[camel_case(filtered.link)]
        assert isinstance(link, ToMany)
        join = plan_join(self.planning, entity, link)
        connection, resolver_tree = self.connection(
            join.entity,
            join,
            [node.selection_set for node in nodes],
            self.collector.arguments(nodes[0], group),
            f"{group}.{nodes[0].name.value}",
        )
        filter_type = self.collector.schema.core.type_map[f"{join.entity.name}Filter"]
        tree = self.planning.reader.literal(filtered.filter, filter_type)
        own = plan_filter(self.planning, tree, join.entity, "filter")
        return replace(connection, where=And((connection.where, own))), resolver_tree

    def _resolver_field(
        self,
        entity: CatalogEntity,
        key: str,
        resolver: FieldResolver,
        nodes: list[FieldNode],
        hidden: dict[str, HiddenSelection],
    ) -> ResolverField:
        needs, scalar_names = self._resolver_inputs(entity, resolver, hidden)
        self.planning.time_dependent |= resolver.takes_now
        trees = self.collector.arguments(nodes[0], entity.name)
        sources = (
            (parameter_name(name), part.source) for name, part in trees.items() if isinstance(part, ArgumentValue)
        )
        arguments = ObjectSource(tuple(sources))
        rows_plan = None
        if resolver.returns is not None:
            target = self._catalog.target(resolver.returns)
            rows_plan = self._rows_by_keys(target, [node.selection_set for node in nodes])
        return ResolverField(key, resolver, tuple(needs), tuple(scalar_names), arguments, rows_plan)

    def _resolver_inputs(
        self, entity: CatalogEntity, resolver: FieldResolver, hidden: dict[str, HiddenSelection]
    ) -> tuple[list[tuple[str, str]], list[str]]:
        """What a resolver receives of the row: its parameters with the hidden keys that hold them, and their scalars."""
        needs: list[tuple[str, str]] = []
        scalar_names: list[str] = []
        for need in resolver.needs:
            column = next(candidate for candidate in entity.columns.values() if candidate.column.name == need)
            hidden[HIDDEN_PREFIX + need] = ColumnSelection(need, column.scalar)
            needs.append((need, HIDDEN_PREFIX + need))
            scalar_names.append(column.scalar.name)
        for name, expression in resolver.expressions:
            now = self.planning.parameter(scalars.DATETIME.sql_type, Runtime("now"))
            hidden_key = f"{HIDDEN_PREFIX}{len(hidden)}"
            hidden[hidden_key] = ExpressionSelection(expression, now)
            needs.append((name, hidden_key))
            scalar_names.append("Float")
            self.planning.time_dependent = True
        for name, condition in resolver.conditions:
            if condition(entity.table, self.planning.rights) is not None:
                hidden_key = f"{HIDDEN_PREFIX}{len(hidden)}"
                hidden[hidden_key] = ConditionSelection(condition)
                needs.append((name, hidden_key))
                scalar_names.append("Boolean")
        return needs, scalar_names

    def independent(self) -> "SelectionPlanner":
        """A planner of the same operation for a separate plan."""
        return SelectionPlanner(self.collector.independent())

    def _rows_by_keys(self, entity: CatalogEntity, selection_sets: SelectionSets) -> Plan:
        inner = self.independent()
        selection, resolver_tree = inner.object_selection(entity, selection_sets)
        self.planning.time_dependent |= inner.planning.time_dependent
        keys = inner.planning.parameter(ARRAY(sa.Uuid()), Runtime("keys"))
        return Plan(
            (("rows", RowsByKeys(entity, keys, selection)),),
            tuple(inner.planning.parameters),
            resolver_tree,
            custom_plan=False,
        )

    # -- lists ----------------------------------------------------------------------------------------------------------

    def connection(
        self,
        entity: CatalogEntity,
        join: Join | None,
        selection_sets: SelectionSets,
        arguments: dict[str, ArgumentTree],
        field: str,
        *,
        nested: bool | None = None,
    ) -> tuple[ConnectionPlan, ResolverTree | None]:
        """A connection over rows; without a join it is a root's, unless it is `nested`."""
        search_terms = plan_search(self.planning, arguments.get("search"), entity, "search")
        where = plan_filter(self.planning, arguments.get("filter"), entity, "filter")
        keys = plan_order(
            self.planning, arguments.get("orderBy"), entity, "orderBy", uses_search=search_terms is not None
        )
        signature = list_signature(field, keys, search_terms)
        is_nested = join is not None if nested is None else nested
        page = plan_page(self.planning, arguments, signature, len(keys), nested=is_nested)
        parts, resolver_tree, uses_cursors = plan_connection_parts(
            self.collector, entity.name, selection_sets, partial(self.object_selection, entity), entity
        )
        signing = cursor_signing(self.planning, signature) if uses_cursors else None
        minimum = self.planning.limits.group if entity.aggregate_only else 0
        return ConnectionPlan(entity, join, where, search_terms, keys, page, signing, parts, minimum), resolver_tree

    def _merged_connection(
        self,
        entity: CatalogEntity,
        link: MergedConnection,
        selection_sets: SelectionSets,
        arguments: dict[str, ArgumentTree],
        field: str,
    ) -> tuple[MergedConnectionPlan, ResolverTree | None]:
        interface = link.interface.name
        type_values = arguments.get("types")
        types = (
            {value.plan_value for value in type_values if isinstance(value, ArgumentValue)}
            if isinstance(type_values, list)
            else None
        )
        entities = [
            member
            for member in self._catalog.implementing(interface)
            if types is None or upper_snake(member.name) in types
        ]
        keys = (SortTerm(SortColumn("at", None), "desc"), SortTerm("id", "desc"))
        signature = list_signature(field, keys, None)
        page = plan_page(self.planning, arguments, signature, len(keys))
        selections: list[list[tuple[CatalogEntity, ObjectSelection]]] = []

        def plan_node(inner: SelectionSets) -> tuple[SelectionIndex, ResolverTree | None]:
            variants, resolver_tree = self.object_selections(entities, inner)
            selections.append(variants)
            return SelectionIndex(len(selections) - 1), resolver_tree

        parts, resolver_tree, uses_cursors = plan_connection_parts(self.collector, interface, selection_sets, plan_node)
        sources = tuple(
            MergedSourcePlan(
                member,
                member.declaration.implements[interface],
                tuple(variants[index][1] for variants in selections),
                self.planning.below_image or scopes.hides_rows_of_customers(member.table, self.planning.rights),
            )
            for index, member in enumerate(entities)
        )
        since, until = (
            self.planning.value_parameter(scalars.DATETIME, part, argument)
            if isinstance(part := arguments.get(argument), ArgumentValue)
            else None
            for argument in ("since", "until")
        )
        signing = cursor_signing(self.planning, signature) if uses_cursors else None
        return MergedConnectionPlan(link.by, sources, since, until, page, signing, parts), resolver_tree
