"""Draws operations that cannot be: one mistake each, which must be told by its code."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from hub.engine.catalog.catalog import Row
from hub.engine.graphql_types.inputs import groupable
from hub.engine.graphql_types.schema_builder import Graph
from hub.model.declarations import Many
from oracle.data import public
from oracle.generate import Draw
from oracle.generate_fields import LONG
from oracle.script import Step, Taken


def mistaken(draw: Draw, graph: Graph) -> list[Step]:
    """A small operation with one mistake in it."""
    row = draw.pick(list(graph.catalog.rows.values()))
    made = draw.pick(_MISTAKES)(draw, graph, row)
    steps = made if isinstance(made, list) else [made]
    return [Step(each, {}) if isinstance(each, str) else each for each in steps]


def _list(row: Row, arguments: str) -> str:
    return f"{{ {row.declaration.plural}({arguments}) {{ totalCount nodes {{ id }} }} }}"


def _alias(draw: Draw, graph: Graph, row: Row) -> str:
    long = LONG + "of_names" * draw.random.randint(1, 2)
    return f"{{ {row.declaration.plural}(first: 1) {{ nodes {{ {long}1: id {long}2: version }} }} }}"


def _page(draw: Draw, graph: Graph, row: Row) -> str:
    return _list(row, draw.pick(("first: 101", "last: 150", "first: 1, last: 1", "first: -1", "last: -5")))


def _id(draw: Draw, graph: Graph, row: Row) -> str:
    single = row.name[0].lower() + row.name[1:]
    other = draw.pick([each for each in graph.catalog.rows.values() if each is not row])
    key = UUID(int=draw.random.getrandbits(128))
    wrong = f"{other.declaration.prefix}_{key.hex}"
    malformed = draw.pick(
        (str(key), "x", "", f"{row.declaration.prefix}_{key.hex[:-1]}", f"{row.declaration.prefix}-{key.hex}")
    )
    value = json.dumps(draw.pick((wrong, malformed)))
    return draw.pick((f"{{ {single}(id: {value}) {{ id }} }}", _list(row, f"filter: {{id: {{eq: {value}}}}}")))


def _null_operator(draw: Draw, graph: Graph, row: Row) -> str:
    column = draw.pick([each for each in row.filterable.values() if each.wire.operators])
    operator = draw.pick(column.wire.operators)
    return _list(row, f"filter: {{{column.name}: {{{operator}: null}}}}")


def _currency(draw: Draw, graph: Graph, row: Row) -> str:
    owners = [
        (each, name, graph.catalog.target(link.target))
        for each in graph.catalog.rows.values()
        for name, link in each.links.items()
        if isinstance(link, Many) and any(c.wire.money for c in graph.catalog.target(link.target).columns.values())
    ]
    owner, name, target = draw.pick(owners)
    column = draw.pick([each for each in target.columns.values() if each.wire.money])
    if draw.chance(0.5):
        function = draw.pick(("sum", "avg", "min", "max"))
        return _list(owner, f'filter: {{{name}: {{{function}: {{{column.name}: {{gt: "1"}}}}}}}}')
    return _list(owner, f"orderBy: [{{{name}: {{by: SUM, field: {column.column.name.upper()}}}}}]")


def _order(draw: Draw, graph: Graph, row: Row) -> str:
    key = draw.pick(list(row.sort_keys))
    wrong = ["[{direction: ASC}]", f"[{{field: {key}}}, {{field: {key}, direction: DESC}}]", "[{}]"]
    links = [name for name, link in row.links.items() if isinstance(link, Many)]
    if links:
        link = draw.pick(links)
        wrong += [
            f"[{{field: {key}, {link}: {{by: COUNT}}}}]",
            f"[{{{link}: {{by: MAX}}}}]",
            f"[{{{link}: {{by: SUM, field: CREATED_AT}}}}]",
            f"[{{{link}: {{by: COUNT, field: CREATED_AT}}}}]",
        ]
    return _list(row, f"orderBy: {draw.pick(wrong)}")


def _search(draw: Draw, graph: Graph, row: Row) -> str:
    searched = draw.pick([each for each in graph.catalog.rows.values() if each.declaration.search])
    return _list(searched, f"search: {json.dumps(draw.pick(('', '   ', 'a b c d e f g h i', '王' * 9, chr(0x3000))))}")


def _groups(draw: Draw, graph: Graph, row: Row) -> str:
    columns = groupable(row)
    plain = draw.pick([each for each in columns if not each.wire.time] or columns)
    time = draw.pick([each for each in columns if each.wire.time])
    field = plain.column.name.upper()
    by = draw.pick(
        (
            "[]",
            f"[{{field: {field}}}, {{field: {field}}}]",
            f"[{{field: {field}, bucket: DAY}}]",
            f'[{{field: {time.column.name.upper()}, bucket: DAY, timezone: "Mars/Olympus"}}]',
            f'[{{field: {time.column.name.upper()}, timezone: "UTC"}}]',
            "[" + ", ".join(f"{{field: {each.column.name.upper()}}}" for each in columns[:5]) + "]",
        )
    )
    return f"{{ {row.declaration.plural}Grouped(by: {by}) {{ totalCount }} }}"


def _cursor(draw: Draw, graph: Graph, row: Row) -> Any:
    if draw.chance(0.4):
        return _list(row, f'after: "{draw.pick(("", "x", "bm90IGEgY3Vyc29y", "1"))}"')
    other = draw.pick([each for each in graph.catalog.rows.values() if each is not row])
    key = draw.pick(list(row.sort_keys))
    taken = Taken(0, (row.declaration.plural, "pageInfo", "endCursor"))
    first = f"{{ {row.declaration.plural}(first: 1) {{ pageInfo {{ endCursor }} }} }}"
    direction = "ASC" if row.declaration.order[1] == "desc" else "DESC"
    wrong = (
        _list(other, "first: 2, after: @@0@@"),
        _list(row, f"orderBy: [{{field: {key}, direction: {direction}}}], before: @@0@@"),
    )
    return [first, Step(draw.pick(wrong), {}, None, (taken,))]


def _nested(draw: Draw, graph: Graph, row: Row) -> str:
    owners = [
        each for each in graph.catalog.rows.values() if any(isinstance(link, Many) for link in each.links.values())
    ]
    owner = draw.pick([each for each in owners if draw.data.rows[each.name]])
    name = draw.pick([name for name, link in owner.links.items() if isinstance(link, Many)])
    single = owner.name[0].lower() + owner.name[1:]
    key = public(draw.data, draw.pick(draw.data.rows[owner.name]))
    page = draw.pick(("first: 101", "last: -1", "first: 2, last: 2"))
    return f"{{ {single}(id: {json.dumps(key)}) {{ {name}({page}) {{ totalCount }} }} }}"


_MISTAKES: tuple[Callable[[Draw, Graph, Row], Any], ...] = (
    _alias,
    _alias,
    _page,
    _id,
    _null_operator,
    _currency,
    _order,
    _search,
    _groups,
    _cursor,
    _nested,
)
