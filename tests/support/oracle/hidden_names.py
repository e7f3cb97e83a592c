"""Documents that name one column that a viewer's roles hide or mask, at every place of a query that can name a column.

Inputs of mutations are hidden_inputs.py's. Each comes with its twin, which has a name that no column bears in the same place."""

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from hub.engine.catalog.catalog import Catalog, CatalogEntity, ColumnField
from hub.engine.graphql_types.inputs import COMPARE, groupable
from hub.model.declarations import ToMany, ToOne
from hub.text_case import camel_case
from hub.viewer import Viewer
from oracle.executor import Oracle
from oracle.roles import grants, rules_of

FIELD, VALUE = "%field%", "%VALUE%"  # where a document names the column: as a field, as an enum's value
UNKNOWN = "qqzzqx"  # like no name of the schema


class NamingDocument(NamedTuple):
    """A document with a column's name, and the same with an unknown one."""

    query: str
    unknown: str
    names: frozenset[str]  # that the two name the column by


def hidden_name_documents(oracle: Oracle, viewer: Viewer) -> Iterator[NamingDocument]:
    """The documents of all columns that the roles of a viewer do not show, or do not show as they are."""
    catalog = oracle.graph.catalog
    for entity in catalog.entities.values():
        rules = rules_of(viewer, entity.name)
        for column in entity.columns.values():
            shown = [rule for rule in rules if grants(rule, column.name)]
            as_is = [rule for rule in shown if column.name not in dict(rule.masks)]
            templates = list(_selections(oracle, entity)) if not shown else []
            templates += _uses(catalog, entity, column) if not rules or len(as_is) < len(rules) else []
            for template in templates:
                known = template.replace(FIELD, column.name).replace(VALUE, column.column.name.upper())
                names = frozenset((column.name, column.column.name.upper(), UNKNOWN, UNKNOWN.upper()))
                yield NamingDocument(known, template.replace(FIELD, UNKNOWN).replace(VALUE, UNKNOWN.upper()), names)
            if not rules or len(as_is) < len(rules):
                yield from _look_ups(catalog, column)


def _look_ups(catalog: Catalog, column: ColumnField) -> Iterator[NamingDocument]:
    """Documents that find a row by a column of their own or of another type: the root is unknown."""
    for entity in catalog.entities.values():
        for lookup in entity.declaration.lookups:
            if lookup.table is column.column.table and column.column.name in {c.name for c in lookup.compared.values()}:
                values = (
                    f"{name}: {type_.enums[0]}" if isinstance(type_ := argument.type, sa.Enum) else f'{name}: "x"'
                    for name, (argument, _) in lookup.arguments.items()
                )
                root, argument = f"{entity.declaration.singular}By", camel_case(lookup.name)
                query = f"{{ {root}({argument}: {{{', '.join(values)}}}) {{ id }} }}"
                yield NamingDocument(query, query.replace(root, UNKNOWN), frozenset((root, UNKNOWN)))


def _selections(oracle: Oracle, entity: CatalogEntity) -> Iterator[str]:
    """Documents that select a column: of rows, of rows as they were, of changes."""
    plural, single, row_id = (
        entity.declaration.plural,
        entity.declaration.singular,
        f"{entity.declaration.prefix}_{'0' * 32}",
    )
    yield f"{{ {plural} {{ nodes {{ {FIELD} }} }} }}"
    yield f"{{ {plural} {{ edges {{ node {{ {FIELD} }} }} }} }}"
    yield f'{{ {single}(id: "{row_id}") {{ {FIELD} }} }}'
    yield f'{{ node(id: "{row_id}") {{ ... on {entity.name} {{ {FIELD} }} }} }}'
    if entity.captured:
        yield f'{{ {single}(id: "{row_id}", asOf: "2026-01-01T00:00:00Z") {{ {FIELD} }} }}'
        yield f"{{ {plural} {{ nodes {{ history {{ nodes {{ after {{ {FIELD} }} }} }} }} }} }}"
        yield f"{{ changes {{ ... on Change {{ node {{ ... on {entity.name} {{ {FIELD} }} }} }} }} }}"
        yield f"subscription {{ changes {{ ... on Change {{ node {{ ... on {entity.name} {{ {FIELD} }} }} }} }} }}"
        yield f"subscription {{ {plural}Live {{ {plural} {{ nodes {{ {FIELD} }} }} }} }}"
        yield f'subscription {{ {single}Live(id: "{row_id}") {{ {single} {{ {FIELD} }} }} }}'
    for owner, name, link in _links_to(oracle.graph.catalog, entity):
        inner = f"nodes {{ {FIELD} }}" if isinstance(link, ToMany) else FIELD
        yield f"{{ {owner.declaration.plural} {{ nodes {{ {name} {{ {inner} }} }} }} }}"


def _links_to(catalog: Catalog, entity: CatalogEntity) -> Iterator[tuple[CatalogEntity, str, ToOne | ToMany]]:
    """The first link of each kind that leads to an entity."""
    kinds = set()
    for owner in catalog.entities.values():
        for name, link in owner.links.items():
            if (
                isinstance(link, ToOne | ToMany)
                and catalog.target(link.target).name == entity.name
                and type(link) not in kinds
            ):
                kinds.add(type(link))
                yield owner, name, link


