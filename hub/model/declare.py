"""Declarations as the engine reads them: each entity with both directions of its links, its rules and its writer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.model import dual_control
from hub.model.clock_rules import clock_rule_faults
from hub.model.declarations import (
    TIMELINE,
    AscDesc,
    FieldResolver,
    InvalidDeclaration,
    LinkGroup,
    Lookup,
    MergedConnection,
    Sortable,
    ToMany,
    ToOne,
    UnionLink,
)
from hub.model.definition import EntityDefinition
from hub.model.entity import Entity, entity_of
from hub.model.fields import Reveals
from hub.model.move_commands import allowed_moves
from hub.model.normal_forms import NormalForm, RowNormalForm, column_normal_form
from hub.model.scopes import Audience, Scope
from hub.model.subjects import subject_faults, subjects_of
from hub.model.versions import SYSTEM_COLUMNS
from hub.model.writer import EntityWriter, writer_of

AnyLink = ToOne | ToMany | UnionLink | MergedConnection


@dataclass(frozen=True, slots=True)
class Declaration:
    """An entity as the engine reads it."""

    entity: type[Entity]
    description: str
    table: sa.Table
    scope: Scope
    prefix: str
    plural: str
    singular: str
    sortable: tuple[Sortable, ...]
    order: tuple[str, AscDesc]
    filterable: tuple[str, ...] | None
    search: tuple[str, ...]
    identifies: tuple[str, ...]
    tree: str | None
    lasting: bool  # whether rows hold from `from_at` until `to_at`
    annotations: Mapping[str, Any]
    links: Mapping[str, AnyLink]
    groups: Mapping[str, LinkGroup]
    resolvers: Mapping[str, FieldResolver]
    implements: Mapping[str, str]
    lookups: tuple[Lookup, ...]
    normal_forms: Mapping[str, NormalForm | RowNormalForm]
    inside: frozenset[
        str
    ]  # columns and links, also lists on the other side, that are not for the customer whom they are about
    writer: EntityWriter
    me: str | None
    captured: bool
    amounts_in: str
    verified: tuple[str, ...]  # columns under dual control
    reveals: Mapping[str, Reveals]  # fields that name such columns: see hub/model/fields.py

    @property
    def name(self) -> str:
        """The name of the GraphQL type."""
        return self.entity.__name__


def declare(entities: Sequence[type[Entity]]) -> tuple[Declaration, ...]:
    """The declarations of all entities; raises InvalidDeclaration naming every rule that is missing."""
    faults = [fault for entity in entities for fault in _faults(entity)] + [*subject_faults(entities)]
    if faults:
        raise InvalidDeclaration("\n".join(["These declarations cannot stand:", *(f"- {fault}" for fault in faults)]))
    customer = next(entity for entity in entities if entity.definition.scope.customer_column == "id")
    inverse: dict[type[Entity], dict[str, AnyLink]] = {entity: {} for entity in entities}
    for entity in entities:
        for owner, name, link in _inverse_links(entity, entities, customer):
            inverse[owner][name] = link
    return tuple(_declaration(entity, entities, customer, inverse[entity]) for entity in entities)


def _faults(entity: type[Entity]) -> Iterator[str]:
    for name, column in entity.definition.columns.items():
        if (column.options.computed or column.options.normal_form_of) and name not in entity.rules.computations:
            yield f"{entity.__name__}.{name} is computed, but no rule computes it"
        if column.options.verified_by and not dual_control.is_recorded():
            yield f"{entity.__name__}.{name} is under dual control, but nothing records who claims its values"
        if column.options.verified_by and (column.options.rule_filled or column.options.is_hidden):
            yield f"{entity.__name__}.{name} is under dual control, but no person writes and reads it"
        target = column.options.filter_entity
        if isinstance(target, str) and target not in entity.definition.columns:
            yield f"{entity.__name__}.{name} holds filters of the type in {target}, which is no column of it"
    yield from clock_rule_faults(entity)
    for column_name, workflow in entity.definition.workflow_columns.items():
        for state in {target for member in workflow for target, move in member.moves().items() if move.guarded}:
            if (column_name, state.value) not in entity.rules.guards:
                yield f"{entity.__name__}.{column_name}: moves to {state} are guarded, but no rule guards them"


def _declaration(
    entity: type[Entity], entities: Sequence[type[Entity]], customer: type[Entity], inverse: Mapping[str, AnyLink]
) -> Declaration:
    definition, options = entity.definition, entity.definition.options
    fields = _fields(definition)
    columns = definition.columns
    hidden = [name for name in fields if name in columns and not columns[name].options.filterable]
    return Declaration(
        entity=entity,
        description=" ".join((entity.__doc__ or "").split()),
        table=entity.table,
        scope=definition.scope,
        prefix=options["prefix"],
        plural=definition.plural,
        singular=definition.singular,
        sortable=tuple(Sortable(name, null_as) for name, null_as in definition.sortable.items()),
        order=definition.order,
        filterable=(*(name for name in fields if name not in hidden), *SYSTEM_COLUMNS) if hidden else None,
        search=tuple(options.get("search", ())),
        identifies=tuple(options.get("identifies", ())),
        tree=next((link.tree for link in definition.links.values() if link.tree is not None), None),
        lasting="lasting" in options,
        annotations=fields,
        links={**dict(_own_links(entity, entities, customer)), **inverse},
        groups=definition.link_groups,
        resolvers=_python_fields(definition) | allowed_moves(entity),
        implements={TIMELINE.name: options["timeline"]} if "timeline" in options else {},
        lookups=tuple(entity.rules.lookups.values()),
        normal_forms={
            name: normal_form for name in fields if (normal_form := column_normal_form(entity, name)) is not None
        },
        inside=frozenset(_inside(entity, inverse)),
        writer=writer_of(entity),
        me=options.get("me"),
        captured=definition.captured,
        amounts_in=definition.options.get("amounts_in", "currency"),
        verified=tuple(definition.verified_columns),
        reveals=dict(_revealing(entity)),
    )


def _revealing(entity: type[Entity]) -> Iterator[tuple[str, Reveals]]:
    """The fields that name columns under dual control, and whose these are."""
    for name, column in entity.definition.columns.items():
        if column.options.reveals is not None and not column.options.is_hidden:
            yield name, column.options.reveals


def _python_fields(definition: EntityDefinition) -> dict[str, FieldResolver]:
    """The fields that Python resolves, by name."""
    return {
        name: FieldResolver(
            f.function, tuple(column.name for column in f.needs), f.returns, f.takes_now, tuple(f.expressions.items())
        )
        for name, f in definition.python_fields.items()
    }


def _fields(definition: EntityDefinition) -> dict[str, Any]:
    """The annotations of the columns that are fields, with those that ownership brings."""
    fields = {n: a for n, a in definition.annotations.items() if not definition.columns[n].options.is_hidden}
    if definition.ownership.carries_key:
        fields["owner"] = str
    if definition.subjects:
        optional = any(subject.optional for subject in definition.subjects.values())
        fields["entity"] = str | None if optional else str
    if definition.ownership.carries_subject:
        fields["audience"] = Audience
    return fields


def _own_links(
    entity: type[Entity], entities: Sequence[type[Entity]], customer: type[Entity]
) -> Iterator[tuple[str, AnyLink]]:
    """The links that the entity declares, and the one to its owner."""
    definition = entity.definition
    for name, subject in definition.subjects.items():
        targets: dict[type[Any], str] = dict.fromkeys(subjects_of(entity, entities), "row_id")
        yield name, UnionLink(f"{entity.__name__}Subject", targets, subject.description, "entity")
    if definition.ownership.carries_subject:
        for name in ("unit", "staff"):
            column = entity.c[f"{name}_id"]
            yield name, ToOne(_target_of(column), column.name, str(column.comment))
    if definition.has_customer and not definition.is_part:
        yield "customer", ToOne(customer, "customer_id", definition.ownership.description)
    for name, link in definition.all_links.items():
        yield name, ToOne(link.target, link.column_name, link.description)
    for name, union in definition.unions.items():
        targets = {link.target: link.column_name for link in union.links}
        yield name, UnionLink(union.union_name, targets, union.description)
    for name, merged in definition.merged_lists.items():
        yield name, MergedConnection(merged.interface, "customer_id", merged.description)


def _inside(entity: type[Entity], inverse: Mapping[str, AnyLink]) -> Iterator[str]:
    """The fields that are about a customer and not for it, and the lists of rows by such a link."""
    definition = entity.definition
    yield from (name for name, column in definition.columns.items() if column.options.inside)
    yield from (name for name, link in definition.links.items() if link.inside)
    for name, link in inverse.items():
        if isinstance(link, ToMany):
            by = [own for own in link.target.definition.links.values() if own.column_name == link.by]
            yield from (name for own in by if own.inside)


def _target_of(column: sa.Column[Any]) -> type[Entity]:
    """The entity that a column of one foreign key refers to."""
    return next(entity_of(key.column.table) for key in column.foreign_keys if key.column.name == "id")


def _inverse_links(
    entity: type[Entity], entities: Sequence[type[Entity]], customer: type[Entity]
) -> Iterator[tuple[type[Entity], str, ToMany]]:
    """The lists of this entity's rows on the other sides of its links."""
    definition = entity.definition
    for subject in definition.subjects.values():
        name, description = subject.inverse
        yield from ((owner, name, ToMany(entity, "row_id", description)) for owner in subjects_of(entity, entities))
    if definition.ownership.inverse is not None and not definition.is_part:
        name, description = definition.ownership.inverse
        yield customer, name, ToMany(entity, "customer_id", description)
    for link in definition.all_links.values():
        if link.inverse is not None:
            name, description = link.inverse
            yield link.target, name, ToMany(entity, link.column_name, description)
