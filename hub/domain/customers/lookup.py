"""Finding a customer by what it is known by, under a lock that keeps others from making the same customer meanwhile."""

from datetime import datetime
from functools import cache
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.domain.customers.customers import (
    IDENTIFIERS,
    SOURCED,
    Customer,
    CustomerStatus,
    Identifier,
    IdentifierKind,
    Stage,
    Tier,
    identifying,
    lock,
    prepared,
)
from hub.errors import BadInput
from hub.model import scopes, statements, validators, writer
from hub.model.writer import Kind, Naming, Part, Tx, Way
from hub.viewer import Binding, Viewer


class Known(NamedTuple):
    """Something that a customer is known by."""

    kind: Annotated[IdentifierKind, "What sort of identifier it is."]
    value: Annotated[str, "The identifier itself."]
    source: Annotated[
        str | None,
        "The system that reported it; any when left out. EXTERNAL_ID, DEVICE_ID and ANONYMOUS_ID need it.",
    ] = None


class External(NamedTuple):
    """The key of a customer in another system."""

    source: Annotated[str, "The other system."]
    external_id: Annotated[str, "The key there."]


@cache
def _find(binding: Binding, *, sourced: bool) -> statements.Statement:
    identifier = Identifier.alias("i$")
    seen = scopes.itself.visible(Customer, binding)
    found = (
        sa.select(Customer.c.id)
        .select_from(identifier.join(Customer, Customer.c.id == identifier.c.customer_id))
        .where(
            identifier.c.kind == sa.bindparam("kind", type_=sa.Text),
            identifier.c.normalized == sa.bindparam("normalized", type_=sa.Text),
        )
        .order_by(identifier.c.verified.desc(), identifier.c.id)
        .limit(sa.literal_column("1"))
    )
    if sourced:
        found = found.where(identifier.c.source == sa.bindparam("source", type_=sa.Text))
    return statements.made(found if seen is None else found.where(seen), Customer)


async def known(tx: Tx, viewer: Viewer, by: Known) -> UUID | None:
    """The customer who is known by an identifier, a verified one first; None when there is none that the viewer sees."""
    normalized, source = identifying(by.kind, by.value), _source(by)
    statement = _find(viewer.binding, sourced=source is not None)
    given = {"kind": by.kind, "normalized": normalized, "source": source}
    key: UUID | None = await tx.fetchval(statement.text, *statement.bind(given, viewer))
    return key


def _source(by: Known) -> str | None:
    """The system that reported an identifier, as it is kept; raises BadInput where the identifier says nothing without it."""
    found: str | None = validators.checked({"source": by.source}, {"source": validators.line})["source"]
    if found is None and by.kind in SOURCED:
        message = f"source: {by.kind} means something within one system alone; give the system that it is of."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="source")
    return found


async def _find_known(tx: Tx, viewer: Viewer, by: Known) -> UUID | None:
    await lock(tx, [(by.kind, identifying(by.kind, by.value))])
    return await known(tx, viewer, by)


async def _claim_known(tx: Tx, viewer: Viewer, key: UUID, by: Known, at: datetime) -> None:
    row = {
        "customer_id": key,
        "kind": by.kind,
        "value": by.value,
        "normalized": identifying(by.kind, by.value),
        "source": _source(by) or "hub",
        "created_at": at,
        "updated_at": at,
    }
    await writer.insert(tx, viewer, Identifier, row)


def _as_known(by: External) -> Known:
    return Known(IdentifierKind.EXTERNAL_ID, by.external_id, by.source)


async def _find_external(tx: Tx, viewer: Viewer, by: External) -> UUID | None:
    return await _find_known(tx, viewer, _as_known(by))


async def _claim_external(tx: Tx, viewer: Viewer, key: UUID, by: External, at: datetime) -> None:
    await _claim_known(tx, viewer, key, _as_known(by), at)


BY_IDENTIFIER = Naming("customer_id", Known, "What the customer is known by, in place of its id.", known)
WAYS = {
    "identifier": Way(Known, "An identifier; a verified one is preferred.", _find_known, _claim_known),
    "external": Way(External, "Its key in another system.", _find_external, _claim_external),
}
DETAILS = ("kind", "name", "status", "tier", "country", "language", "currency", "attributes")
CUSTOMERS = Kind(
    Customer,
    subject="customers",
    scope=scopes.itself,
    creates=(*DETAILS, "stage", "unit_id", "owner_id"),
    updates=DETAILS,
    prepare=prepared,
    defaults={"status": CustomerStatus.ACTIVE, "stage": Stage.PROSPECT, "tier": Tier.STANDARD},
    filled=("unit_id",),
    ways=WAYS,
    parts={"identifiers": Part(IDENTIFIERS, by="customer_id")},
    patient=True,
)
