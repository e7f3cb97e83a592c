"""Identification: finds or creates the customer behind identifiers, once for concurrent calls; doubtful cases are queued.

An identifier is strong evidence when it was verified on both sides, or comes from the system that reported it before:
an address that somebody merely typed never joins what two systems know (anyone can type anyone's address)."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db.database_errors import ContentionError
from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.customers.birthdays import are_two_birthdays
from hub.domain.customers.customers import SOURCE_SCOPED, lock_identifiers
from hub.domain.customers.lookup import comparable, may_compare, require_attachable
from hub.domain.customers.observations import (
    NormalizedIdentifier,
    ObservedIdentifier,
    Traits,
    valid_identifiers,
    valid_traits,
)
from hub.errors import BadInput, Forbidden, NotFound
from hub.model import exact_json, provenance, rows, scopes, statements, survivorship, validators
from hub.model.columns import DescribedEnum, timestamp
from hub.model.commands import command
from hub.model.writer import writer_of
from hub.rights import Rights, Verb
from hub.schema.customers.customers import Customer, CustomerKind, Identifier, IdentifierKind
from hub.schema.customers.identity_reviews import IdentityReview, ReviewStatus
from hub.text_case import camel_case
from hub.viewer import Viewer

SHARED_IN_FAMILIES = (IdentifierKind.EMAIL, IdentifierKind.PHONE, IdentifierKind.FAX, IdentifierKind.DEVICE_ID)
MAX_STORED = 100  # of one kind, by whatever systems

# In the order in which they decide, and how many a customer has at most (of one source, for keys of other systems).
MAX_PER_CUSTOMER: Mapping[IdentifierKind, int] = {
    IdentifierKind.EXTERNAL_ID: 1,
    IdentifierKind.TAX_ID: 2,
    IdentifierKind.LOYALTY_ID: 5,
    IdentifierKind.EMAIL: 5,
    IdentifierKind.PHONE: 5,
    IdentifierKind.FAX: 5,
    IdentifierKind.DEVICE_ID: 20,
    IdentifierKind.ANONYMOUS_ID: 20,
}
RANK = {identifier_kind: rank for rank, identifier_kind in enumerate(MAX_PER_CUSTOMER)}


class IdentifyOutcome(DescribedEnum):
    """The outcome of an identification."""

    CREATED = "CREATED", "No customer had any of the identifiers; a customer was created."
    MATCHED = "MATCHED", "An existing customer has one of the identifiers."
    QUEUED_FOR_REVIEW = (
        "QUEUED_FOR_REVIEW",
        "A customer was created that may duplicate an existing one; a person decides.",
    )


class IdentifyPayload(NamedTuple):
    """The payload of identify."""

    customer: Annotated[UUID, Customer, "The customer."]
    outcome: Annotated[IdentifyOutcome, "The outcome of the identification."]
    reasons: Annotated[list[str], "Reasons of the outcome, as text; also the parts that were not taken, and why."]
    review: Annotated[
        UUID | None, IdentityReview, "The possible duplicate for a person to decide on; null if there is none."
    ] = None


@dataclass(frozen=True, slots=True)
class Match:
    """A customer who is known by an identifier, and whether that decides."""

    customer: UUID
    identifier: NormalizedIdentifier
    is_strong: bool
    same_source: bool


@lru_cache(maxsize=statements.STATEMENTS)
def matches_statement(rights: Rights) -> statements.SqlStatement:
    """Customers who are known by any of the identifiers and whom the viewer sees."""
    probes = (
        sa.func.unnest(sa.bindparam("kinds", type_=ARRAY(sa.Text)), sa.bindparam("normalized", type_=ARRAY(sa.Text)))
        .table_valued(sa.column("kind", sa.Text), sa.column("normalized", sa.Text), with_ordinality="ordinal")
        .render_derived(name="w$")
    )
    i = Identifier.table.alias("i$")
    joined = probes.join(i, sa.and_(i.c.kind == probes.c.kind, i.c.normalized == probes.c.normalized)).join(
        Customer.table, Customer.c.id == i.c.customer_id
    )
    query = sa.select(probes.c.ordinal, i.c.customer_id, i.c.verified, i.c.source).select_from(joined)
    visibility = scopes.shown(Customer.table, Customer.table, rights)
    query = query.where(*comparable(i, rights))
    return statements.compile_statement(
        (query if visibility is None else query.where(visibility)).order_by(i.c.verified.desc(), i.c.id), Customer.table
    )


_IDENTIFIERS_OF_CUSTOMER = to_sql(
    sa.select(Identifier.c.kind, Identifier.c.normalized, Identifier.c.source).where(
        Identifier.c.customer_id == sa.bindparam("customer", type_=sa.Uuid)
    )
)
_BORN_ON = "select born_on from customers where id = $1"
# A customer that was created from identifiers alone is named by one of them.
_NAMED_BY_IDENTIFIER = "select exists (select from identifiers where customer_id = $1 and value = $2)"
_REVIEW_OF_PAIR = """
select id from identity_reviews where (customer_id = $1 and other_id = $2) or (customer_id = $2 and other_id = $1)
"""
_identifier_columns = ("customer_id", "kind", "value", "normalized", "verified", "source", "created_at", "updated_at")
_INSERT_IDENTIFIER = to_sql(
    sa.insert(Identifier.table).values(
        {name: sa.bindparam(name, type_=Identifier.c[name].type) for name in _identifier_columns}
    )
)
_SET_VERIFIED = to_sql(
    sa.update(Identifier.table)
    .where(
        Identifier.c.customer_id == sa.bindparam("customer", type_=sa.Uuid),
        Identifier.c.kind == sa.bindparam("which", type_=sa.Text),
        Identifier.c.normalized == sa.bindparam("form", type_=sa.Text),
        Identifier.c.source == sa.bindparam("system", type_=sa.Text),
        ~Identifier.c.verified,
    )
    .values(
        verified=sa.true(),
        version=Identifier.c.version + sa.literal_column("1"),
        updated_at=sa.bindparam("now", type_=timestamp()),
    )
)


@command("identify")
async def identify(
    tx: Connection,
    viewer: Viewer,
    *,
    identifiers: Annotated[list[ObservedIdentifier], "Identifiers of the customer, at most 20."],
    source: Annotated[str, "The system that reports them."],
    traits: Annotated[Traits | None, "Traits of the customer."] = None,
    now: datetime,
) -> IdentifyPayload:
    """Finds the customer behind identifiers, or creates it; concurrent calls get the same one.

    The strongest kind of identifier decides. Weak evidence that would join two customers is queued for a person.
    An invalid trait or identifier is left out, and `reasons` says why; at least one identifier must be valid."""
    Customer.require(viewer, "update")
    require_attachable(viewer)
    if not may_compare(viewer):  # the outcome would tell whose a hidden value is
        message = "identifiers: this key may not read what they are, so it finds nobody by them; use a key that may."
        raise Forbidden(message, argument="identifiers", extensions={"entity": Identifier.__name__})
    source = validators.check_values({"source": source}, {"source": validators.single_line})["source"]
    refusals: list[str] = []
    supplied = _writable_traits(viewer, valid_traits(traits or Traits(), refusals, now), refusals)
    valid = valid_identifiers(identifiers, supplied.get("country"), refusals)
    normalized_identifiers = sorted(valid, key=lambda identifier: RANK[identifier.identifier_kind])
    await lock_identifiers(
        tx, [(identifier.identifier_kind, identifier.normalized) for identifier in normalized_identifiers], source
    )
    matches = await _find_matches(tx, viewer, normalized_identifiers, source)
    matched_customer = await _pick_match(tx, matches, normalized_identifiers, source, supplied.get("born_on"))
    # Several systems may have one address.
    reasons = list(dict.fromkeys(_explain(match, matched_customer) for match in matches))
    other_customers = list(dict.fromkeys(match.customer for match in matches if match.customer != matched_customer))
    if matched_customer is not None:  # what it is known by is counted below
        await rows.retry_if_gone(rows.lock_row(tx, viewer, Customer, matched_customer, "id"))
    key = matched_customer or await _create_customer(tx, viewer, supplied, normalized_identifiers, now)
    taken = {match.identifier for match in matches if match.same_source and match.customer != key}
    attached = await _attach_identifiers(tx, key, normalized_identifiers, taken, source, now, reasons)
    if matched_customer is None and not attached:
        message = "identifiers: the source has all of them of other customers; correct them there, or give another."
        raise BadInput(message, code="ALREADY_EXISTS", argument="identifiers")
    if matched_customer is not None and supplied:
        await _fill_missing(tx, viewer, key, supplied, now, reasons)
    reviews = [await ensure_review(tx, viewer, key, other, reasons, now) for other in other_customers]
    outcome = (
        IdentifyOutcome.MATCHED
        if matched_customer
        else IdentifyOutcome.QUEUED_FOR_REVIEW
        if other_customers
        else IdentifyOutcome.CREATED
    )
    return IdentifyPayload(key, outcome, [*reasons, *refusals], reviews[0] if reviews else None)


def _writable_traits(viewer: Viewer, traits: Mapping[str, Any], refusals: list[str]) -> Mapping[str, Any]:
    """The traits that the viewer's roles let it write."""
    refused = [name for name in traits if not viewer.may_write(Customer.__name__, Verb.UPDATE, name)]
    refusals += [f"{camel_case(name)} was not taken: this key may not write it" for name in refused]
    return {name: value for name, value in traits.items() if name not in refused}


