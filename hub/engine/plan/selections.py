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
from hub.engine.catalog.catalog import HISTORY, Row, shout
from hub.engine.graphql_types.schema_builder import Graph
from hub.engine.plan.arguments import Given, Leaf
from hub.engine.plan.context import Draft
from hub.engine.plan.filters import join_of, predicate
from hub.engine.plan.history import NodesOf, history
from hub.engine.plan.list_nodes import Order, SortColumn
from hub.engine.plan.nodes import (
    Constant,
    Edges,
    Either,
    Fill,
    Keyed,
    Listing,
    MergedListing,
    MergedSource,
    Money,
    Nodes,
    Null,
    PageInfo,
    Part,
    Plan,
    Read,
    Selected,
    Shape,
    Single,
    Splice,
    StatFigure,
    Stats,
    Total,
    Variant,
)
from hub.engine.plan.pagination import cursors, list_name, order, page_of, search
from hub.engine.plan.predicates import Join, Run
from hub.errors import BadInput, HubError
from hub.model.declarations import Many, Merged, One, OneOf, Resolved

Sets = Sequence[SelectionSetNode | None]
Fields = dict[str, list[FieldNode]]
HIDDEN = "$"  # begins the keys of hidden columns; no GraphQL name can
TYPE = HIDDEN + "type"


def place_of(node: FieldNode) -> tuple[tuple[int, int], ...]:
    """Line and column of a field, if the document was parsed with places."""
    if node.loc is None:
        return ()
    place = get_location(node.loc.source, node.loc.start)
    return ((place.line, place.column),)