def _uses(catalog: Catalog, entity: CatalogEntity, column: ColumnField) -> Iterator[str]:
    """Documents that use a column without selecting it."""
    plural, single = entity.declaration.plural, entity.declaration.singular
    condition = (
        f"{{{FIELD}: {{path: [], isNull: true}}}}" if column.scalar.name == "JSON" else f"{{{FIELD}: {{isNull: true}}}}"
    )
    is_key, is_number = column.column.name.upper() in entity.sort_keys, column.scalar.is_number
    is_group = any(candidate is column for candidate in groupable(entity))
    is_figure = (is_number or column.scalar.is_time) and column.name != "version"
    key, inner = f"{{field: {VALUE}}}", f"{FIELD} {{ amount }}" if column.scalar.is_money else FIELD
    if column.name in entity.filterable:
        yield f"{{ {plural}(filter: {condition}) {{ totalCount }} }}"
        yield f"{{ {plural}(filter: {{not: {condition}}}) {{ totalCount }} }}"
        yield f"{{ {plural}(filter: {{or: [{{}}, {condition}]}}) {{ totalCount }} }}"
        yield f"{{ {plural}(filter: {{{COMPARE}: {{{FIELD}: {{}}}}}}) {{ totalCount }} }}"
        yield f"{{ {plural}Grouped(by: [], filter: {condition}) {{ totalCount }} }}"
        if entity.captured:
            yield f"{{ changes(filter: {{{single}: {condition}}}) {{ __typename }} }}"
            yield f"subscription {{ changes(filter: {{{single}: {condition}}}) {{ __typename }} }}"
            yield f"subscription {{ {plural}Live(filter: {condition}) {{ {plural} {{ totalCount }} }} }}"
    if is_key and entity.captured:
        yield f"subscription {{ {plural}Live(orderBy: [{key}]) {{ {plural} {{ totalCount }} }} }}"
    if is_key:
        yield f"{{ {plural}(orderBy: [{key}]) {{ totalCount }} }}"
    if is_group:
        yield f"{{ {plural}Grouped(by: [{key}]) {{ totalCount }} }}"
        yield f"{{ {plural}Grouped(by: [{{field: ID}}]) {{ nodes {{ key {{ {FIELD} }} }} }} }}"
    if is_figure:
        yield from (f"{{ {plural} {{ stats {{ {name} {{ {inner} }} }} }} }}" for name in ("min", "max"))
        order = f"orderBy: [{{by: MAX, field: {VALUE}}}]"
        yield f"{{ {plural}Grouped(by: [{{field: ID}}], {order}) {{ totalCount }} }}"
    if is_number and column.name != "version":
        yield from (f"{{ {plural} {{ stats {{ {name} {{ {inner} }} }} }} }}" for name in ("sum", "avg"))
    if entity.captured:
        yield f'{{ {plural} {{ nodes {{ history(fields: ["{FIELD}"]) {{ totalCount }} }} }} }}'
        yield f'{{ changes(filter: {{types: [{entity.entity_type}], changedFields: ["{FIELD}"]}}) {{ __typename }} }}'
    for owner, name, link in _links_to(catalog, entity):
        yield from _uses_through(owner, name, link, column, condition if column.name in entity.filterable else None)


def _uses_through(
    owner: CatalogEntity, name: str, link: ToOne | ToMany, column: ColumnField, condition: str | None
) -> Iterator[str]:
    """The same by way of a link of another type."""
    plural = owner.declaration.plural
    money = ', currency: "EUR"' if column.scalar.is_money else ""
    if isinstance(link, ToOne):
        if condition:
            yield f"{{ {plural}(filter: {{{name}: {condition}}}) {{ totalCount }} }}"
            yield f"{{ {plural}Grouped(by: [{{link: {{{name}: {{field: {VALUE}}}}}}}]) {{ totalCount }} }}"
            yield f"{{ {plural}Grouped(by: [{{field: ID}}]) {{ nodes {{ key {{ {name} {{ {FIELD} }} }} }} }} }}"
        return
    if condition:
        yield f"{{ {plural}(filter: {{{name}: {{some: {condition}}}}}) {{ totalCount }} }}"
        yield f"{{ {plural}(filter: {{{name}: {{where: {condition}, count: {{gt: 0}}}}}}) {{ totalCount }} }}"
        yield f"{{ {plural}(orderBy: [{{{name}: {{by: COUNT, where: {condition}}}}}]) {{ totalCount }} }}"
    if (column.scalar.is_number or column.scalar.is_time) and column.name != "version":
        yield f"{{ {plural}(filter: {{{name}: {{max: {{{FIELD}: {{}}}}}}}}) {{ totalCount }} }}"
        yield f"{{ {plural}(orderBy: [{{{name}: {{by: MAX, field: {VALUE}{money}}}}}]) {{ totalCount }} }}"