async def _find_matches(
    tx: Connection, viewer: Viewer, identifiers: Sequence[NormalizedIdentifier], source: str
) -> list[Match]:
    """The customers that the identifiers match, the deciding types first."""
    statement = matches_statement(viewer.rights)
    arguments = {
        "kinds": [identifier.identifier_kind for identifier in identifiers],
        "normalized": [identifier.normalized for identifier in identifiers],
    }
    records = await tx.fetch(statement.text, *statement.bind(arguments, viewer))
    matches = [_match(identifiers[row["ordinal"] - 1], row, source) for row in records]
    return sorted(
        (match for match in matches if match is not None),
        key=lambda match: (RANK[match.identifier.identifier_kind], not match.is_strong),
    )


def _match(identifier: NormalizedIdentifier, row: asyncpg.Record, source: str) -> Match | None:
    same_source = row["source"] == source
    if identifier.identifier_kind in SOURCE_SCOPED and not same_source:
        return None
    is_strong = same_source or (identifier.verified and row["verified"])
    return Match(row["customer_id"], identifier, is_strong, same_source)


async def _pick_match(
    tx: Connection,
    matches: Sequence[Match],
    identifiers: Sequence[NormalizedIdentifier],
    source: str,
    born_on: date | None,
) -> UUID | None:
    """The customer of the first strong match, unless it has another key of the same system: then it is another one.

    So is one who was born on another day, unless the same system reported what is shared: families share addresses."""
    external_keys = [
        identifier.normalized for identifier in identifiers if identifier.identifier_kind is IdentifierKind.EXTERNAL_ID
    ]
    for match in matches:
        if not match.is_strong:
            continue
        known_keys = [
            row["normalized"]
            for row in await tx.fetch(_IDENTIFIERS_OF_CUSTOMER, match.customer)
            if row["kind"] == IdentifierKind.EXTERNAL_ID and row["source"] == source
        ]
        if external_keys and known_keys and external_keys[0] not in known_keys:
            continue
        if not match.same_source and born_on is not None and match.identifier.identifier_kind in SHARED_IN_FAMILIES:
            stored = await tx.fetchval(_BORN_ON, match.customer)
            if stored is not None and are_two_birthdays(stored, born_on):
                continue
        return match.customer
    return None


