"""Polymorphic references: rows about a row of any of several entities, as visible as that row.

`subject_values` gives the columns of a new one. They are copied from the subject, so that reading never joins it; foreign
keys and the triggers of `followers` keep them right."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.model import registry, work_scopes
from hub.model.columns import metadata
from hub.model.entity import Entity
from hub.model.rows import not_visible
from hub.model.scopes import Audience
from hub.model.workflows import ANY

# Who sees rows about a row, by the name of its scope. A row that may be internal is about the customer, and not for it.
_AUDIENCES = {
    "customer_itself": Audience.CUSTOMER,
    "customer_owned": Audience.CUSTOMER,
    "shared": Audience.INSIDE,
    "inside": Audience.INSIDE,
    "unit_itself": Audience.UNIT,
    "unit_owned": Audience.UNIT,
    "any_key": Audience.UNIT,
    "every_unit": Audience.UNIT,
    "person": Audience.PERSON,
    "unit_or_person": Audience.ASSIGNEE,
    "issued_report": Audience.PERSON,
}
_PERSON_IF_NAMED = "case when staff_id is null then 'UNIT' else 'PERSON' end"
OWNERS = ("customer_id", "unit_id", "staff_id")


class Follower(NamedTuple):
    """Rows of `follower` go with the row of `subject` that they are about; their owners follow it if they carry them."""

    subject: sa.Table
    follower: sa.Table


def subjects_of(entity: type[Entity], entities: Sequence[type[Entity]]) -> tuple[type[Entity], ...]:
    """The entities whose rows this one's may be about, in the order of `entities`."""
    workflows = entity.definition.options.get("moves_of") is ANY
    own = {o.table for e in entities if isinstance(o := e.definition.options.get("moves_of"), sa.Column)}
    return tuple(
        candidate
        for candidate in entities
        if entity.__name__ in candidate.definition.options.get("subject_of", ())
        or (workflows and _keeps_moves(candidate) and candidate.table not in own)
    )


def _keeps_moves(entity: type[Entity]) -> bool:
    """Whether moves of one of the entity's workflows are stored."""
    if "moves_of" in entity.definition.options:
        return False
    return any(workflow.has_history for workflow in entity.definition.workflow_columns.values())


def followers(entities: Sequence[type[Entity]]) -> Iterator[Follower]:
    """Every pair of tables whose rows go together; migrations make their triggers by `hub_follow_subject`."""
    for entity in entities:
        if entity.definition.subjects:
            yield from (Follower(subject.table, entity.table) for subject in subjects_of(entity, entities))


def subject_faults(entities: Sequence[type[Entity]]) -> Iterator[str]:
    """Why references cannot stand: unknown names, entities without a reference, and subjects whose readers differ by key."""
    referring = {entity.__name__: entity for entity in entities if entity.definition.subjects}
    for entity in entities:
        for name in entity.definition.options.get("subject_of", ()):
            if name not in referring:
                yield f"{entity.__name__} is subject_of {name}, which is no entity with any_of"
    for name, entity in referring.items():
        if len(entity.definition.subjects) > 1:
            yield f"{name} has two references; one entity is about one row"
        if not subjects_of(entity, entities):
            yield f"{name} is about rows of no entity; an entity says so by subject_of"
        if entity.definition.ownership.carries_subject:
            for subject in subjects_of(entity, entities):
                if not subject.definition.ownership.carries_subject and subject.definition.scope.name not in _AUDIENCES:
                    yield f"{subject.__name__} is subject_of {name}, but no audience sees what sees its rows"
    for entity in entities:
        definition = entity.definition
        if definition.ownership.carries_subject and not definition.subjects and definition.parent is None:
            yield f"{entity.__name__} is owned_by=subject, but has no any_of that says what it is about"


async def subject_values(tx: Connection, entity: type[Entity], key: UUID) -> dict[str, Any]:
    """The columns of a new row about the row `key` of `entity`: `entity`, `row_id`, its owners and its audience.

    A command may narrow the audience to INSIDE. Raises NotFound where the row is gone; asks no rights."""
    row = await tx.fetchrow(_owners_sql(entity.table), key)
    if row is None:
        raise not_visible("id")
    return {"entity": entity.__name__, "row_id": key, **{name: row[name] for name in (*OWNERS, "audience")}}


def inside_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Such columns for a row that a customer does not see, although it sees the subject."""
    return {**values, **({"audience": Audience.INSIDE.value} if values["audience"] == Audience.CUSTOMER else {})}


def reference_values(values: dict[str, Any]) -> dict[str, Any]:
    """Of such columns, those that an entity with a scope of its own has: `entity` and `row_id`."""
    return {name: values[name] for name in ("entity", "row_id")}


@cache
def _owners_sql(table: sa.Table) -> str:
    """Reads a row's owners; a customer's unit stays as it is until the transaction ends."""
    definition = registry.registered(table).definition
    empty: sa.ColumnElement[Any] = sa.literal_column("null::uuid")
    owners = {name: table.c.get(name, empty) for name in OWNERS}
    source: sa.FromClause = table
    locked: sa.FromClause | None = None
    if definition.scope.customer_column == "id":
        owners["customer_id"], locked = table.c.id, table
    elif definition.scope.name == "unit_itself":
        owners["unit_id"] = table.c.id
    elif definition.has_customer and not definition.customer_optional:
        locked = metadata.tables["customers"]
        source = table.join(locked, locked.c.id == table.c.customer_id)
        owners["unit_id"] = locked.c.unit_id
    elif _AUDIENCES.get(definition.scope.name) is Audience.PERSON:
        owners["customer_id"] = empty  # a customer that a person's row names owns nothing of it
    audience: sa.ColumnElement[Any] = (
        table.c.audience
        if definition.ownership.carries_subject
        else sa.literal_column(f"'{_AUDIENCES[definition.scope.name]}'")
    )
    if definition.scope is work_scopes.issued_report:  # about a person, or about a unit
        audience = sa.literal_column(_PERSON_IF_NAMED)
    columns = [value.label(name) for name, value in (owners | {"audience": audience}).items()]
    select = sa.select(*columns).select_from(source).where(table.c.id == sa.bindparam("key", type_=sa.Uuid))
    return to_sql(select if locked is None else select.with_for_update(read=True, key_share=True, of=locked))
