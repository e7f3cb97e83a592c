"""Operations over all of a schema, made from its declarations: every root, link, figure, order, group, search and node.

Meant for bound keys: wherever a hidden row could show, be counted, found, summed or sorted by, one of these looks."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from hub.engine.catalog.catalog import Column, Row
from hub.engine.graphql_types.inputs import groupable
from hub.model.declarations import Many, One, OneOf
from hub.viewer import Viewer
from oracle.data import Data, Record, public, values_of
from oracle.executor import Oracle
from oracle.script import Operation, Step, Taken
from oracle.values import moment_text

TOGETHER = 4
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } }"


def walk(oracle: Oracle, viewer: Viewer, at: datetime, seed: str) -> Iterator[Operation]:
    """All operations for a viewer, each with a label that says what it looks at."""
    yield from _Walk(oracle, viewer, seed).operations()


class _Walk:
    def __init__(self, oracle: Oracle, viewer: Viewer, seed: str) -> None:
        self.every: Data = oracle.data
        self.seen: Data = oracle.data.seen_by(viewer)
        self.catalog = oracle.graph.catalog
        self.schema = oracle.schema
        self.chance = random.Random(f"{seed} walk")

    def operations(self) -> Iterator[Operation]:
        for row in self.catalog.rows.values():
            yield from self._lists(row)
            for name in row.links:
                yield from self._link(row, name)
            yield from self._together(f"{row.name} filters", list(self._filters(row)))
            yield from self._together(f"{row.name} orders", list(self._orders(row)))
            yield from self._together(f"{row.name} groups", list(self._groups(row)))
            yield from self._together(f"{row.name} roots", list(self._roots(row)))
        yield from self._together("nodes", list(self._nodes()))

    def _together(self, label: str, fields: Sequence[str]) -> Iterator[Operation]:
        """Root fields, a few to a document."""
        for start in range(0, len(fields), TOGETHER):
            parts = [f"r{place}: {each}" for place, each in enumerate(fields[start : start + TOGETHER])]
            yield Operation(f"{label} {start}", (Step("{ " + " ".join(parts) + " }"),))

    # -- selections -----------------------------------------------------------------------------------------------------

    def _leaves(self, row: Row) -> str:
        """Every field of a row that is no link, resolver fields too."""
        parts = ["__typename"]
        for name, each in self._kind(row.name).fields.items():
            if is_leaf_type(get_named_type(each.type)):
                parts.append(name)
            elif name in row.resolved:
                parts.append(f"{name} {{ id }}")
        return " ".join(parts)

    def _kind(self, name: str) -> GraphQLObjectType:
        found = self.schema.type_map[name]
        assert isinstance(found, GraphQLObjectType)
        return found

    def _stats(self, row: Row) -> str:
        """All figures."""
        parts = []
        for name, each in self._kind(f"{row.name}Stats").fields.items():
            of = get_named_type(each.type)
            if isinstance(of, GraphQLObjectType):
                inner = (f"{n} {{ amount currency }}" if "Money" in str(f.type) else n for n, f in of.fields.items())
                parts.append(f"{name} {{ {' '.join(inner)} }}")
            else:
                parts.append(name)
        return "stats { " + " ".join(parts) + " }"

    def _below(self, row: Row, name: str, size: int, deep: bool) -> str:
        """A link with what shows whether its target was seen; `deep` takes all leaves."""
        link = row.links[name]
        if isinstance(link, One):
            target = self.catalog.target(link.target)
            return f"{name} {{ {self._leaves(target) if deep else 'id'} }}"
        if isinstance(link, Many):
            target = self.catalog.target(link.target)
            leaves = self._leaves(target) if deep and size <= 5 else "id"
            return f"{name}(first: {size}) {{ totalCount nodes {{ {leaves} }} {self._stats(target) if deep else ''} }}"
        if isinstance(link, OneOf):
            targets = [self.catalog.target(each) for each in link.targets]
            return f"{name} {{ __typename {' '.join(f'... on {each.name} {{ id }}' for each in targets)} }}"
        targets = self.catalog.implementing(link.interface.name)
        inner = " ".join(f"... on {each.name} {{ version }}" for each in targets)
        return f"{name}(first: {size}) {{ totalCount {PAGE} nodes {{ __typename id {link.interface.field} {inner} }} }}"

    # -- lists and links ------------------------------------------------------------------------------------------------

    def _lists(self, row: Row) -> Iterator[Operation]:
        plural, leaves = row.declaration.plural, self._leaves(row)
        whole = f"totalCount {self._stats(row)} {PAGE} nodes {{ {leaves} }}"
        yield from self._together(f"{row.name} list", [f"{plural}(first: 100) {{ {whole} }}"])
        yield from self._together(f"{row.name} list", [f"{plural}(last: 100) {{ {whole} }}"])
        shown = "nodes { id } pageInfo { endCursor hasNextPage }"
        query = f"query($after: Cursor) {{ {plural}(first: 40, after: $after) {{ {shown} }} }}"
        steps = [Step(query, {})]
        steps += [Step(query, {"after": Taken(page, (plural, "pageInfo", "endCursor"))}) for page in range(3)]
        yield Operation(f"{row.name} pages", tuple(steps))

    def _link(self, row: Row, name: str) -> Iterator[Operation]:
        plural, link = row.declaration.plural, row.links[name]
        single = isinstance(link, One | OneOf)
        for way in ("first", "last") if single else ("first",):
            size = 100 if single else 25
            yield from self._together(
                f"{row.name}.{name}",
                [f"{plural}({way}: {size}) {{ nodes {{ id {self._below(row, name, 5, deep=True)} }} }}"],
            )
        if isinstance(link, One | Many):
            target = self.catalog.target(link.target)
            for further in target.links:
                below = self._below(target, further, 5, deep=False)
                inner = f"{name} {{ id {below} }}" if single else f"{name}(first: 5) {{ nodes {{ id {below} }} }}"
                order = self._busiest(row, name, link)
                size = 40 if single else 10
                yield from self._together(
                    f"{row.name}.{name}.{further}", [f"{plural}(first: {size}{order}) {{ nodes {{ id {inner} }} }}"]
                )

    def _busiest(self, row: Row, name: str, link: One | Many) -> str:
        return f", orderBy: [{{{name}: {{by: COUNT}}, direction: DESC}}]" if isinstance(link, Many) else ""

    # -- filters --------------------------------------------------------------------------------------------------------

    def _found(self, row: Row, condition: str) -> str:
        return f"{row.declaration.plural}(first: 30, filter: {condition}) {{ totalCount nodes {{ id }} }}"

    def _filters(self, row: Row) -> Iterator[str]:
        yield self._found(row, self._since(row))
        for name, link in row.links.items():
            if isinstance(link, One):
                target = self.catalog.target(link.target)
                yield from (self._found(row, f"{{{name}: {each}}}") for each in ("{}", self._since(target)))
                yield self._found(row, f"{{not: {{{name}: {{}}}}}}")
                yield from (self._found(row, f"{{{name}: {each}}}") for each in self._nested(target))
            elif isinstance(link, Many):
                target = self.catalog.target(link.target)
                since = self._since(target)
                for each in ("some: {}", "none: {}", f"some: {since}", f"none: {since}", f"every: {since}"):
                    yield self._found(row, f"{{{name}: {{{each}}}}}")
                yield from (self._found(row, f"{{{name}: {{some: {each}}}}}") for each in self._nested(target))
                yield from (self._found(row, f"{{{name}: {{{each}}}}}") for each in self._figures(row, target, link))

    def _since(self, row: Row) -> str:
        """A condition that about half of the rows meet, hidden ones too."""
        moments = sorted(values_of(self.every.rows[row.name], "created_at"))
        middle = moments[len(moments) // 2] if moments else datetime(1970, 1, 1, tzinfo=UTC)
        return f'{{createdAt: {{gte: "{moment_text(middle)}"}}}}'

    def _nested(self, row: Row) -> Iterator[str]:
        for name, link in row.links.items():
            if isinstance(link, One):
                yield f"{{{name}: {{}}}}"
            elif isinstance(link, Many):
                yield f"{{{name}: {{some: {{}}}}}}"

    def _figures(self, row: Row, target: Row, link: Many) -> Iterator[str]:
        """Conditions on figures that hold for some owner when hidden rows are left out, or when they are not."""
        for data in (self.seen, self.every):
            owners = [each for each in self.seen.rows[row.name] if data.linked(target.name, link.by, each["id"])]
            if not owners:
                continue
            linked = data.linked(target.name, link.by, self.chance.choice(owners)["id"])
            yield f"count: {{eq: {len(linked)}}}"
            yield f"where: {self._since(target)}, count: {{lt: {len(linked)}}}"
            for column in target.aggregable:
                yield from self._figure(target, column, linked)

    def _figure(self, target: Row, column: Column, linked: Sequence[Record]) -> Iterator[str]:
        values = values_of(linked, column.column.name)
        if not values:
            return
        money = f", currency: {json.dumps(linked[0]['currency'])}" if column.wire.money else ""
        for function in ("sum", "avg", "min", "max") if column.wire.number else ("min", "max"):
            of = {"min": min(values), "max": max(values)}.get(function) or sum(values)
            of = of / len(values) if function == "avg" else of
            yield f"{function}: {{{column.name}: {{gte: {self._literal(of, column)}}}{money}}}"

    def _literal(self, value: Any, column: Column) -> str:
        if column.wire.number:
            return json.dumps(f"{value:.4f}")
        return json.dumps(moment_text(value) if isinstance(value, datetime) else value.isoformat())

    # -- orders, groups, roots ------------------------------------------------------------------------------------------

    def _orders(self, row: Row) -> Iterator[str]:
        keys = [f"field: {each}" for each in row.sort_keys]
        for name, link in row.links.items():
            if isinstance(link, Many):
                keys.append(f"{name}: {{by: COUNT}}")
                keys.append(f"{name}: {{by: COUNT, where: {self._since(self.catalog.target(link.target))}}}")
                for column in self.catalog.target(link.target).aggregable:
                    money = ', currency: "USD"' if column.wire.money else ""
                    for function in ("SUM", "AVG", "MIN", "MAX") if column.wire.number else ("MIN", "MAX"):
                        keys.append(f"{name}: {{by: {function}, field: {column.column.name.upper()}{money}}}")
        for key in keys:
            yield f"{row.declaration.plural}(first: 30, orderBy: [{{{key}, direction: DESC}}]) {{ nodes {{ id }} }}"

    def _groups(self, row: Row) -> Iterator[str]:
        for place, column in enumerate(groupable(row)):
            figures = f"key {{ {column.name} }} {'stats { count }' if place else self._stats(row)}"
            bucket = ", bucket: MONTH" if column.wire.time else ""
            by = f"by: [{{field: {column.column.name.upper()}{bucket}}}]"
            yield f"{row.declaration.plural}Grouped({by}, first: 15) {{ totalCount nodes {{ {figures} }} }}"
        conditions = [f"{{{name}: {{}}}}" for name, link in row.links.items() if isinstance(link, One | Many)]
        field = groupable(row)[0].column.name.upper()
        for condition in [*self._nested(row), *conditions]:
            yield (
                f"{row.declaration.plural}Grouped(by: [{{field: {field}}}], filter: {condition}, orderBy: COUNT)"
                " { totalCount nodes { stats { count } } }"
            )

    def _some(self, data: Data, name: str, count: int) -> list[Record]:
        rows = data.rows[name]
        return self.chance.sample(rows, min(count, len(rows)))

    def _roots(self, row: Row) -> Iterator[str]:
        single = row.name[0].lower() + row.name[1:]
        for each in [*self._some(self.seen, row.name, 2), *self._some(self.every, row.name, 4)]:
            yield f'{single}(id: "{public(self.every, each)}") {{ {self._leaves(row)} }}'
        if row.declaration.search:
            for each in [*self._some(self.seen, row.name, 3), *self._some(self.every, row.name, 6)]:
                words = each["search_text"].split()
                query = json.dumps(self.chance.choice(words) if words else "a")
                yield f"{row.declaration.plural}(first: 30, search: {query}) {{ totalCount stats {{ count }} nodes {{ id }} }}"
                field = groupable(row)[0].column.name.upper()
                by = f"by: [{{field: {field}}}]"
                yield f"{row.declaration.plural}Grouped({by}, search: {query}) {{ nodes {{ stats {{ count }} }} }}"
        for how in row.declaration.found_by:
            table = self.every.of_table(how.table)
            for each in [*self._some(self.seen, table, 4), *self._some(self.every, table, 12)]:
                given = [
                    f"{n}: {self._argument(each[c.name], c.type)}" for n, (c, needed) in how.arguments.items() if needed
                ]
                yield f"{single}By({how.name}: {{{', '.join(given)}}}) {{ {self._leaves(row)} }}"

    def _argument(self, value: Any, kind: Any) -> str:
        return str(value) if hasattr(kind, "enum_class") else json.dumps(value)

    def _nodes(self) -> Iterator[str]:
        rows = list(self.catalog.rows.values())
        inner = " ".join(f"... on {row.name} {{ version }}" for row in rows)
        for row in rows:
            for each in self._some(self.every, row.name, 3):
                yield f'node(id: "{public(self.every, each)}") {{ __typename id {inner} }}'
        for _ in range(6):
            ids = [public(self.every, each) for row in rows for each in self._some(self.every, row.name, 8)]
            self.chance.shuffle(ids)
            yield f"nodes(ids: {json.dumps(ids)}) {{ __typename id {inner} }}"