def _explain(match: Match, matched_customer: UUID | None) -> str:
    label = f"{match.identifier.identifier_kind} {match.identifier.value}"
    if match.customer == matched_customer:
        return f"{label} is known to be the customer's"
    explanation = (
        "and stronger evidence decides"
        if match.is_strong
        else "and was not verified on both sides, so it does not decide"
    )
    return f"{label} is known of another customer, {explanation}"


async def _create_customer(
    tx: Connection,
    viewer: Viewer,
    supplied: Mapping[str, Any],
    identifiers: Sequence[NormalizedIdentifier],
    now: datetime,
) -> UUID:
    row = {"kind": CustomerKind.PERSON, "name": identifiers[0].value, **supplied}
    key: UUID = await rows.prefixing_errors("traits", writer_of(Customer).create(tx, viewer, row, now))
    return key


async def _attach_identifiers(
    tx: Connection,
    key: UUID,
    identifiers: Sequence[NormalizedIdentifier],
    taken: AbstractSet[NormalizedIdentifier],
    source: str,
    now: datetime,
    reasons: list[str],
) -> int:
    """Stores identifiers that the customer does not have yet, within the limits; returns how many of them it has now.

    The viewer sees other customers with those that are `taken`."""
    stored = [(row["kind"], row["normalized"], row["source"]) for row in await tx.fetch(_IDENTIFIERS_OF_CUSTOMER, key)]
    attached = 0
    for identifier in identifiers:
        if (identifier.identifier_kind, identifier.normalized, source) in stored:
            attached += 1
            if identifier.verified:
                await tx.execute(_SET_VERIFIED, now, key, identifier.identifier_kind, identifier.normalized, source)
            continue
        count = count_if_full(stored, identifier, source)
        if count is not None:
            reasons.append(
                f"{identifier.identifier_kind} {identifier.value} was not kept: the customer has {count} of the kind"
            )
            continue
        if identifier in taken:
            reasons.append(
                f"{identifier.identifier_kind} {identifier.value} was not kept: {source} has it of another customer"
            )
            continue
        await tx.execute(
            _INSERT_IDENTIFIER,
            key,
            identifier.identifier_kind,
            identifier.value,
            identifier.normalized,
            identifier.verified,
            source,
            now,
            now,
        )
        attached += 1
        stored.append((identifier.identifier_kind, identifier.normalized, source))
    return attached


