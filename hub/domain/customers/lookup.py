"""Finding a customer by an identifier, under a lock that keeps others from creating the same customer meanwhile."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.customers.customers import (
    SOURCE_SCOPED,
    canonical_identifier,
    lock_identifiers,
    normalize_identifier,
)
from hub.errors import BadInput, Forbidden
from hub.model import rows, scopes, statements, validators
from hub.model.declarations import LookupScope
from hub.model.rules import alternate_key, lookup
from hub.rights import AccessRule, Rights, Verb
from hub.schema.customers.contacts import ContactPoint
from hub.schema.customers.customers import Customer, Identifier, IdentifierKind
from hub.viewer import Viewer


class IdentifierRef(NamedTuple):
    """An identifier of a customer."""

    kind: Annotated[IdentifierKind, "Type of the identifier."]
    value: Annotated[str, "The identifier itself."]
    source: Annotated[
        str | None,
        "The system that reported it; any by default. EXTERNAL_ID, DEVICE_ID and ANONYMOUS_ID need it.",
    ] = None
    country: Annotated[str | None, "ISO country code that a national telephone number is read in."] = None


class ExternalRef(NamedTuple):
    """The key of a customer in another system."""

    source: Annotated[str, "The other system."]
    external_id: Annotated[str, "The key there."]


COMPARED = (Identifier.c.value,)  # what customers are found by; its normal form goes with it
MAX_MATCHES = 20  # identifiers of one value that are looked at, of several sources and customers
_OPEN_REVIEW = """
insert into identity_reviews (customer_id, other_id, reason, status)
select pair.a, pair.b, $3, 'OPEN' from (select $1::uuid, $2::uuid) as pair (a, b) where not exists (
    select from identity_reviews where (customer_id, other_id) in ((pair.a, pair.b), (pair.b, pair.a))
) on conflict do nothing
"""


@lru_cache(maxsize=statements.STATEMENTS)
def _identifier_statement(rights: Rights, *, with_source: bool) -> statements.SqlStatement:
    identifier = Identifier.table.alias("i$")
    visibility = scopes.shown(Customer.table, Customer.table, rights)
    query = (
        sa.select(Customer.c.id)
        .select_from(identifier.join(Customer.table, Customer.c.id == identifier.c.customer_id))
        .where(
            identifier.c.kind == sa.bindparam("kind", type_=sa.Text),
            identifier.c.normalized == sa.bindparam("normalized", type_=sa.Text),
        )
        .order_by(identifier.c.verified.desc(), identifier.c.id)
        .limit(sa.literal_column(str(MAX_MATCHES)))
    )
    query = query.where(*comparable(identifier, rights))
    if with_source:
        query = query.where(identifier.c.source == sa.bindparam("source", type_=sa.Text))
    return statements.compile_statement(query if visibility is None else query.where(visibility), Customer.table)


async def find_by_identifier(tx: Connection, viewer: Viewer, identifier: IdentifierRef) -> UUID | None:
    """The customer who is known by an identifier, a verified one first; None when there is none that the viewer sees.

    Where a viewer that sees everything finds several, a review of the first two is opened."""
    normalized, source = _canonical_value(identifier), _canonical_source(identifier)
    if not may_compare(viewer):
        return None
    statement = _identifier_statement(viewer.rights, with_source=source is not None)
    arguments = {"kind": identifier.kind, "normalized": normalized, "source": source}
    records = await tx.fetch(statement.text, *statement.bind(arguments, viewer))
    customers = list(dict.fromkeys(record["id"] for record in records))
    if len(customers) > 1 and viewer.sees_all_rows:
        reason = f"{identifier.kind} {identifier.value}: both customers have it"
        await tx.execute(_OPEN_REVIEW, customers[1], customers[0], reason[:1000])
    return customers[0] if customers else None


def _rules_with_value(rights: Rights) -> tuple[AccessRule, ...] | None:
    """The rules that show what identifiers are; None for all identifiers."""
    rules = rights.granting(Identifier.__name__)
    return rules if rules is None else tuple(rule for rule in rules if rule.shows("value"))


def may_compare(viewer: Viewer) -> bool:
    """Whether the viewer may find customers by identifiers: doing so tells whose a value is."""
    return _rules_with_value(viewer.rights) != ()


def comparable(row: sa.FromClause, rights: Rights) -> list[sa.ColumnElement[bool]]:
    """The conditions of identifiers that the viewer sees with their values."""
    if not rights.narrowed:  # who sees a customer sees its identifiers
        return []
    rules = _rules_with_value(rights)
    visibility = scopes.shown(Identifier.table, row, rights)
    with_value = None if rules is None else scopes.granted(rules, row, rights)
    return [condition for condition in (visibility, with_value) if condition is not None]


def require_attachable(viewer: Viewer) -> None:
    """Raises Forbidden unless the viewer may give a customer an identifier."""
    Identifier.require(viewer, "create")
    if not viewer.may_write(Identifier.__name__, Verb.CREATE, Identifier.c.value.name):
        message = "identifiers: this key may not write what they are; use a key that may."
        raise Forbidden(message, argument="identifiers", extensions={"entity": Identifier.__name__})


def _canonical_source(identifier: IdentifierRef) -> str | None:
    """The system that reported an identifier, in normal form; raises BadInput where the identifier needs one."""
    source: str | None = validators.check_values({"source": identifier.source}, {"source": validators.single_line})[
        "source"
    ]
    if source is None and identifier.kind in SOURCE_SCOPED:
        message = f"source: {identifier.kind} means something within one system alone; give the system that it is of."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="source")
    return source


def _canonical_value(identifier: IdentifierRef) -> str:
    """The normal form of an identifier; raises BadInput for what identifies nobody."""
    return canonical_identifier(identifier.kind, identifier.value, identifier.country)


async def _attach_identifier(
    tx: Connection, viewer: Viewer, key: UUID, identifier: IdentifierRef, now: datetime
) -> None:
    require_attachable(viewer)
    row = {
        "customer_id": key,
        "kind": identifier.kind,
        "value": validators.single_line(identifier.value),
        "normalized": _canonical_value(identifier),
        "source": _canonical_source(identifier) or "hub",
    }
    fields = ["kind", "value", *([] if identifier.source is None else ["source"])]
    await rows.insert_row(tx, viewer, Identifier, row, now, fields=fields)


@alternate_key(
    Customer,
    "identifier",
    IdentifierRef,
    "An identifier; a verified one is preferred.",
    attach=_attach_identifier,
    compared=COMPARED,
)
async def _lock_and_find(tx: Connection, viewer: Viewer, identifier: IdentifierRef) -> UUID | None:
    await lock_identifiers(tx, [(identifier.kind, _canonical_value(identifier))])
    return await find_by_identifier(tx, viewer, identifier)


def _as_identifier_ref(external: ExternalRef) -> IdentifierRef:
    return IdentifierRef(IdentifierKind.EXTERNAL_ID, external.external_id, external.source)


async def _attach_external_id(tx: Connection, viewer: Viewer, key: UUID, external: ExternalRef, now: datetime) -> None:
    await _attach_identifier(tx, viewer, key, _as_identifier_ref(external), now)


@alternate_key(
    Customer, "external", ExternalRef, "Its key in another system.", attach=_attach_external_id, compared=COMPARED
)
async def _find_by_external_id(tx: Connection, viewer: Viewer, external: ExternalRef) -> UUID | None:
    return await _lock_and_find(tx, viewer, _as_identifier_ref(external))


@lookup(
    Identifier.c.customer_id,
    "identifier",
    arguments={
        "kind": (Identifier.c.kind, True),
        "value": (Identifier.c.normalized, True),
        "source": (Identifier.c.source, False),
        "country": (ContactPoint.c.country, False),
    },
    prefer=(("verified", "desc"), ("id", "asc")),
    scope=LookupScope("source", "kind", tuple(identifier_kind.value for identifier_kind in SOURCE_SCOPED)),
)
def _normalize_arguments(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The customer who is known by an identifier; a verified one is preferred, then the oldest.

    An EXTERNAL_ID, DEVICE_ID or ANONYMOUS_ID that several systems use for different customers needs its `source`."""
    normalized = normalize_identifier(IdentifierKind[arguments["kind"]], arguments["value"], arguments.get("country"))
    return {**validators.check_values(arguments, {"source": validators.single_line}), "value": normalized}
