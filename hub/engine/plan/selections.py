"""Plans selections: objects, links, connections, statistics, merged lists, and where Python must fill in.

Fields are collected as GraphQL says (fragments, @include, @skip, merged selections); what a field is, the catalog says."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLObjectType,
    SelectionSetNode,
    VariableNode,
    get_location,
)
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import HISTORY, CatalogEntity, upper_snake
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue
from hub.engine.plan.context import PlanningContext
from hub.engine.plan.filters import plan_filter, plan_join
from hub.engine.plan.history import NodePlanner, SelectionSets, plan_history
from hub.engine.plan.list_nodes import SortColumn, SortTerm
from hub.engine.plan.nodes import (
    Aggregate,
    ColumnSelection,
    ConnectionPart,
    ConnectionPlan,
    Constant,
    Edges,
    MergedConnectionPlan,
    MergedSourcePlan,
    MoneyByCurrency,
    Nodes,
    ObjectSelection,
    PageInfoPlan,
    Plan,
    ResolvedInPython,
    ResolverField,
    ResolverTree,
    RowsByKeys,
    SelectionIndex,
    SelectionPlan,
    Stats,
    ToOneSelection,
    TotalCount,
    UnionSelection,
)
from hub.engine.plan.pagination import cursor_signing, list_signature, plan_order, plan_page, plan_search
from hub.engine.plan.predicates import ExecutionContext, Join
from hub.errors import BadInput, HubError
from hub.model.declarations import FieldResolver, MergedConnection, ToMany, ToOne, UnionLink

CollectedFields = dict[str, list[FieldNode]]
HIDDEN_PREFIX = "$"  # begins the keys of hidden columns; no GraphQL name can
TYPENAME_KEY = HIDDEN_PREFIX + "type"


def source_location(node: FieldNode) -> tuple[tuple[int, int], ...]:
    """Line and column of a field, if the document was parsed with places."""
    if node.loc is None:
        return ()
    location = get_location(node.loc.source, node.loc.start)
    return ((location.line, location.column),)


class SelectionPlanner:
    """Plans the selections of one operation."""

    def __init__(
        self, schema: Schema, planning: PlanningContext, fragments: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> None:
        self._schema = schema
        self.planning = planning
        self._fragments = fragments
        self._variables = variables
        self._path: list[str] = []
        self.uses_search = False

    @contextmanager
    def field_context(self, key: str, node: FieldNode) -> Iterator[None]:
        """Notes the path and the place of a field, for faults raised inside."""
        self._path.append(key)
        previous, self.planning.source_location = (
            self.planning.source_location,
            (tuple(self._path), source_location(node)),
        )
        try:
            yield
        except HubError as error:
            if error.path is None:
                error.path, error.locations = tuple(self._path), source_location(node)
            raise
        finally:
            self._path.pop()
            self.planning.source_location = previous

    def arguments(self, node: FieldNode, type_name: str) -> dict[str, ArgumentTree]:
        """What was given for a field's arguments."""
        type_ = cast(GraphQLObjectType, self._schema.core.type_map[type_name])
        return self.planning.reader.arguments(node, type_.fields[node.name.value].args)

    def fields(self, selection_sets: SelectionSets, type_name: str) -> CollectedFields:
        """The fields selected on a concrete type, by response key, in order."""
        collected: CollectedFields = {}
        for selection_set in selection_sets:
            self._collect(selection_set, type_name, collected, set())
        return collected

    def _collect(
        self,
        selection_set: SelectionSetNode | None,
        type_name: str,
        collected: CollectedFields,
        visited_fragments: set[str],
    ) -> None:
        for node in selection_set.selections if selection_set else ():
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                collected.setdefault((node.alias or node.name).value, []).append(node)
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in visited_fragments:
                    continue
                visited_fragments.add(node.name.value)
                fragment = self._fragments[node.name.value]
            condition = fragment.type_condition
            if condition is None or self._applies(condition.name.value, type_name):
                self._collect(fragment.selection_set, type_name, collected, visited_fragments)

    def _applies(self, condition: str, type_name: str) -> bool:
        if condition == type_name:
            return True
        type_ = self._schema.core.type_map[condition]
        concrete = cast(GraphQLObjectType, self._schema.core.type_map[type_name])
        return isinstance(type_, GraphQLAbstractType) and self._schema.core.is_sub_type(type_, concrete)

    def _included(self, node: Any) -> bool:
        for directive in node.directives or ():
            if directive.name.value in ("include", "skip"):
                condition = directive.arguments[0].value
                value = (
                    self._variables[condition.name.value] if isinstance(condition, VariableNode) else condition.value
                )
                if bool(value) is (directive.name.value == "skip"):
                    return False
        return True

    # -- objects --------------------------------------------------------------------------------------------------------

    def object_selection(
        self, entity: CatalogEntity, selection_sets: SelectionSets
    ) -> tuple[ObjectSelection, ResolverTree | None]:
        """The object over a row, and what Python fills into it."""
        fields: list[tuple[str, SelectionPlan]] = []
        resolver_fields: list[ResolverField] = []
        children: list[tuple[str, ResolverTree]] = []
        hidden: dict[str, ColumnSelection] = {}
        for key, nodes in self.fields(selection_sets, entity.name).items():
            name = nodes[0].name.value
            resolver = entity.resolvers.get(name)
            with self.field_context(key, nodes[0]):
                if self.planning.as_of and (name in entity.links or name == HISTORY or (resolver and resolver.returns)):
                    problem = "a link cannot be read as it was; ask for the row as it is beside it."
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
        """The objects over rows of several types, told apart by a hidden key when Python fills into one of them."""
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
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(entity.name), None
        if name == "id":
            return ColumnSelection("id", scalars.ID, entity.declaration.prefix), None
        column = entity.columns.get(name)
        if column is not None:
            return ColumnSelection(column.column.name, column.scalar), None
        if name == HISTORY:
            return plan_history(self, entity, nodes)
        selection_sets = [node.selection_set for node in nodes]
        match entity.links.get(name):
            case ToOne() as link:
                join = plan_join(self.planning, entity, link)
                selection, resolver_tree = self.object_selection(join.entity, selection_sets)
                return ToOneSelection(join, selection), resolver_tree
            case UnionLink() as link:
                return self._union(entity, link, selection_sets)
            case ToMany() as link:
                arguments = self.arguments(nodes[0], entity.name)
                join = plan_join(self.planning, entity, link)
                return self.connection(join.entity, join, selection_sets, arguments, f"{entity.name}.{name}")
            case MergedConnection() as link:
                return self._merged_connection(
                    entity, link, selection_sets, self.arguments(nodes[0], entity.name), f"{entity.name}.{name}"
                )
        column_name = next(
            column_name
            for interface, column_name in entity.declaration.implements.items()
            if self._is_interface_field(interface, name)
        )
        return ColumnSelection(column_name, scalars.DATETIME), None

    def _is_interface_field(self, interface: str, field: str) -> bool:
        return self._schema.catalog.interfaces[interface].field == field

    def _union(
        self, entity: CatalogEntity, link: UnionLink, selection_sets: SelectionSets
    ) -> tuple[SelectionPlan, ResolverTree | None]:
        links = [ToOne(target, by, link.description) for target, by in link.targets.items()]
        joins = [plan_join(self.planning, entity, to_one) for to_one in links]
        selections, resolver_tree = self.object_selections([join.entity for join in joins], selection_sets)
        return UnionSelection(
            tuple(ToOneSelection(join, selection) for join, (_, selection) in zip(joins, selections, strict=True))
        ), resolver_tree

    def _resolver_field(
        self,
        entity: CatalogEntity,
        key: str,
        resolver: FieldResolver,
        nodes: list[FieldNode],
        hidden: dict[str, ColumnSelection],
    ) -> ResolverField:
        needs = []
        for need in resolver.needs:
            column = next(candidate for candidate in entity.columns.values() if candidate.column.name == need)
            hidden[HIDDEN_PREFIX + need] = ColumnSelection(need, column.scalar)
            needs.append((need, HIDDEN_PREFIX + need))
        trees = self.arguments(nodes[0], entity.name)
        sources = {name: part.source for name, part in trees.items() if isinstance(part, ArgumentValue)}

        def arguments(context: ExecutionContext) -> Mapping[str, Any]:
            return {name: source(context.variables) for name, source in sources.items()}

        rows_plan = None
        if resolver.returns is not None:
            target = self._schema.catalog.target(resolver.returns)
            rows_plan = self._rows_by_keys(target, [node.selection_set for node in nodes])
        scalar_names = tuple(hidden[HIDDEN_PREFIX + need].scalar.name for need in resolver.needs)
        return ResolverField(key, resolver, tuple(needs), scalar_names, arguments, rows_plan)

    def independent(self) -> "SelectionPlanner":
        """The same for a plan of its own."""
        return SelectionPlanner(self._schema, self.planning.child(), self._fragments, self._variables)

    def _rows_by_keys(self, entity: CatalogEntity, selection_sets: SelectionSets) -> Plan:
        inner = self.independent()
        selection, resolver_tree = inner.object_selection(entity, selection_sets)
        self.planning.time_dependent |= inner.planning.time_dependent
        keys = inner.planning.parameter(ARRAY(sa.Uuid()), lambda context: context.keys)
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
    ) -> tuple[ConnectionPlan, ResolverTree | None]:
        """A connection over rows."""
        search_terms = plan_search(self.planning, arguments.get("search"), "search")
        self.uses_search |= search_terms is not None
        where = plan_filter(self.planning, arguments.get("filter"), entity, "filter")
        keys = plan_order(
            self.planning, arguments.get("orderBy"), entity, "orderBy", uses_search=search_terms is not None
        )
        signature = list_signature(field, keys, search_terms)
        page = plan_page(self.planning, arguments, signature, len(keys))
        parts, resolver_tree, uses_cursors = self.connection_parts(
            entity.name, selection_sets, partial(self.object_selection, entity), entity
        )
        signing = cursor_signing(self.planning, signature) if uses_cursors else None
        return ConnectionPlan(entity, join, where, search_terms, keys, page, signing, parts), resolver_tree

    def connection_parts(
        self, name: str, selection_sets: SelectionSets, nodes_of: NodePlanner, entity: CatalogEntity | None = None
    ) -> tuple[tuple[tuple[str, ConnectionPart], ...], ResolverTree | None, bool]:
        """The parts of a connection, and whether they hold cursors; `name` is its node type, `entity` that of aggregates."""
        parts: list[tuple[str, ConnectionPart]] = []
        children: list[tuple[str, ResolverTree]] = []
        uses_cursors = False
        for key, nodes in self.fields(selection_sets, f"{name}Connection").items():
            inner = [node.selection_set for node in nodes]
            resolver_tree: ResolverTree | None = None
            with self.field_context(key, nodes[0]):
                match nodes[0].name.value:
                    case "__typename":
                        part: ConnectionPart = Constant(f"{name}Connection")
                    case "totalCount":
                        part = TotalCount()
                    case "stats":
                        assert entity is not None
                        part = self.stats(entity, inner)
                    case "pageInfo":
                        part = self._page_info(inner)
                        uses_cursors |= any(fact in ("startCursor", "endCursor") for _, fact in part.fields)
                    case "nodes":
                        selection, resolver_tree = nodes_of(inner)
                        part = Nodes(selection)
                    case _:
                        part, resolver_tree = self._edges(name, inner, nodes_of)
                        uses_cursors |= any(value == "cursor" for _, value in part.fields)
            parts.append((key, part))
            if resolver_tree is not None:
                children.append((key, resolver_tree))
        return tuple(parts), ResolverTree(children=tuple(children)) if children else None, uses_cursors

    def _edges(
        self, name: str, selection_sets: SelectionSets, nodes_of: NodePlanner
    ) -> tuple[Edges, ResolverTree | None]:
        fields: list[tuple[str, Any]] = []
        children: list[tuple[str, ResolverTree]] = []
        for key, nodes in self.fields(selection_sets, f"{name}Edge").items():
            match nodes[0].name.value:
                case "__typename":
                    fields.append((key, Constant(f"{name}Edge")))
                case "cursor":
                    fields.append((key, "cursor"))
                case _:
                    with self.field_context(key, nodes[0]):
                        selection, resolver_tree = nodes_of([node.selection_set for node in nodes])
                    fields.append((key, selection))
                    if resolver_tree is not None:
                        children.append((key, resolver_tree))
        return Edges(tuple(fields)), ResolverTree(children=tuple(children)) if children else None

    def _page_info(self, selection_sets: SelectionSets) -> PageInfoPlan:
        fields = self.fields(selection_sets, "PageInfo").items()
        names = ((key, nodes[0].name.value) for key, nodes in fields)
        return PageInfoPlan(tuple((key, Constant("PageInfo") if name == "__typename" else name) for key, name in names))

    def stats(self, entity: CatalogEntity, selection_sets: SelectionSets) -> Stats:
        """The aggregates over a list or a group."""
        fields: list[tuple[str, Constant | TotalCount | Aggregate | Stats]] = []
        for key, nodes in self.fields(selection_sets, f"{entity.name}Stats").items():
            name = nodes[0].name.value
            if name == "__typename":
                fields.append((key, Constant(f"{entity.name}Stats")))
            elif name == "count":
                fields.append((key, TotalCount()))
            else:
                fields.append((key, self._aggregates(entity, name, [node.selection_set for node in nodes])))
        return Stats(tuple(fields))

    def _aggregates(self, entity: CatalogEntity, function: Any, selection_sets: SelectionSets) -> Stats:
        name = entity.name + {"sum": "Sums", "avg": "Averages"}.get(function, "Extremes")
        fields: list[tuple[str, Constant | TotalCount | Aggregate | Stats]] = []
        for key, nodes in self.fields(selection_sets, name).items():
            field = nodes[0].name.value
            if field == "__typename":
                fields.append((key, Constant(name)))
                continue
            column = entity.columns[field]
            money = self._money([node.selection_set for node in nodes]) if column.scalar.is_money else None
            fields.append((key, Aggregate(function, column, money)))
        return Stats(tuple(fields))

    def _money(self, selection_sets: SelectionSets) -> MoneyByCurrency:
        names = ((key, nodes[0].name.value) for key, nodes in self.fields(selection_sets, "Money").items())
        return MoneyByCurrency(tuple((key, Constant("Money") if name == "__typename" else name) for key, name in names))

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
            for member in self._schema.catalog.implementing(interface)
            if types is None or upper_snake(member.name) in types
        ]
        keys = (SortTerm(SortColumn("at", None), "desc"), SortTerm("id", "desc"))
        signature = list_signature(field, keys, None)
        page = plan_page(self.planning, arguments, signature, len(keys))
        selections: list[list[tuple[CatalogEntity, ObjectSelection]]] = []

        def nodes_of(inner: SelectionSets) -> tuple[SelectionIndex, ResolverTree | None]:
            variants, resolver_tree = self.object_selections(entities, inner)
            selections.append(variants)
            return SelectionIndex(len(selections) - 1), resolver_tree

        parts, resolver_tree, uses_cursors = self.connection_parts(interface, selection_sets, nodes_of)
        sources = tuple(
            MergedSourcePlan(
                member,
                member.declaration.implements[interface],
                tuple(variants[index][1] for variants in selections),
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
        return MergedConnectionPlan(
            link.by, sources, since, until, page, signing, parts, self.planning.below_image
        ), resolver_tree
