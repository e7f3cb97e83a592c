"""Finding a customer by what it is known by, under a lock that keeps others from making the same customer meanwhile."""

from datetime import datetime
from functools import cache
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.customers.customers import (
    IDENTIFIER_WRITER,
    SOURCE_SCOPED,
    Customer,
    CustomerStatus,
    Identifier,
    IdentifierKind,
    Stage,
    Tier,
    canonical_identifier,
    lock_identifiers,
    validate_customer,
)
from hub.errors import BadInput
from hub.model import scopes, statements, validators, writer
from hub.model.writer import AlternateKey, EntityWriter, NestedRows, ReferenceLookup
from hub.viewer import Binding, Viewer


class IdentifierRef(NamedTuple):
    """Something that a customer is known by."""

    kind: Annotated[IdentifierKind, "What sort of identifier it is."]
    value: Annotated[str, "The identifier itself."]
    source: Annotated[
        str | None,
        "The system that reported it; any when left out. EXTERNAL_ID, DEVICE_ID and ANONYMOUS_ID need it.",
    ] = None


class ExternalRef(NamedTuple):
    """The key of a customer in another system."""

    source: Annotated[str, "The other system."]
    external_id: Annotated[str, "The key there."]


@cache
def _identifier_statement(binding: Binding, *, with_source: bool) -> statements.SqlStatement:
    identifier = Identifier.alias("i$")
    visibility = scopes.customer_itself.predicate(Customer, binding)
    query = (
        sa.select(Customer.c.id)
        .select_from(identifier.join(Customer, Customer.c.id == identifier.c.customer_id))
        .where(
            identifier.c.kind == sa.bindparam("kind", type_=sa.Text),
            identifier.c.normalized == sa.bindparam("normalized", type_=sa.Text),
        )
        .order_by(identifier.c.verified.desc(), identifier.c.id)
        .limit(sa.literal_column("1"))
    )
    if with_source:
        query = query.where(identifier.c.source == sa.bindparam("source", type_=sa.Text))
    return statements.compile_statement(query if visibility is None else query.where(visibility), Customer)


async def find_by_identifier(tx: Connection, viewer: Viewer, identifier: IdentifierRef) -> UUID | None:
    """The customer who is known by an identifier, a verified one first; None when there is none that the viewer sees."""
    normalized, source = canonical_identifier(identifier.kind, identifier.value), _canonical_source(identifier)
    statement = _identifier_statement(viewer.binding, with_source=source is not None)
    arguments = {"kind": identifier.kind, "normalized": normalized, "source": source}
    key: UUID | None = await tx.fetchval(statement.text, *statement.bind(arguments, viewer))
    return key


def _canonical_source(identifier: IdentifierRef) -> str | None:
    """The system that reported an identifier, as it is kept; raises BadInput where the identifier says nothing without it."""
    source: str | None = validators.check_values({"source": identifier.source}, {"source": validators.single_line})[
        "source"
    ]
    if source is None and identifier.kind in SOURCE_SCOPED:
        message = f"source: {identifier.kind} means something within one system alone; give the system that it is of."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="source")
    return source


async def _lock_and_find(tx: Connection, viewer: Viewer, identifier: IdentifierRef) -> UUID | None:
    await lock_identifiers(tx, [(identifier.kind, canonical_identifier(identifier.kind, identifier.value))])
    return await find_by_identifier(tx, viewer, identifier)


async def _attach_identifier(
    tx: Connection, viewer: Viewer, key: UUID, identifier: IdentifierRef, now: datetime
) -> None:
    row = {
        "customer_id": key,
        "kind": identifier.kind,
        "value": identifier.value,
        "normalized": canonical_identifier(identifier.kind, identifier.value),
        "source": _canonical_source(identifier) or "hub",
        "created_at": now,
        "updated_at": now,
    }
    await writer.insert_row(tx, viewer, Identifier, row)


def _as_identifier_ref(external: ExternalRef) -> IdentifierRef:
    return IdentifierRef(IdentifierKind.EXTERNAL_ID, external.external_id, external.source)


async def _find_by_external_id(tx: Connection, viewer: Viewer, external: ExternalRef) -> UUID | None:
    return await _lock_and_find(tx, viewer, _as_identifier_ref(external))


async def _attach_external_id(tx: Connection, viewer: Viewer, key: UUID, external: ExternalRef, now: datetime) -> None:
    await _attach_identifier(tx, viewer, key, _as_identifier_ref(external), now)


CUSTOMER_BY_IDENTIFIER = ReferenceLookup(
    "customer_id", IdentifierRef, "What the customer is known by, in place of its id.", find_by_identifier
)
UPSERT_KEYS = {
    "identifier": AlternateKey(
        IdentifierRef, "An identifier; a verified one is preferred.", _lock_and_find, _attach_identifier
    ),
    "external": AlternateKey(ExternalRef, "Its key in another system.", _find_by_external_id, _attach_external_id),
}
CUSTOMER_COLUMNS = ("kind", "name", "status", "tier", "country", "language", "currency", "attributes")
CUSTOMER_WRITER = EntityWriter(
    Customer,
    subject="customers",
    scope=scopes.customer_itself,
    creatable=(*CUSTOMER_COLUMNS, "stage", "unit_id", "owner_id"),
    updatable=CUSTOMER_COLUMNS,
    check_write=validate_customer,
    defaults={"status": CustomerStatus.ACTIVE, "stage": Stage.PROSPECT, "tier": Tier.STANDARD},
    server_filled=("unit_id",),
    alternate_keys=UPSERT_KEYS,
    nested={"identifiers": NestedRows(IDENTIFIER_WRITER, parent_column="customer_id")},
    long_running_delete=True,
)
