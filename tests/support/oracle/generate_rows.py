"""Draws what is selected of rows and of lists of rows, within a budget of rows that may be touched."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, is_required_argument

from hub.engine.catalog.catalog import CatalogEntity, upper_snake
from hub.model.declarations import FieldResolver, MergedConnection, ToMany, ToOne, UnionLink
from oracle.data import DataRecord
from oracle.generate import OperationDraw
from oracle.generate_fields import ResponseScope, SelectionGenerator
from oracle.generate_filters import FilterGenerator
from oracle.generate_lists import ListArgumentGenerator

MAX_DEPTH = 11
# Arguments of fields that Python resolves, by their type: numbers, and moments that every calendar covers.
ARGUMENT_VALUES: dict[str, tuple[Any, ...]] = {
    "Int": (0, 1, 3, 7, 100),
    "DateTime": ("2026-03-29T00:30:00Z", "2026-10-25T03:00:00+02:00", "2026-12-24T12:00:00.000001Z"),
    "Date": ("2026-03-29", "2026-12-25"),
    "String": ("A001", "A117"),  # codes of the rules of edge_rows.py
}


class RowSelectionGenerator:
    """Selections of rows for one operation."""

    def __init__(self, draw: OperationDraw) -> None:
        self.draw = draw
        self.fields = SelectionGenerator(draw)
        self.arguments = ListArgumentGenerator(draw, FilterGenerator(draw))

    def object_type(self, name: str) -> GraphQLObjectType:
        type_ = self.draw.schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        return type_

    def row_fields(
        self, entity: CatalogEntity, hint: DataRecord | None, budget: int, depth: int, scope: ResponseScope
    ) -> str:
        """What is selected of one row; `hint` is a row that may be the one."""
        type_ = self.object_type(entity.name)
        parts = self.fields.leaves(scope, type_, 1, 3)
        for name, resolver in entity.resolvers.items():
            if self.draw.chance(0.75) and budget >= 10:
                parts.append(self._resolver_field(entity, name, resolver, hint, budget, depth, scope))
        links = [
            pair
            for pair in entity.links.items()
            for _ in range(4 if isinstance(pair[1], MergedConnection | UnionLink) else 1)
        ]
        chosen = dict(self.draw.sample(links, 0, 3 if depth < 3 else 1 if depth < 7 else 0))
        budget //= max(1, len(chosen))
        for name, link in chosen.items():
            if depth < MAX_DEPTH and self.draw.spend(6):
                parts.extend(self._link(entity, name, link, hint, budget, depth, scope))
        self.draw.random.shuffle(parts)
        if self.draw.chance(0.3):
            parts.extend(self.fields.reused_fragment(scope, type_))
        if self.draw.chance(0.05, "fragment: on interface"):
            interfaces = [self.draw.schema.type_map[implemented.name] for implemented in type_.interfaces]
            interface = self.draw.pick(interfaces)
            assert isinstance(interface, GraphQLInterfaceType)
            parts.append(
                f"... on {interface.name} {self.fields.selection_set(self.fields.leaves(scope, interface, 1, 2))}"
            )
        return self.fields.selection_set(self.fields.wrap(type_, parts))

    def _resolver_field(
        self,
        entity: CatalogEntity,
        name: str,
        resolver: FieldResolver,
        hint: DataRecord | None,
        budget: int,
        depth: int,
        scope: ResponseScope,
    ) -> str:
        type_ = self.object_type(entity.name)
        arguments: dict[str, Any] = {}
        for argument, declared in type_.fields[name].args.items():
            if is_required_argument(declared) or self.draw.chance(0.9, "resolver: argument"):
                arguments[argument] = self.draw.pick(ARGUMENT_VALUES[get_named_type(declared.type).name])
        if resolver.returns is None:
            self.draw.record_features("resolver: value")
            return self.fields.field(scope, type_, name, arguments)
        self.draw.record_features("resolver: keys")
        target = self.draw.catalog.target(resolver.returns)
        below = partial(self.row_fields, target, None, budget // 10, depth + 1)
        return self.fields.field(scope, type_, name, arguments, below)

    def _link(
        self,
        entity: CatalogEntity,
        name: str,
        link: Any,
        hint: DataRecord | None,
        budget: int,
        depth: int,
        scope: ResponseScope,
    ) -> list[str]:
        type_ = self.object_type(entity.name)
        data = self.draw.data
        if isinstance(link, ToOne):
            target = self.draw.catalog.target(link.target)
            target_record = data.get(target.name, hint[link.by]) if hint else None
            self.draw.record_features("link: one")
            below = partial(self.row_fields, target, target_record, budget // 2, depth + 1)
            if self.draw.chance(0.12):
                return self.fields.repeated_field(scope, type_, name, None, [below, below])
            return [self.fields.field(scope, type_, name, None, below)]
        if isinstance(link, UnionLink):
            self.draw.record_features("union")
            return [self.fields.field(scope, type_, name, None, partial(self._union, link, hint, budget, depth + 1))]
        if isinstance(link, ToMany):
            target = self.draw.catalog.target(link.target)
            linked = data.linked(target.name, link.by, hint["id"]) if hint else []
            self.draw.record_features("link: many")
            return self.list_field(scope, type_, name, target, linked, min(budget, 30), depth, probability=0.4)
        entries = self._entries(link, hint)
        self.draw.record_features("timeline")
        arguments = self.arguments.timeline(link, entries, min(budget, 30))
        page = _page_size(arguments)
        below = partial(
            self.connection, f"{link.interface.name}Connection", partial(self._entry, link, budget // page), depth
        )
        return [self.fields.field(scope, type_, name, arguments, below)]

    def _entries(self, link: MergedConnection, hint: DataRecord | None) -> list[tuple[str, Any]]:
        entities = self.draw.catalog.implementing(link.interface.name)
        return [
            (upper_snake(entity.name), record[entity.declaration.implements[link.interface.name]])
            for entity in entities
            if hint
            for record in self.draw.data.linked(entity.name, link.by, hint["id"])
        ]

    def list_field(
        self,
        scope: ResponseScope,
        parent: GraphQLObjectType,
        name: str,
        target: CatalogEntity,
        rows: Sequence[DataRecord],
        budget: int,
        depth: int,
        probability: float,
    ) -> list[str]:
        """A list of rows with its arguments, once or several times over."""
        witness = self.draw.pick(rows) if rows else None
        times = 2 if self.draw.chance(0.1) else 1
        arguments = self.arguments.list_arguments(target, witness, budget // times, probability=probability)
        below = partial(
            self.connection,
            f"{target.name}Connection",
            partial(self.row_fields, target, witness, budget // times // _page_size(arguments)),
            depth,
        )
        if times > 1:
            return self.fields.repeated_field(scope, parent, name, arguments, [below, below])
        return [self.fields.field(scope, parent, name, arguments, below)]

    def connection(self, name: str, entry: Any, depth: int, scope: ResponseScope) -> str:
        """What is selected of a list: its rows, edges, page, count and figures; `entry` draws a row's selection."""
        type_ = self.object_type(name)
        parts = []
        if self.draw.chance(0.8):
            parts.append(self.fields.field(scope, type_, "nodes", None, partial(entry, depth + 2)))
        if self.draw.chance(0.25, "edges"):
            parts.append(self.fields.field(scope, type_, "edges", None, partial(self._edge, type_, entry, depth)))
        if self.draw.chance(0.3, "pageInfo"):
            info = self.object_type("PageInfo")
            parts.append(
                self.fields.field(
                    scope,
                    type_,
                    "pageInfo",
                    None,
                    lambda inner: self.fields.selection_set(self.fields.leaves(inner, info, 1, 4)),
                )
            )
        if self.draw.chance(0.35, "totalCount") or not parts:
            parts.append(self.fields.field(scope, type_, "totalCount"))
        if "stats" in type_.fields and self.draw.chance(0.25, "stats"):
            below = partial(self.stats, type_.fields["stats"].type.of_type)
            parts.append(self.fields.field(scope, type_, "stats", None, below))
        self.draw.random.shuffle(parts)
        return self.fields.selection_set(self.fields.wrap(type_, parts))

    def _edge(self, connection_type: GraphQLObjectType, entry: Any, depth: int, scope: ResponseScope) -> str:
        edge_type = self.object_type(connection_type.name.removesuffix("Connection") + "Edge")
        parts = [self.fields.field(scope, edge_type, "cursor")] if self.draw.chance(0.6) else []
        if not parts or self.draw.chance(0.7):
            parts.append(self.fields.field(scope, edge_type, "node", None, partial(entry, depth + 3)))
        return self.fields.selection_set(parts)

    def stats(self, type_: GraphQLObjectType, scope: ResponseScope) -> str:
        """Figures over a list or a group."""
        parts = []
        for name in self.draw.sample(list(type_.fields), 1, 3):
            self.draw.record_features(f"stats: {name}")
            field_type = type_.fields[name].type.of_type
            below = partial(self._aggregates, field_type) if isinstance(field_type, GraphQLObjectType) else None
            parts.append(self.fields.field(scope, type_, name, None, below))
        return self.fields.selection_set(parts)

    def _aggregates(self, type_: GraphQLObjectType, scope: ResponseScope) -> str:
        money = self.object_type("Money")
        parts = []
        for name in self.draw.sample(list(type_.fields), 1, 3):
            text = str(type_.fields[name].type)
            amounts = (
                (lambda inner: self.fields.selection_set(self.fields.leaves(inner, money, 1, 2)))
                if "Money" in text
                else None
            )
            parts.append(self.fields.field(scope, type_, name, None, amounts))
        return self.fields.selection_set(parts)

    def _union(self, link: UnionLink, hint: DataRecord | None, budget: int, depth: int, scope: ResponseScope) -> str:
        entities = [self.draw.catalog.target(target) for target in link.targets]
        return self._abstract([*entities, *entities[:1]] if self.draw.chance(0.3) else entities, budget, depth, scope)

    def _entry(self, link: MergedConnection, budget: int, depth: int, scope: ResponseScope) -> str:
        interface = self.draw.schema.type_map[link.interface.name]
        assert isinstance(interface, GraphQLInterfaceType)
        entities = self.draw.catalog.implementing(link.interface.name)
        shared = self.fields.leaves(scope, interface, 0, 2)
        return self._abstract(self.draw.sample(entities, 0 if shared else 1, 3), budget, depth, scope, shared)

    def node(self, entities: Sequence[CatalogEntity], budget: int, depth: int, scope: ResponseScope) -> str:
        """What is selected of a row whose type is not known."""
        interface = self.draw.schema.type_map["Node"]
        assert isinstance(interface, GraphQLInterfaceType)
        shared = self.fields.leaves(scope, interface, 0, 1)
        if self.draw.chance(0.2, "fragment: on interface"):
            other = self.draw.schema.type_map[self.draw.pick(list(self.draw.catalog.interfaces))]
            assert isinstance(other, GraphQLInterfaceType)
            shared.append(f"... on {other.name} {self.fields.selection_set(self.fields.leaves(scope, other, 1, 2))}")
        return self._abstract(entities, budget, depth, scope, shared)

    def _abstract(
        self,
        entities: Sequence[CatalogEntity],
        budget: int,
        depth: int,
        scope: ResponseScope,
        shared: Sequence[str] = (),
    ) -> str:
        self.draw.record_features("fragment: by type")
        parts = (
            [*shared, "__typename"]
            if scope.claim("__typename", "__typename: String") and self.draw.chance(0.4)
            else [*shared]
        )
        for entity in entities:
            text = self.row_fields(entity, None, budget, depth, scope)
            parts.append(self.fields.type_fragment(entity.name, [text.removeprefix("{ ").removesuffix(" }")]))
        return self.fields.selection_set(parts)


def _page_size(arguments: dict[str, Any]) -> int:
    """How many rows a list's page has at most, for the budget below it."""
    return max(1, arguments.get("first") or arguments.get("last") or 20)