def count_if_full(stored: Sequence[tuple[str, str, str]], identifier: NormalizedIdentifier, source: str) -> int | None:
    """The number of identifiers of this type, if there is no room for one more. A value of several systems counts once."""
    same_kind = [
        (normalized, system) for stored_kind, normalized, system in stored if stored_kind == identifier.identifier_kind
    ]
    if len(same_kind) >= MAX_STORED:
        return len(same_kind)
    if identifier.identifier_kind is IdentifierKind.EXTERNAL_ID:
        same_kind = [entry for entry in same_kind if entry[1] == source]
    distinct = {entry if identifier.identifier_kind in SOURCE_SCOPED else entry[0] for entry in same_kind}
    return (
        len(distinct)
        if identifier.normalized not in distinct and len(distinct) >= MAX_PER_CUSTOMER[identifier.identifier_kind]
        else None
    )


async def _fill_missing(
    tx: Connection, viewer: Viewer, key: UUID, supplied: Mapping[str, Any], now: datetime, reasons: list[str]
) -> None:
    """Fills in traits that the customer lacks; those that it has stay, unless a policy prefers what the source says."""
    await provenance.record(tx, Customer.table, {key: supplied}, now)
    policies = await survivorship.find_policies(tx, Customer.table, list(supplied))
    await survivorship.derive(tx, Customer.table, policies, [key], now)
    row = await rows.lock_row(tx, viewer, Customer, key, "id")
    names = (name for name in ("born_on", "country", "language", "currency") if name not in policies)
    missing = [name for name in names if row[name] is None]
    if "name" in supplied and "name" not in policies and await tx.fetchval(_NAMED_BY_IDENTIFIER, key, row["name"]):
        missing.append("name")
    updates = {name: supplied[name] for name in missing if name in supplied}
    attributes = exact_json.loads(row["attributes"])
    if supplied.get("attributes", {}).keys() - attributes.keys():
        try:
            updates |= writer_of(Customer).canonical({"attributes": supplied["attributes"] | attributes})
        except BadInput:
            reasons.append("the attributes were not taken: the customer would have too many")
    if updates:
        await rows.update_row(tx, viewer, Customer, key, updates, now, fields=tuple(updates))


async def ensure_review(
    tx: Connection, viewer: Viewer, key: UUID, other: UUID, reasons: Sequence[str], now: datetime
) -> UUID:
    """The review of a pair: one row, in whichever order the two are named."""
    review_id: UUID | None = await tx.fetchval(_REVIEW_OF_PAIR, key, other)
    if review_id is not None:
        return review_id
    row = {"customer_id": key, "other_id": other, "reason": "; ".join(reasons)[:1000], "status": ReviewStatus.OPEN}
    try:
        return await rows.insert_row(tx, viewer, IdentityReview, row, now)
    except (asyncpg.ForeignKeyViolationError, NotFound) as error:
        raise ContentionError from error  # the other one was deleted since it was found
