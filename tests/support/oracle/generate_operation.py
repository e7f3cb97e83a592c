"""Draws whole operations: the n-th of a seed is always the same, whatever came before it."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

from graphql import FragmentDefinitionNode, GraphQLObjectType, GraphQLSchema, OperationDefinitionNode

from hub.engine.catalog.catalog import Row, camel
from hub.engine.document.cost import Tariff
from hub.engine.document.limits import Limits
from hub.engine.graphql_types.schema_builder import Graph, Root
from hub.model.declarations import Many, Merged
from oracle.data import Data, Record, public
from oracle.generate import Draw
from oracle.generate_fields import Scope
from oracle.generate_lists import found_by
from oracle.generate_rows import Rows
from oracle.mistakes import mistaken
from oracle.script import Operation, Step, Taken, read

MISTAKES = 0.07
PAGED = 0.18
BUDGET = 240
DEAREST = 2_500
MOST_STEPS = 5
# How much may be written: links cost 6, conditions 4.
ROOM = 78
# Where a paged list's arguments and selection are put.
ARGUMENTS, SELECTION = "@ARGUMENTS@", "@SELECTION@"


class Generator:
    """Operations over the rows that a viewer sees."""

    def __init__(self, graph: Graph, schema: GraphQLSchema, data: Data, at: datetime, seed: str) -> None:
        self.graph = graph
        self.schema = schema
        self.data = data
        self.at = at
        self.seed = seed
        self._tariff = Tariff(graph.core, Limits())

    def operation(self, number: int) -> Operation:
        """The operation of this number: the first of its draws that does not cost too much."""
        label = f"{self.seed}:{number}"
        drawn = (self._drawn(label, f"{label} {attempt}") for attempt in count())
        return next(each for each in drawn if all(self._cost(step) <= DEAREST for step in each.steps))

    def _cost(self, step: Step) -> int:
        """What the engine will take the operation to cost."""
        document = read(step.filled([None] * MOST_STEPS).query)
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        return max(self._tariff.price(each, fragments).evaluate(step.variables) for each in operations)

    def _drawn(self, label: str, seed: str) -> Operation:
        draw = Draw(seed, self.schema, self.data, self.at)
        if draw.chance(MISTAKES, "mistake"):
            steps = mistaken(draw, self.graph)
        elif draw.chance(PAGED, "page: by cursor"):
            steps = _Paged(draw, self.graph).steps()
        else:
            steps = [_Roots(draw, self.graph).step()]
        return Operation(label, tuple(steps), frozenset(draw.features))


class _Roots:
    """One document of one to four root fields."""

    def __init__(self, draw: Draw, graph: Graph) -> None:
        self.draw = draw
        self.graph = graph
        self.rows = Rows(draw)
        assert draw.schema.query_type is not None
        self.query: GraphQLObjectType = draw.schema.query_type
        self.scope = Scope()

    def step(self) -> Step:
        count = self.draw.pick((1, 1, 1, 2, 2, 3))
        if count > 1:
            self.draw.use("several roots")
        self.draw.left = ROOM // count
        parts: list[str] = []
        for _ in range(count):
            parts.extend(self._root(BUDGET // count))
            self.draw.left += ROOM // count
        if self.draw.chance(0.08, "__typename"):
            parts.append(self.rows.fields.field(self.scope, self.query, "__typename"))
        return document(self.draw, self.rows.fields.wrap(self.query, parts))

    def _root(self, budget: int) -> list[str]:
        kinds = {"list": 0.5, "groups": 0.16, "one": 0.14, "found_by": 0.07, "node": 0.08, "nodes": 0.09}
        [wanted] = self.draw.random.choices(list(kinds), list(kinds.values()))
        roots = [pair for pair in self.graph.roots.items() if pair[1].kind == wanted and self._can_be_found(pair[1])]
        roots = roots or [pair for pair in self.graph.roots.items() if pair[1].kind == "list"]
        name, root = self.draw.pick([pair for pair in roots for _ in range(self._weight(pair[1].row))])
        self.draw.use(f"root: {root.kind}")
        if root.row is None:
            return [self._node(name, root, budget)]
        rows = self.draw.data.rows[root.row.name]
        if root.kind == "list":
            return self.rows.list(self.scope, self.query, name, root.row, rows, budget, 0, often=0.75)
        witness = self.draw.pick(rows) if rows else None
        if root.kind == "groups":
            arguments = self.rows.arguments.groups(root.row, witness)
            return [self.rows.fields.field(self.scope, self.query, name, arguments, partial(self._groups, root.row))]
        if root.kind == "one":
            arguments = {"id": public(self.draw.data, witness) if witness else _nobody(self.draw, root.row)}
        else:
            given = found_by(self.draw, root.row, witness)
            arguments = {camel(key): value for key, value in given.items()}
        return [self._one(name, root.row, arguments, witness, budget)]

    def _weight(self, row: Row | None) -> int:
        """How often a type is asked for: those that have what others lack come more often."""
        if row is None:
            return 1
        links = [self.draw.catalog.target(link.target) for link in row.links.values() if isinstance(link, Many)]
        figures = any(each.wire.number for target in links for each in target.aggregable)
        json = any(each.wire.name == "JSON" for each in row.columns.values())
        return 2 + 2 * json + bool(row.declaration.search) + figures

    def _can_be_found(self, root: Root) -> bool:
        found_by = root.found_by
        return found_by is None or bool(self.draw.data.rows[self.draw.data.of_table(found_by.table)])

    def _one(self, name: str, row: Row, arguments: dict[str, Any], hint: Record | None, budget: int) -> str:
        below = partial(self.rows.row, row, hint, budget, 1)
        return self.rows.fields.field(self.scope, self.query, name, arguments, below)

    def _node(self, name: str, root: Root, budget: int) -> str:
        rows = self.draw.some(list(self.graph.catalog.rows.values()), 1, 3)
        ids = []
        for row in [*rows, self.draw.pick(list(self.graph.catalog.rows.values()))]:
            found = self.draw.data.rows[row.name]
            missing = not found or self.draw.chance(0.1)
            ids.append(_nobody(self.draw, row) if missing else public(self.draw.data, self.draw.pick(found)))
        if root.kind == "node":
            below = partial(self.rows.node, rows, budget, 1)
            return self.rows.fields.field(self.scope, self.query, name, {"id": ids[0]}, below)
        ids += ids[:1] * self.draw.chance(0.3)
        below = partial(self.rows.node, rows, budget // len(ids), 1)
        return self.rows.fields.field(self.scope, self.query, name, {"ids": ids}, below)

    def _groups(self, row: Row, scope: Scope) -> str:
        fields, kind = self.rows.fields, self.rows.kind(f"{row.name}Groups")
        parts = [fields.field(scope, kind, "totalCount")] if self.draw.chance(0.4) else []
        parts.append(fields.field(scope, kind, "nodes", None, partial(self._group, row)))
        return fields.set(parts)

    def _group(self, row: Row, scope: Scope) -> str:
        fields, kind, key = self.rows.fields, self.rows.kind(f"{row.name}Group"), self.rows.kind(f"{row.name}GroupKey")
        stats = partial(self.rows.stats, self.rows.kind(f"{row.name}Stats"))
        parts = [
            fields.field(scope, kind, "key", None, lambda inner: fields.set(fields.leaves(inner, key, 2, 6))),
            fields.field(scope, kind, "stats", None, stats),
        ]
        return fields.set(parts)


class _Paged:
    """One list, read page by page in both directions, with cursors as variables or as literals."""

    def __init__(self, draw: Draw, graph: Graph) -> None:
        self.draw = draw
        self.roots = _Roots(draw, graph)
        self.rows = self.roots.rows

    def steps(self) -> list[Step]:
        path, parts = self._list()
        info = "pageInfo { startCursor endCursor hasNextPage hasPreviousPage } edges { cursor node { id } }"
        turns = self._turns(path)
        literal = self.draw.chance(0.5, "cursor: literal")
        if not literal:
            self.draw.use("cursor: variable")
            kinds = {"first": "Int", "last": "Int", "after": "Cursor", "before": "Cursor"}
            names = {name: self.draw.declare(kind, None, given=False) for name, kind in kinds.items()}
            text = ", ".join(f"{name}: {variable}" for name, variable in names.items())
            made = document(self.draw, [_put(parts, text, info)])
            plain = {variable: name for name, variable in ((n, v[1:]) for n, v in names.items())}
            return [
                Step(made.query, made.variables | {v: turn.get(n) for v, n in plain.items()}, made.name)
                for turn in turns
            ]
        steps = []
        for turn in turns:
            taken = [value for value in turn.values() if isinstance(value, Taken)]
            text = ", ".join(
                f"{name}: " + (f"@@{taken.index(value)}@@" if isinstance(value, Taken) else str(value))
                for name, value in turn.items()
            )
            made = document(self.draw, [_put(parts, text, info)])
            steps.append(Step(made.query, made.variables, made.name, tuple(taken)))
        return steps

    def _turns(self, path: tuple[str, ...]) -> list[dict[str, Any]]:
        """Page arguments, one set a step; each later one begins where an earlier one was."""
        turns: list[dict[str, Any]] = [{self.draw.pick(("first", "first", "last")): self.draw.random.randint(2, 7)}]
        for step in range(self.draw.random.randint(1, 3)):
            cursors = [Taken(step, (*path, "pageInfo", "endCursor")), Taken(step, (*path, "pageInfo", "startCursor"))]
            cursors.append(
                Taken(self.draw.random.randint(0, step), (*path, "edges", self.draw.random.randint(0, 3), "cursor"))
            )
            turn: dict[str, Any] = {self.draw.pick(("first", "last")): self.draw.random.randint(1, 6)}
            if turns[-1].get("last"):
                cursors.reverse()
            [where] = self.draw.random.choices(("after", "before", "both"), (5, 4, 1))
            self.draw.use(*(["page: after"] * (where != "before") + ["page: before"] * (where != "after")))
            if where != "before":
                turn["after"] = self.draw.pick((cursors[0], cursors[0], *cursors))
            if where != "after":
                turn["before"] = self.draw.pick((cursors[1], *cursors))
            turns.append(turn)
        return turns

    def _list(self) -> tuple[tuple[str, ...], str]:
        """Where the list stands in the answer, and its field with marks where arguments and selection go."""
        name, root = self.draw.pick(
            [(name, root) for name, root in self.roots.graph.roots.items() if root.kind == "list"]
        )
        assert root.row is not None
        row, rows = root.row, self.draw.data.rows[root.row.name]
        links = [(each, link) for each, link in row.links.items() if isinstance(link, Many | Merged)]
        if not links or self.draw.chance(0.6) or not rows:
            return (name,), self._field(self.roots.query, name, row, rows)
        owner = max(self.draw.some(rows, 1, 6), key=lambda each: self._linked(links, each))
        link_name, link = max(links, key=lambda pair: self._linked([pair], owner) * self.draw.random.random())
        parent = self.rows.kind(row.name)
        single = row.name[0].lower() + row.name[1:]
        if isinstance(link, Merged):
            field = f"{link_name}({ARGUMENTS}) {{ totalCount {SELECTION} }}"
            self.draw.use("timeline")
        else:
            target = self.draw.catalog.target(link.target)
            linked = self.draw.data.linked(target.name, link.by, owner["id"])
            field = self._field(parent, link_name, target, linked)
        return (single, link_name), f'{single}(id: "{public(self.draw.data, owner)}") {{ {field} }}'

    def _linked(self, links: Sequence[tuple[str, Any]], owner: Record) -> int:
        total = 0
        for _, link in links:
            catalog = self.draw.catalog
            merged = isinstance(link, Merged)
            targets = catalog.implementing(link.interface.name) if merged else [catalog.target(link.target)]
            total += sum(len(self.draw.data.linked(each.name, link.by, owner["id"])) for each in targets)
        return total

    def _field(self, parent: GraphQLObjectType, name: str, row: Row, rows: Sequence[Record]) -> str:
        given = self.rows.arguments.of(row, self.draw.pick(rows) if rows else None, 10, often=0.4)
        given = {key: value for key, value in given.items() if key not in ("first", "last")}
        # Of a filter, only what leaves several rows is worth paging through.
        if "filter" in given and rows:
            test = self.draw.conditions.on(row, given["filter"])
            if sum(map(test, rows)) < 3:
                del given["filter"]
        arguments = [
            f"{key}: {self.draw.write(value, parent.fields[name].args[key].type)}" for key, value in given.items()
        ]
        scope = Scope({key: ("", Scope()) for key in ("id", "edges", "pageInfo")})
        entry = partial(self.rows.row, row, None, 20, 3)
        below = self.rows.fields.field(scope, self.rows.kind(f"{row.name}Connection"), "nodes", None, entry)
        return f"{name}({', '.join([*arguments, ARGUMENTS])}) {{ {below} {SELECTION} }}"


def _put(text: str, arguments: str, selection: str) -> str:
    return text.replace(ARGUMENTS, arguments).replace(SELECTION, selection)


def _nobody(draw: Draw, row: Row) -> str:
    """A well-formed id that no row has."""
    return f"{row.declaration.prefix}_{UUID(int=draw.random.getrandbits(128)).hex}"


def document(draw: Draw, parts: Sequence[str]) -> Step:
    """The operation with its fragments, named or not, alone or beside another."""
    name = "Asked" if draw.chance(0.3, "operation: named") else None
    fragments = list(draw.fragments)
    draw.random.shuffle(fragments)
    texts = [f"{draw.header(name)} {{ {' '.join(parts)} }}", *fragments]
    if name and draw.chance(0.4, "operation: one of several"):
        texts.insert(0, "query Other { __typename }")
    elif name:
        name = name if draw.chance(0.5) else None
    return Step("\n".join(texts), dict(draw.variables), name)
