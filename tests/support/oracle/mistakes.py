"""Draws operations that cannot be: one mistake each, which must be told by its code."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.graphql_types.inputs import groupable
from hub.engine.graphql_types.schema_builder import Schema
from hub.model.declarations import ToMany
from oracle.data import public_id
from oracle.generate import OperationDraw
from oracle.generate_fields import LONG_KEY
from oracle.script import ResponseReference, Step


def invalid_operation(draw: OperationDraw, graph: Schema) -> list[Step]:
    """A small operation with one mistake in it."""
    entity = draw.pick(list(graph.catalog.entities.values()))
    result = draw.pick(_MISTAKES)(draw, graph, entity)
    steps = result if isinstance(result, list) else [result]
    return [Step(step, {}) if isinstance(step, str) else step for step in steps]


def _list(entity: CatalogEntity, arguments: str) -> str:
    return f"{{ {entity.declaration.plural}({arguments}) {{ totalCount nodes {{ id }} }} }}"


def _alias(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    long = LONG_KEY + "of_names" * draw.random.randint(1, 2)
    return f"{{ {entity.declaration.plural}(first: 1) {{ nodes {{ {long}1: id {long}2: version }} }} }}"


def _page(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    return _list(entity, draw.pick(("first: 101", "last: 150", "first: 1, last: 1", "first: -1", "last: -5")))


def _id(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    single = entity.declaration.singular
    other = draw.pick([candidate for candidate in graph.catalog.entities.values() if candidate is not entity])
    key = UUID(int=draw.random.getrandbits(128))
    wrong = f"{other.declaration.prefix}_{key.hex}"
    malformed = draw.pick(
        (str(key), "x", "", f"{entity.declaration.prefix}_{key.hex[:-1]}", f"{entity.declaration.prefix}-{key.hex}")
    )
    value = json.dumps(draw.pick((wrong, malformed)))
    return draw.pick((f"{{ {single}(id: {value}) {{ id }} }}", _list(entity, f"filter: {{id: {{eq: {value}}}}}")))


def _null_operator(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    column = draw.pick([candidate for candidate in entity.filterable.values() if candidate.scalar.operators])
    operator = draw.pick(column.scalar.operators)
    return _list(entity, f"filter: {{{column.name}: {{{operator}: null}}}}")


def _currency(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    owners = [
        (candidate, name, graph.catalog.target(link.target))
        for candidate in graph.catalog.entities.values()
        for name, link in candidate.links.items()
        if isinstance(link, ToMany)
        and any(c.scalar.is_money for c in graph.catalog.target(link.target).columns.values())
    ]
    owner, name, target = draw.pick(owners)
    column = draw.pick([candidate for candidate in target.columns.values() if candidate.scalar.is_money])
    if draw.chance(0.5):
        function = draw.pick(("sum", "avg", "min", "max"))
        return _list(owner, f'filter: {{{name}: {{{function}: {{{column.name}: {{gt: "1"}}}}}}}}')
    return _list(owner, f"orderBy: [{{{name}: {{by: SUM, field: {column.column.name.upper()}}}}}]")


def _order(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    key = draw.pick(list(entity.sort_keys))
    wrong = ["[{direction: ASC}]", f"[{{field: {key}}}, {{field: {key}, direction: DESC}}]", "[{}]"]
    links = [name for name, link in entity.links.items() if isinstance(link, ToMany)]
    if links:
        link = draw.pick(links)
        wrong += [
            f"[{{field: {key}, {link}: {{by: COUNT}}}}]",
            f"[{{{link}: {{by: MAX}}}}]",
            f"[{{{link}: {{by: SUM, field: CREATED_AT}}}}]",
            f"[{{{link}: {{by: COUNT, field: CREATED_AT}}}}]",
        ]
    return _list(entity, f"orderBy: {draw.pick(wrong)}")


def _search(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    searched = draw.pick([candidate for candidate in graph.catalog.entities.values() if candidate.declaration.search])
    return _list(searched, f"search: {json.dumps(draw.pick(('', '   ', 'a b c d e f g h i', '王' * 9, chr(0x3000))))}")


def _groups(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    columns = groupable(entity)
    if not any(column.scalar.is_time for column in columns):  # rules of roles are grouped by no time
        return f"{{ {entity.declaration.plural}Grouped(by: []) {{ totalCount }} }}"
    plain = draw.pick([column for column in columns if not column.scalar.is_time] or columns)
    time = draw.pick([column for column in columns if column.scalar.is_time])
    field = plain.column.name.upper()
    by = draw.pick(
        (
            "[]",
            f"[{{field: {field}}}, {{field: {field}}}]",
            "[{}]",
            "[{field: ID, bucket: DAY}]",
            f"[{{field: {field}, bucket: DAY}}]",
            f'[{{field: {time.column.name.upper()}, bucket: DAY, timezone: "Mars/Olympus"}}]',
            f'[{{field: {time.column.name.upper()}, timezone: "UTC"}}]',
            "[" + ", ".join(f"{{field: {column.column.name.upper()}}}" for column in columns[:5]) + "]",
        )
    )
    return f"{{ {entity.declaration.plural}Grouped(by: {by}) {{ totalCount }} }}"


def _cursor(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> Any:
    if draw.chance(0.4):
        return _list(entity, f'after: "{draw.pick(("", "x", "bm90IGEgY3Vyc29y", "1"))}"')
    other = draw.pick([candidate for candidate in graph.catalog.entities.values() if candidate is not entity])
    key = draw.pick(list(entity.sort_keys))
    reference = ResponseReference(0, (entity.declaration.plural, "pageInfo", "endCursor"))
    first = f"{{ {entity.declaration.plural}(first: 1) {{ pageInfo {{ endCursor }} }} }}"
    direction = "ASC" if entity.declaration.order[1] == "desc" else "DESC"
    wrong = (
        _list(other, "first: 2, after: @@0@@"),
        _list(entity, f"orderBy: [{{field: {key}, direction: {direction}}}], before: @@0@@"),
    )
    return [first, Step(draw.pick(wrong), {}, None, (reference,))]


def _nested(draw: OperationDraw, graph: Schema, entity: CatalogEntity) -> str:
    owners = [
        candidate
        for candidate in graph.catalog.entities.values()
        if any(isinstance(link, ToMany) for link in candidate.links.values())
    ]
    owner = draw.pick([candidate for candidate in owners if draw.data.rows[candidate.name]])
    name = draw.pick([name for name, link in owner.links.items() if isinstance(link, ToMany)])
    single = owner.declaration.singular
    key = public_id(draw.data, draw.pick(draw.data.rows[owner.name]))
    page = draw.pick(("first: 101", "last: -1", "first: 2, last: 2"))
    return f"{{ {single}(id: {json.dumps(key)}) {{ {name}({page}) {{ totalCount }} }} }}"


_MISTAKES: tuple[Callable[[OperationDraw, Schema, CatalogEntity], Any], ...] = (
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
