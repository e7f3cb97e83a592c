"""Draws what is selected of rows and of lists of rows, within a budget of rows that may be touched."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from graphql import GraphQLInterfaceType, GraphQLObjectType

from hub.engine.catalog.catalog import Row, shout
from hub.model.declarations import Many, Merged, One, OneOf, Resolved
from oracle.data import Record
from oracle.generate import Draw
from oracle.generate_fields import Fields, Scope
from oracle.generate_filters import Filters
from oracle.generate_lists import ListArguments

DEEPEST = 11


class Rows:
    """Selections of rows for one operation."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.fields = Fields(draw)
        self.arguments = ListArguments(draw, Filters(draw))

    def kind(self, name: str) -> GraphQLObjectType:
        found = self.draw.schema.type_map[name]
        assert isinstance(found, GraphQLObjectType)
        return found

    def row(self, row: Row, hint: Record | None, budget: int, depth: int, scope: Scope) -> str:
        """What is selected of one row; `hint` is a row that may be the one."""
        kind = self.kind(row.name)
        parts = self.fields.leaves(scope, kind, 1, 3)
        for name, how in row.resolved.items():
            if self.draw.chance(0.75) and budget >= 10:
                parts.append(self._resolved(row, name, how, hint, budget, depth, scope))
        links = [pair for pair in row.links.items() for _ in range(4 if isinstance(pair[1], Merged | OneOf) else 1)]
        chosen = dict(self.draw.some(links, 0, 3 if depth < 3 else 1 if depth < 7 else 0))
        budget //= max(1, len(chosen))
        for name, link in chosen.items():
            if depth < DEEPEST and self.draw.spend(6):
                parts.extend(self._link(row, name, link, hint, budget, depth, scope))
        self.draw.random.shuffle(parts)
        if self.draw.chance(0.3):
            parts.extend(self.fields.reused(scope, kind))
        if self.draw.chance(0.05, "fragment: on interface"):
            faces = [self.draw.schema.type_map[each.name] for each in kind.interfaces]
            face = self.draw.pick(faces)
            assert isinstance(face, GraphQLInterfaceType)
            parts.append(f"... on {face.name} {self.fields.set(self.fields.leaves(scope, face, 1, 2))}")
        return self.fields.set(self.fields.wrap(kind, parts))

    def _resolved(
        self, row: Row, name: str, how: Resolved, hint: Record | None, budget: int, depth: int, scope: Scope
    ) -> str:
        kind = self.kind(row.name)
        arguments: dict[str, Any] = {}
        for argument in kind.fields[name].args:
            if self.draw.chance(0.9, "resolver: argument"):
                arguments[argument] = self.draw.pick((0, 1, 3, 7, 100, -1))
        if how.keys is None:
            self.draw.use("resolver: value")
            return self.fields.field(scope, kind, name, arguments)
        self.draw.use("resolver: keys")
        target = self.draw.catalog.target(how.keys)
        below = partial(self.row, target, None, budget // 10, depth + 1)
        return self.fields.field(scope, kind, name, arguments, below)

    def _link(
        self, row: Row, name: str, link: Any, hint: Record | None, budget: int, depth: int, scope: Scope
    ) -> list[str]:
        kind = self.kind(row.name)
        data = self.draw.data
        if isinstance(link, One):
            target = self.draw.catalog.target(link.target)
            found = data.get(target.name, hint[link.by]) if hint else None
            self.draw.use("link: one")
            below = partial(self.row, target, found, budget // 2, depth + 1)
            if self.draw.chance(0.12):
                return self.fields.twice(scope, kind, name, None, [below, below])
            return [self.fields.field(scope, kind, name, None, below)]
        if isinstance(link, OneOf):
            self.draw.use("union")
            return [self.fields.field(scope, kind, name, None, partial(self._union, link, hint, budget, depth + 1))]
        if isinstance(link, Many):
            target = self.draw.catalog.target(link.target)
            linked = data.linked(target.name, link.by, hint["id"]) if hint else []
            self.draw.use("link: many")
            return self.list(scope, kind, name, target, linked, min(budget, 30), depth, often=0.4)
        entries = self._entries(link, hint)
        self.draw.use("timeline")
        arguments = self.arguments.timeline(link, entries, min(budget, 30))
        page = _size(arguments)
        below = partial(
            self.connection, f"{link.interface.name}Connection", partial(self._entry, link, budget // page), depth
        )
        return [self.fields.field(scope, kind, name, arguments, below)]

    def _entries(self, link: Merged, hint: Record | None) -> list[tuple[str, Any]]:
        rows = self.draw.catalog.implementing(link.interface.name)
        return [
            (shout(row.name), each[row.declaration.implements[link.interface.name]])
            for row in rows
            if hint
            for each in self.draw.data.linked(row.name, link.by, hint["id"])
        ]

    def list(
        self,
        scope: Scope,
        parent: GraphQLObjectType,
        name: str,
        target: Row,
        rows: Sequence[Record],
        budget: int,
        depth: int,
        often: float,
    ) -> list[str]:
        """A list of rows with its arguments, once or several times over."""
        witness = self.draw.pick(rows) if rows else None
        times = 2 if self.draw.chance(0.1) else 1
        arguments = self.arguments.of(target, witness, budget // times, often=often)
        below = partial(
            self.connection,
            f"{target.name}Connection",
            partial(self.row, target, witness, budget // times // _size(arguments)),
            depth,
        )
        if times > 1:
            return self.fields.twice(scope, parent, name, arguments, [below, below])
        return [self.fields.field(scope, parent, name, arguments, below)]

    def connection(self, name: str, entry: Any, depth: int, scope: Scope) -> str:
        """What is selected of a list: its rows, edges, page, count and figures; `entry` draws a row's selection."""
        kind = self.kind(name)
        parts = []
        if self.draw.chance(0.8):
            parts.append(self.fields.field(scope, kind, "nodes", None, partial(entry, depth + 2)))
        if self.draw.chance(0.25, "edges"):
            parts.append(self.fields.field(scope, kind, "edges", None, partial(self._edge, kind, entry, depth)))
        if self.draw.chance(0.3, "pageInfo"):
            info = self.kind("PageInfo")
            parts.append(
                self.fields.field(
                    scope, kind, "pageInfo", None, lambda inner: self.fields.set(self.fields.leaves(inner, info, 1, 4))
                )
            )
        if self.draw.chance(0.35, "totalCount") or not parts:
            parts.append(self.fields.field(scope, kind, "totalCount"))
        if "stats" in kind.fields and self.draw.chance(0.25, "stats"):
            below = partial(self.stats, kind.fields["stats"].type.of_type)
            parts.append(self.fields.field(scope, kind, "stats", None, below))
        self.draw.random.shuffle(parts)
        return self.fields.set(self.fields.wrap(kind, parts))

    def _edge(self, kind: GraphQLObjectType, entry: Any, depth: int, scope: Scope) -> str:
        edge = self.kind(kind.name.removesuffix("Connection") + "Edge")
        parts = [self.fields.field(scope, edge, "cursor")] if self.draw.chance(0.6) else []
        if not parts or self.draw.chance(0.7):
            parts.append(self.fields.field(scope, edge, "node", None, partial(entry, depth + 3)))
        return self.fields.set(parts)

    def stats(self, kind: GraphQLObjectType, scope: Scope) -> str:
        """Figures over a list or a group."""
        parts = []
        for name in self.draw.some(list(kind.fields), 1, 3):
            self.draw.use(f"stats: {name}")
            of = kind.fields[name].type.of_type
            below = partial(self._figures, of) if isinstance(of, GraphQLObjectType) else None
            parts.append(self.fields.field(scope, kind, name, None, below))
        return self.fields.set(parts)

    def _figures(self, kind: GraphQLObjectType, scope: Scope) -> str:
        money = self.kind("Money")
        parts = []
        for name in self.draw.some(list(kind.fields), 1, 3):
            text = str(kind.fields[name].type)
            amounts = (
                (lambda inner: self.fields.set(self.fields.leaves(inner, money, 1, 2))) if "Money" in text else None
            )
            parts.append(self.fields.field(scope, kind, name, None, amounts))
        return self.fields.set(parts)

    def _union(self, link: OneOf, hint: Record | None, budget: int, depth: int, scope: Scope) -> str:
        rows = [self.draw.catalog.target(each) for each in link.targets]
        return self._abstract([*rows, *rows[:1]] if self.draw.chance(0.3) else rows, budget, depth, scope)

    def _entry(self, link: Merged, budget: int, depth: int, scope: Scope) -> str:
        face = self.draw.schema.type_map[link.interface.name]
        assert isinstance(face, GraphQLInterfaceType)
        rows = self.draw.catalog.implementing(link.interface.name)
        shared = self.fields.leaves(scope, face, 0, 2)
        return self._abstract(self.draw.some(rows, 0 if shared else 1, 3), budget, depth, scope, shared)

    def node(self, rows: Sequence[Row], budget: int, depth: int, scope: Scope) -> str:
        """What is selected of a row whose type is not known."""
        face = self.draw.schema.type_map["Node"]
        assert isinstance(face, GraphQLInterfaceType)
        shared = self.fields.leaves(scope, face, 0, 1)
        if self.draw.chance(0.2, "fragment: on interface"):
            other = self.draw.schema.type_map[self.draw.pick(list(self.draw.catalog.interfaces))]
            assert isinstance(other, GraphQLInterfaceType)
            shared.append(f"... on {other.name} {self.fields.set(self.fields.leaves(scope, other, 1, 2))}")
        return self._abstract(rows, budget, depth, scope, shared)

    def _abstract(self, rows: Sequence[Row], budget: int, depth: int, scope: Scope, shared: Sequence[str] = ()) -> str:
        self.draw.use("fragment: by type")
        parts = (
            [*shared, "__typename"]
            if scope.claim("__typename", "__typename: String") and self.draw.chance(0.4)
            else [*shared]
        )
        for row in rows:
            text = self.row(row, None, budget, depth, scope)
            parts.append(self.fields.on(row.name, [text.removeprefix("{ ").removesuffix(" }")]))
        return self.fields.set(parts)


def _size(arguments: dict[str, Any]) -> int:
    """How many rows a list's page has at most, for the budget below it."""
    return max(1, arguments.get("first") or arguments.get("last") or 20)