class Selections:
    """Plans the selections of one operation."""

    def __init__(self, graph: Graph, draft: Draft, fragments: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
        self._graph = graph
        self.draft = draft
        self._fragments = fragments
        self._variables = variables
        self._path: list[str] = []
        self.searched = False

    @contextmanager
    def at(self, key: str, node: FieldNode) -> Iterator[None]:
        """Notes the path and the place of a field, for faults raised inside."""
        self._path.append(key)
        around, self.draft.place = self.draft.place, (tuple(self._path), place_of(node))
        try:
            yield
        except HubError as fault:
            if fault.path is None:
                fault.path, fault.locations = tuple(self._path), place_of(node)
            raise
        finally:
            self._path.pop()
            self.draft.place = around

    def arguments(self, node: FieldNode, type_name: str) -> dict[str, Given]:
        """What was given for a field's arguments."""
        of = cast(GraphQLObjectType, self._graph.core.type_map[type_name])
        return self.draft.read.arguments(node, of.fields[node.name.value].args)

    def fields(self, sets: Sets, type_name: str) -> Fields:
        """The fields selected on a concrete type, by response key, in order."""
        found: Fields = {}
        for each in sets:
            self._collect(each, type_name, found, set())
        return found

    def _collect(self, selection_set: SelectionSetNode | None, type_name: str, found: Fields, seen: set[str]) -> None:
        for node in selection_set.selections if selection_set else ():
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append(node)
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in seen:
                    continue
                seen.add(node.name.value)
                fragment = self._fragments[node.name.value]
            condition = fragment.type_condition
            if condition is None or self._applies(condition.name.value, type_name):
                self._collect(fragment.selection_set, type_name, found, seen)

    def _applies(self, condition: str, type_name: str) -> bool:
        if condition == type_name:
            return True
        of = self._graph.core.type_map[condition]
        concrete = cast(GraphQLObjectType, self._graph.core.type_map[type_name])
        return isinstance(of, GraphQLAbstractType) and self._graph.core.is_sub_type(of, concrete)

    def _included(self, node: Any) -> bool:
        for each in node.directives or ():
            if each.name.value in ("include", "skip"):
                condition = each.arguments[0].value
                value = (
                    self._variables[condition.name.value] if isinstance(condition, VariableNode) else condition.value
                )
                if bool(value) is (each.name.value == "skip"):
                    return False
        return True

    # -- objects --------------------------------------------------------------------------------------------------------

    def shape(self, row: Row, sets: Sets) -> tuple[Shape, Splice | None]:
        """The object over a row, and what Python fills into it."""
        fields: list[tuple[str, Selected]] = []
        fills: list[Fill] = []
        deeper: list[tuple[str, Splice]] = []
        hidden: dict[str, Read] = {}
        for key, nodes in self.fields(sets, row.name).items():
            name = nodes[0].name.value
            how = row.resolved.get(name)
            with self.at(key, nodes[0]):
                if self.draft.past and (name in row.links or name == HISTORY or (how and how.keys)):
                    fault = "a link cannot be read as it was; ask for the row as it is beside it."
                    raise BadInput(f"{name}: {fault}", code="AS_OF_LINK")
                if how is not None:
                    fills.append(self._fill(row, key, how, nodes, hidden))
                    fields.append((key, Null()))
                    continue
                selected, splice = self._field(row, nodes)
            fields.append((key, selected))
            if splice is not None:
                deeper.append((key, splice))
        fields += hidden.items()
        splice = Splice(tuple(fills), tuple(deeper)) if fills or deeper else None
        return Shape(tuple(fields)), splice

    def shapes(self, rows: Sequence[Row], sets: Sets) -> tuple[list[tuple[Row, Shape]], Splice | None]:
        """The objects over rows of several types, told apart by a hidden key when Python fills into one of them."""
        made = [(row, *self.shape(row, sets)) for row in rows]
        if not any(splice for _, _, splice in made):
            return [(row, shape) for row, shape, _ in made], None
        typed = [(row, Shape((*shape.fields, (TYPE, Constant(row.name))))) for row, shape, _ in made]
        return typed, Splice(by_type=tuple((row.name, splice or Splice()) for row, _, splice in made))

    def _field(self, row: Row, nodes: list[FieldNode]) -> tuple[Selected, Splice | None]:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(row.name), None
        if name == "id":
            return Read("id", scalars.ID, row.declaration.prefix), None
        column = row.columns.get(name)
        if column is not None:
            return Read(column.column.name, column.wire), None
        if name == HISTORY:
            return history(self, row, nodes)
        sets = [node.selection_set for node in nodes]
        match row.links.get(name):
            case One() as link:
                join = join_of(self.draft, row, link)
                shape, splice = self.shape(join.row, sets)
                return Single(join, shape), splice
            case OneOf() as link:
                return self._either(row, link, sets)
            case Many() as link:
                given = self.arguments(nodes[0], row.name)
                join = join_of(self.draft, row, link)
                return self.listing(join.row, join, sets, given, f"{row.name}.{name}")
            case Merged() as link:
                return self._merged(row, link, sets, self.arguments(nodes[0], row.name), f"{row.name}.{name}")
        at = next(at for interface, at in row.declaration.implements.items() if self._answers(interface, name))
        return Read(at, scalars.DATETIME), None

    def _answers(self, interface: str, field: str) -> bool:
        return self._graph.catalog.interfaces[interface].field == field

    def _either(self, row: Row, link: OneOf, sets: Sets) -> tuple[Selected, Splice | None]:
        ones = [One(target, by, link.description) for target, by in link.targets.items()]
        joins = [join_of(self.draft, row, one) for one in ones]
        shapes, splice = self.shapes([join.row for join in joins], sets)
        return Either(tuple(Single(join, shape) for join, (_, shape) in zip(joins, shapes, strict=True))), splice

    def _fill(self, row: Row, key: str, how: Resolved, nodes: list[FieldNode], hidden: dict[str, Read]) -> Fill:
        needs = []
        for need in how.needs:
            column = next(each for each in row.columns.values() if each.column.name == need)
            hidden[HIDDEN + need] = Read(need, column.wire)
            needs.append((need, HIDDEN + need))
        given = self.arguments(nodes[0], row.name)
        leaves = {name: part.fetch for name, part in given.items() if isinstance(part, Leaf)}

        def arguments(run: Run) -> Mapping[str, Any]:
            return {name: fetch(run.variables) for name, fetch in leaves.items()}

        keyed = None
        if how.keys is not None:
            target = self._graph.catalog.target(how.keys)
            keyed = self._keyed(target, [node.selection_set for node in nodes])
        kinds = tuple(hidden[HIDDEN + need].wire.name for need in how.needs)
        return Fill(key, how, tuple(needs), kinds, arguments, keyed)

    def apart(self) -> "Selections":
        """The same for a plan of its own."""
        return Selections(self._graph, self.draft.anew(), self._fragments, self._variables)

    def _keyed(self, row: Row, sets: Sets) -> Plan:
        inner = self.apart()
        shape, splice = inner.shape(row, sets)
        self.draft.timed |= inner.draft.timed
        keys = inner.draft.slot(ARRAY(sa.Uuid()), lambda run: run.keys)
        return Plan((("rows", Keyed(row, keys, shape)),), tuple(inner.draft.slots), splice, fresh=False)

    # -- lists ----------------------------------------------------------------------------------------------------------

    def listing(
        self, row: Row, join: Join | None, sets: Sets, given: dict[str, Given], field: str
    ) -> tuple[Listing, Splice | None]:
        """A connection over rows."""
        searching = search(self.draft, given.get("search"), "search")
        self.searched |= searching is not None
        where = predicate(self.draft, given.get("filter"), row, "filter")
        keys = order(self.draft, given.get("orderBy"), row, "orderBy", searched=searching is not None)
        name = list_name(field, keys, searching)
        page = page_of(self.draft, given, name, len(keys))
        parts, splice, uses_cursors = self.parts(row.name, sets, partial(self.shape, row), row)
        made = cursors(self.draft, name) if uses_cursors else None
        return Listing(row, join, where, searching, keys, page, made, parts), splice

    def parts(
        self, name: str, sets: Sets, nodes_of: NodesOf, row: Row | None = None
    ) -> tuple[tuple[tuple[str, Part], ...], Splice | None, bool]:
        """The parts of a connection, and whether they tell cursors; `name` is its node type, `row` what figures are over."""
        parts: list[tuple[str, Part]] = []
        deeper: list[tuple[str, Splice]] = []
        uses_cursors = False
        for key, nodes in self.fields(sets, f"{name}Connection").items():
            inner = [node.selection_set for node in nodes]
            splice: Splice | None = None
            with self.at(key, nodes[0]):
                match nodes[0].name.value:
                    case "__typename":
                        part: Part = Constant(f"{name}Connection")
                    case "totalCount":
                        part = Total()
                    case "stats":
                        assert row is not None
                        part = self.stats(row, inner)
                    case "pageInfo":
                        part = self._page_info(inner)
                        uses_cursors |= any(fact in ("startCursor", "endCursor") for _, fact in part.fields)
                    case "nodes":
                        shape, splice = nodes_of(inner)
                        part = Nodes(shape)
                    case _:
                        part, splice = self._edges(name, inner, nodes_of)
                        uses_cursors |= any(value == "cursor" for _, value in part.fields)
            parts.append((key, part))
            if splice is not None:
                deeper.append((key, splice))
        return tuple(parts), Splice(deeper=tuple(deeper)) if deeper else None, uses_cursors

    def _edges(self, name: str, sets: Sets, nodes_of: NodesOf) -> tuple[Edges, Splice | None]:
        fields: list[tuple[str, Any]] = []
        deeper: list[tuple[str, Splice]] = []
        for key, nodes in self.fields(sets, f"{name}Edge").items():
            match nodes[0].name.value:
                case "__typename":
                    fields.append((key, Constant(f"{name}Edge")))
                case "cursor":
                    fields.append((key, "cursor"))
                case _:
                    with self.at(key, nodes[0]):
                        shape, splice = nodes_of([node.selection_set for node in nodes])
                    fields.append((key, shape))
                    if splice is not None:
                        deeper.append((key, splice))
        return Edges(tuple(fields)), Splice(deeper=tuple(deeper)) if deeper else None

    def _page_info(self, sets: Sets) -> PageInfo:
        fields = self.fields(sets, "PageInfo").items()
        names = ((key, nodes[0].name.value) for key, nodes in fields)
        return PageInfo(tuple((key, Constant("PageInfo") if name == "__typename" else name) for key, name in names))

    def stats(self, row: Row, sets: Sets) -> Stats:
        """The figures over a list or a group."""
        fields: list[tuple[str, Constant | Total | StatFigure | Stats]] = []
        for key, nodes in self.fields(sets, f"{row.name}Stats").items():
            name = nodes[0].name.value
            if name == "__typename":
                fields.append((key, Constant(f"{row.name}Stats")))
            elif name == "count":
                fields.append((key, Total()))
            else:
                fields.append((key, self._figures(row, name, [node.selection_set for node in nodes])))
        return Stats(tuple(fields))

    def _figures(self, row: Row, function: Any, sets: Sets) -> Stats:
        name = row.name + {"sum": "Sums", "avg": "Averages"}.get(function, "Extremes")
        fields: list[tuple[str, Constant | Total | StatFigure | Stats]] = []
        for key, nodes in self.fields(sets, name).items():
            field = nodes[0].name.value
            if field == "__typename":
                fields.append((key, Constant(name)))
                continue
            column = row.columns[field]
            money = self._money([node.selection_set for node in nodes]) if column.wire.money else None
            fields.append((key, StatFigure(function, column, money)))
        return Stats(tuple(fields))

    def _money(self, sets: Sets) -> Money:
        names = ((key, nodes[0].name.value) for key, nodes in self.fields(sets, "Money").items())
        return Money(tuple((key, Constant("Money") if name == "__typename" else name) for key, name in names))

    def _merged(
        self, row: Row, link: Merged, sets: Sets, given: dict[str, Given], field: str
    ) -> tuple[MergedListing, Splice | None]:
        interface = link.interface.name
        wanted = given.get("types")
        types = {each.known for each in wanted if isinstance(each, Leaf)} if isinstance(wanted, list) else None
        rows = [
            each for each in self._graph.catalog.implementing(interface) if types is None or shout(each.name) in types
        ]
        keys = (Order(SortColumn("at", None), "desc"), Order("id", "desc"))
        name = list_name(field, keys, None)
        page = page_of(self.draft, given, name, len(keys))
        shapes: list[list[tuple[Row, Shape]]] = []

        def nodes_of(inner: Sets) -> tuple[Variant, Splice | None]:
            made, splice = self.shapes(rows, inner)
            shapes.append(made)
            return Variant(len(shapes) - 1), splice

        parts, splice, uses_cursors = self.parts(interface, sets, nodes_of)
        sources = tuple(
            MergedSource(each, each.declaration.implements[interface], tuple(made[at][1] for made in shapes))
            for at, each in enumerate(rows)
        )
        since, until = (
            self.draft.value(scalars.DATETIME, part, argument)
            if isinstance(part := given.get(argument), Leaf)
            else None
            for argument in ("since", "until")
        )
        made = cursors(self.draft, name) if uses_cursors else None
        return MergedListing(link.by, sources, since, until, page, made, parts, self.draft.imaged), splice
