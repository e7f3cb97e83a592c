"""Narrows a catalog to a viewer's rights: what its roles hide does not exist in it.

Planning reads the narrowed catalog; hub/engine/graphql_types/narrowed_schema.py shows the same to documents."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, CatalogEntity, ColumnField, camel_case
from hub.model.declarations import FieldResolver, LinkGroup, MergedConnection, ToMany, ToOne, UnionLink
from hub.model.fields import Reveals
from hub.model.personal import PERSONAL, PersonalData
from hub.rights import AccessRule, CellRules, Mask, Rights

T = TypeVar("T")
Link = ToOne | ToMany | UnionLink | MergedConnection
FILTER_NAME = re.compile(r"(\w+)\s*:")
FILTER_WORDS = frozenset(("and", "or", "not", "id", "some", "none", "every", "where", "count", "holds", "at"))
IDENTIFYING = frozenset(
    (PersonalData.NAME, PersonalData.CONTACT, PersonalData.IDENTIFIER, PersonalData.BIRTH, PersonalData.FREE_TEXT)
)
OPERATORS = frozenset((*scalars.EQUALITY, *scalars.RANGE, *scalars.TEXT, *scalars.RELATIVE, *scalars.NULL))


def narrow_catalog(catalog: Catalog, rights: Rights) -> Catalog:
    """The catalog as a viewer with these rights may know it."""
    rules = {name: rights.granting(name) for name in catalog.entities}
    visible = {name for name, granted in rules.items() if granted is None or granted}
    aggregate_only = {name for name in visible if _is_aggregate_only(rules[name])}
    inside = catalog.inside if rights.binding == "customer" else {}
    accesses = {name: _FieldAccess(rules[name], inside.get(name)) for name in visible}
    revealing = _revealing(catalog, accesses)
    entities = {
        name: _narrow_entity(catalog, entity, accesses[name], visible, aggregate_only, revealing[name])
        for name, entity in catalog.entities.items()
        if name in visible
    }
    entities = {name: _without_lists(entity, entities) for name, entity in entities.items()}
    prefixes = {entity.declaration.prefix: entity for entity in entities.values() if not entity.aggregate_only}
    return Catalog(entities, catalog.interfaces, prefixes, whole=catalog)


def _revealing(catalog: Catalog, accesses: "Mapping[str, _FieldAccess]") -> dict[str, set[str]]:
    """By entity, the fields that tell of columns which the viewer does not know in every row."""
    hiding = {
        name
        for name, access in accesses.items()
        for column in catalog.entities[name].declaration.verified
        if not access.is_known_everywhere(camel_case(column))
    }

    def tells_of_hidden(name: str, reveals: Reveals) -> bool:
        if isinstance(reveals, tuple):
            return not all(_is_known(accesses, *revealed.split(".")) for revealed in reveals)
        if reveals == "everything":
            return any(access.hides_fields for access in accesses.values())
        return name in hiding if reveals == "row" else bool(hiding)

    return {
        name: {
            camel_case(field)
            for field, reveals in catalog.entities[name].declaration.reveals.items()
            if tells_of_hidden(name, reveals)
        }
        for name in accesses
    }


def _is_known(accesses: "Mapping[str, _FieldAccess]", entity: str, name: str) -> bool:
    """Whether the viewer reads a field of an entity in every row, as it is."""
    access = accesses.get(entity)
    return access is not None and access.is_known_everywhere(name) and access.cell(name) is None


def _without_lists(entity: CatalogEntity, entities: Mapping[str, CatalogEntity]) -> CatalogEntity:
    """The entity without the lists of its groups that filter by something hidden."""
    groups: dict[str, LinkGroup] = {}
    for name, group in entity.groups.items():
        lists = {}
        for part, filtered in group.lists.items():
            link = entity.links[camel_case(filtered.link)]
            assert isinstance(link, ToMany)
            target = entities[link.target.__name__]
            names = {key for key in FILTER_NAME.findall(filtered.filter) if key[0].islower()}
            if names <= {
                *FILTER_WORDS,
                *OPERATORS,
                *target.filterable,
                *(key for key in target.links if target.uses_link(key)),
            }:
                lists[part] = filtered
        groups |= {name: replace(group, lists=lists)} if lists else {}
    return replace(entity, groups=groups)


def mask_fits(mask: Mask, column: ColumnField) -> bool:
    """Whether a mask can stand for values of a column."""
    if mask is Mask.NULL:
        return True
    if mask is Mask.YEAR:
        return column.scalar.is_time
    return column.scalar is scalars.STRING


def _is_aggregate_only(rules: Sequence[AccessRule] | None) -> bool:
    return bool(rules) and all(rule.aggregate_only for rule in rules or ())


def _narrow_entity(
    catalog: Catalog,
    entity: CatalogEntity,
    access: "_FieldAccess",
    visible: set[str],
    aggregate_only: set[str],
    revealing: Collection[str],
) -> CatalogEntity:
    columns = {name: column for name, column in access.granted(entity.columns).items() if name not in revealing}
    cells = {name: cell for name in columns if (cell := access.cell(name)) is not None}
    is_counted = entity.name in aggregate_only
    usable = {column.column.name for name, column in columns.items() if name not in cells}
    if is_counted:
        usable -= {*_unique_columns(entity.table), *_identifying_columns(entity.table)}
    else:
        usable.add("id")
    links = {
        name: narrowed
        for name, link in access.granted(entity.links).items()
        if (narrowed := _narrow_link(catalog, link, visible - aggregate_only, visible)) is not None
    }
    cells |= {name: cell for name in links if (cell := access.cell(name)) is not None}
    groups = {
        name: replace(group, lists=lists)
        for name, group in access.granted(entity.groups).items()
        if (lists := {part: filtered for part, filtered in group.lists.items() if camel_case(filtered.link) in links})
    }
    cells |= {name: cell for name in groups if (cell := access.cell(name)) is not None}
    resolvers = {
        name: resolver
        for name, resolver in access.granted(entity.resolvers).items()
        if usable.issuperset(_columns_read(entity, resolver)) and access.cell(name) is None
        if resolver.returns is None or resolver.returns.__name__ in visible - aggregate_only
    }
    return replace(
        entity,
        columns=columns,
        links=links,
        groups=groups,
        resolvers=resolvers,
        sort_keys={name: key for name, key in entity.sort_keys.items() if key.column.name in usable},
        filterable={name: column for name, column in entity.filterable.items() if column.column.name in usable},
        currency=entity.currency if entity.currency in usable else None,
        cells=cells,
        usable=frozenset(usable),
        aggregate_only=is_counted,
        shows_history=access.grants("history"),
        filters_rows=access.filters_rows,
    )


def _columns_read(entity: CatalogEntity, resolver: FieldResolver) -> set[str]:
    """The columns that a resolver reads, itself or by SQL; of columns that are no fields no rule says anything."""
    fields = {column.column.name for column in entity.columns.values()}
    parts = (expression(entity.table, sa.null()) for _, expression in resolver.expressions)
    read = {part.name for sql in parts for part in visitors.iterate(sql) if isinstance(part, sa.Column)}
    return {*resolver.needs, *(read & fields)}


def _unique_columns(table: sa.Table) -> Iterator[str]:
    """The columns of which each alone identifies a row."""
    yield "id"
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint | sa.PrimaryKeyConstraint) and len(constraint.columns) == 1:
            yield constraint.columns[0].name
    for index in table.indexes:
        if index.unique:
            yield from (column.name for column in index.columns)


def _identifying_columns(table: sa.Table) -> Iterator[str]:
    """The columns that name a person, or hold what was written about one.

    A condition on one of them would make the difference of two counts an answer about one person."""
    return (column.name for column in table.c if column.info.get(PERSONAL) in IDENTIFYING)


def _narrow_link(catalog: Catalog, link: Link, with_rows: set[str], visible: set[str]) -> Link | None:
    match link:
        case ToOne(target):
            return link if target.__name__ in with_rows else None
        case ToMany(target):
            return link if target.__name__ in visible else None
        case UnionLink(targets=targets):
            remaining = {target: by for target, by in targets.items() if target.__name__ in with_rows}
            return replace(link, targets=remaining) if remaining else None
        case MergedConnection(interface=interface):
            members = catalog.implementing(interface.name)
            return link if any(member.name in with_rows for member in members) else None


class _FieldAccess:
    """What the rules of one entity say about its fields; None for rules that hide nothing. No rule grants `inside` ones."""

    def __init__(self, rules: Sequence[AccessRule] | None, inside: frozenset[str] | None) -> None:
        self._rules = rules or ()
        self._inside = inside or frozenset()
        self._masks = [dict(rule.masks) for rule in self._rules]

    def grants(self, name: str) -> bool:
        """Whether some rule grants the field."""
        if name in self._inside:
            return False
        return not self._rules or any(rule.fields is None or name in rule.fields for rule in self._rules)

    def is_known_everywhere(self, name: str) -> bool:
        """Whether every rule shows the field, as it is or masked."""
        return self.grants(name) and all(rule.fields is None or name in rule.fields for rule in self._rules)

    @property
    def filters_rows(self) -> bool:
        """Whether the rules may hide rows."""
        return bool(self._rules) and all(rule.row_filter is not None for rule in self._rules)

    @property
    def hides_fields(self) -> bool:
        """Whether a rule hides a field, or masks one."""
        return any(rule.fields is not None or rule.masks for rule in self._rules)

    def granted(self, fields: Mapping[str, T]) -> dict[str, T]:
        """The fields that some rule grants."""
        return {name: part for name, part in fields.items() if self.grants(name)}

    def cell(self, name: str) -> CellRules | None:
        """The rules of a field that not every rule shows as it is; None for one that every rule shows."""
        shown: list[AccessRule] = []
        masked: dict[Mask, list[AccessRule]] = {}
        for rule, masks in zip(self._rules, self._masks, strict=True):
            if rule.fields is not None and name not in rule.fields:
                continue
            if name in masks:
                masked.setdefault(masks[name], []).append(rule)
            else:
                shown.append(rule)
        if len(shown) == len(self._rules):
            return None
        count = len(shown) + sum(len(rules) for mask, rules in masked.items() if mask is not Mask.NULL)
        by_mask = tuple((mask, tuple(masked[mask])) for mask in sorted(masked))
        return CellRules(tuple(shown), by_mask, every_row=count == len(self._rules))
