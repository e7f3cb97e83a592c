"""Who is it? Finds or makes the customer behind identifiers, once, however many ask; doubtful cases go to a person.

An identifier is strong evidence when it was verified on both sides, or comes from the system that reported it before:
an address that somebody merely typed never joins what two systems know (anyone can type anyone's address)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from hub.db.pool import contended
from hub.db.sql_text import text
from hub.domain.customers import customers
from hub.domain.customers.customers import (
    SOURCED,
    Customer,
    CustomerKind,
    Identifier,
    IdentifierKind,
    identifying,
    lock,
)
from hub.domain.customers.lookup import CUSTOMERS
from hub.domain.organisation.organisation import OrgUnit
from hub.errors import BadInput, NotFound
from hub.model import scopes, statements, validators, writer
from hub.model.columns import Choice, choice, entity, moment, owner, reference
from hub.model.writer import Kind, Tx
from hub.viewer import Binding, Viewer

MOST_IDENTIFIERS = 20
MOST_KEPT = 100  # of one kind, by whatever systems

# In the order in which they decide, and how many a customer has at most (of one source, for keys of other systems).
LIMITS: Mapping[IdentifierKind, int] = {
    IdentifierKind.EXTERNAL_ID: 1,
    IdentifierKind.TAX_ID: 2,
    IdentifierKind.LOYALTY_ID: 5,
    IdentifierKind.EMAIL: 5,
    IdentifierKind.PHONE: 5,
    IdentifierKind.FAX: 5,
    IdentifierKind.DEVICE_ID: 20,
    IdentifierKind.ANONYMOUS_ID: 20,
}
RANK = {kind: number for number, kind in enumerate(LIMITS)}


class Outcome(Choice):
    """What became of a question for a customer."""

    CREATED = "CREATED", "Nobody was known by any of it; a customer was made."
    MATCHED = "MATCHED", "A customer was known by it."
    QUEUED_FOR_REVIEW = "QUEUED_FOR_REVIEW", "A customer was made, and may be one that is known; a person decides."


class ReviewStatus(Choice):
    OPEN = "OPEN", "Nobody has decided yet."
    SAME = "SAME", "They are one."
    NOT_SAME = "NOT_SAME", "They are two."


Review = entity(
    "identity_reviews",
    owner("The customer who may be another one."),
    reference("other_id", "customers.id", "The customer who it may be.", ondelete="CASCADE"),
    sa.Column("reason", sa.Text, nullable=False, comment="What speaks for it."),
    sa.Column(
        "status",
        choice(ReviewStatus),
        nullable=False,
        server_default=sa.text("'OPEN'"),
        comment="Whether somebody has decided, and how.",
    ),
    sa.CheckConstraint("customer_id <> other_id", name="other_id_is_another"),
    sa.UniqueConstraint("customer_id", "other_id"),
    comment="A doubt whether two customers are one.",
)
sa.Index("ix_identity_reviews_customer_id_created_at_id", Review.c.customer_id, Review.c.created_at, Review.c.id)
sa.Index("ix_identity_reviews_other_id_created_at_id", Review.c.other_id, Review.c.created_at, Review.c.id)
sa.Index("ix_identity_reviews_created_at_id", Review.c.created_at, Review.c.id)

REVIEWS = Kind(Review, subject="customers", scope=scopes.customer, updates=("status",), deletes=False)


class IdentifierGiven(NamedTuple):
    """Something that the customer is known by."""

    kind: Annotated[IdentifierKind, "What sort of identifier it is."]
    value: Annotated[str, "The identifier itself."]
    verified: Annotated[bool, "Whether it was proven to be the customer's."] = False


class Traits(NamedTuple):
    """What is known of the customer beside; a customer who is found keeps what it has, and gets what it lacks.

    A name is lacking while the customer is called by an identifier."""

    name: Annotated[str | None, "Full or company name."] = None
    kind: Annotated[CustomerKind | None, "A person or an organisation; a person when left out."] = None
    unit_id: Annotated[
        UUID | None, OrgUnit, "The unit that shall own a new customer; the key's own or the root when left out."
    ] = None
    country: Annotated[str | None, "ISO 3166-1 alpha-2 code."] = None
    language: Annotated[str | None, "ISO 639 code."] = None
    currency: Annotated[str | None, "ISO 4217 code."] = None
    attributes: Annotated[dict[str, Any] | None, "Free facts."] = None


class Identified(NamedTuple):
    """Who it is, and why."""

    customer: Annotated[UUID, Customer, "The customer."]
    outcome: Annotated[Outcome, "What happened."]
    reasons: Annotated[list[str], "Why, in words."]
    review: Annotated[UUID | None, Review, "The doubt that a person is to decide, if there is one."] = None


@dataclass(frozen=True, slots=True)
class Sign:
    """An identifier in the form that is compared."""

    kind: IdentifierKind
    value: str
    normalized: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A customer who is known by a sign, and whether that decides."""

    customer: UUID
    sign: Sign
    strong: bool


@cache
def _hits(binding: Binding) -> statements.Statement:
    """Who is known by any of the signs, among those whom the viewer sees."""
    wanted = (
        sa.func.unnest(sa.bindparam("kinds", type_=ARRAY(sa.Text)), sa.bindparam("normalized", type_=ARRAY(sa.Text)))
        .table_valued(sa.column("kind", sa.Text), sa.column("normalized", sa.Text), with_ordinality="at")
        .render_derived(name="w$")
    )
    i = Identifier.alias("i$")
    joined = wanted.join(i, sa.and_(i.c.kind == wanted.c.kind, i.c.normalized == wanted.c.normalized)).join(
        Customer, Customer.c.id == i.c.customer_id
    )
    found = sa.select(wanted.c.at, i.c.customer_id, i.c.verified, i.c.source).select_from(joined)
    seen = scopes.itself.visible(Customer, binding)
    return statements.made((found if seen is None else found.where(seen)).order_by(i.c.id), Customer)


_SOURCED = text(
    sa.select(Identifier.c.kind, Identifier.c.normalized, Identifier.c.source).where(
        Identifier.c.customer_id == sa.bindparam("customer", type_=sa.Uuid)
    )
)
# Who was made of identifiers alone is named by one of them.
_NAMED = "select exists (select from identifiers where customer_id = $1 and value = $2)"
_PAIR = """
select id from identity_reviews where (customer_id = $1 and other_id = $2) or (customer_id = $2 and other_id = $1)
"""
_names = ("customer_id", "kind", "value", "normalized", "verified", "source", "created_at", "updated_at")
_ATTACH = text(
    insert(Identifier)
    .values({name: sa.bindparam(name, type_=Identifier.c[name].type) for name in _names})
    .on_conflict_do_nothing()
    .returning(Identifier.c.id)
)
_VERIFY = text(
    sa.update(Identifier)
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
        updated_at=sa.bindparam("at", type_=moment()),
    )
)


async def identify(
    tx: Tx,
    viewer: Viewer,
    *,
    identifiers: Annotated[list[IdentifierGiven], "What the customer is known by, at most 20."],
    source: Annotated[str, "The system that says so."],
    traits: Annotated[Traits | None, "What is known of the customer beside."] = None,
    at: datetime,
) -> Identified:
    """Finds the customer behind identifiers, or makes it; several who ask at once get the same one.

    The strongest kind of identifier decides. What would join two customers on weak evidence is queued for a person."""
    viewer.require("customers:write")
    source = validators.checked({"source": source}, {"source": validators.line})["source"]
    signs = _signs(identifiers)
    await lock(tx, [(sign.kind, sign.normalized) for sign in signs])
    hits = await _found(tx, viewer, signs, source)
    matched = await _decided(tx, hits, signs, source)
    reasons = list(dict.fromkeys(_told(hit, matched) for hit in hits))  # several systems may have one address
    others = list(dict.fromkeys(hit.customer for hit in hits if hit.customer != matched))
    if matched is not None:  # what it is known by is counted below
        await writer.looked_up(writer.lock(tx, viewer, Customer, matched, "id"))
    key = matched or await _make(tx, viewer, traits or Traits(), signs, at)
    attached = await _attach(tx, key, signs, source, at, reasons)
    if matched is None and not attached:
        message = "identifiers: they belong to a customer whom this key does not see; ask with a key that does."
        raise BadInput(message, code="ALREADY_EXISTS", argument="identifiers")
    if matched is not None and traits is not None:
        await _complete(tx, viewer, key, traits, at, reasons)
    reviews = [await _review(tx, viewer, key, other, reasons, at) for other in others]
    outcome = Outcome.MATCHED if matched else Outcome.QUEUED_FOR_REVIEW if others else Outcome.CREATED
    return Identified(key, outcome, reasons, reviews[0] if reviews else None)


def _signs(identifiers: Sequence[IdentifierGiven]) -> list[Sign]:
    if not 1 <= len(identifiers) <= MOST_IDENTIFIERS:
        message = f"identifiers: give 1 to {MOST_IDENTIFIERS}."
        raise BadInput(message, code="IDENTIFIER_LIMIT", argument="identifiers")
    found: dict[tuple[IdentifierKind, str], Sign] = {}
    for number, each in enumerate(identifiers):
        try:
            normalized = identifying(each.kind, each.value)
        except BadInput as error:
            raise writer.inside(f"identifiers[{number}]", error) from None
        before = found.get((each.kind, normalized))
        verified = each.verified or (before is not None and before.verified)
        found[each.kind, normalized] = Sign(each.kind, each.value.strip(), normalized, verified)
    return sorted(found.values(), key=lambda sign: RANK[sign.kind])


async def _found(tx: Tx, viewer: Viewer, signs: Sequence[Sign], source: str) -> list[Hit]:
    """Whom the signs point at, the deciding kinds first."""
    statement = _hits(viewer.binding)
    given = {"kinds": [sign.kind for sign in signs], "normalized": [sign.normalized for sign in signs]}
    rows = await tx.fetch(statement.text, *statement.bind(given, viewer))
    hits = [_hit(signs[row["at"] - 1], row, source) for row in rows]
    return sorted((hit for hit in hits if hit is not None), key=lambda hit: (RANK[hit.sign.kind], not hit.strong))


def _hit(sign: Sign, row: asyncpg.Record, source: str) -> Hit | None:
    same = row["source"] == source
    if sign.kind in SOURCED and not same:
        return None
    return Hit(row["customer_id"], sign, same or (sign.verified and row["verified"]))


async def _decided(tx: Tx, hits: Sequence[Hit], signs: Sequence[Sign], source: str) -> UUID | None:
    """The customer whom the first strong sign names, unless it has another key of the same system: then it is another."""
    external = [sign.normalized for sign in signs if sign.kind is IdentifierKind.EXTERNAL_ID]
    for hit in hits:
        if not hit.strong:
            continue
        known = [
            row["normalized"]
            for row in await tx.fetch(_SOURCED, hit.customer)
            if row["kind"] == IdentifierKind.EXTERNAL_ID and row["source"] == source
        ]
        if not external or not known or external[0] in known:
            return hit.customer
    return None


def _told(hit: Hit, matched: UUID | None) -> str:
    what = f"{hit.sign.kind} {hit.sign.value}"
    if hit.customer == matched:
        return f"{what} is known to be the customer's"
    weight = (
        "and stronger evidence decides" if hit.strong else "and was not verified on both sides, so it does not decide"
    )
    return f"{what} is known of another customer, {weight}"


async def _make(tx: Tx, viewer: Viewer, traits: Traits, signs: Sequence[Sign], at: datetime) -> UUID:
    given = {name: value for name, value in traits._asdict().items() if value is not None}
    row = {"kind": CustomerKind.PERSON, "name": signs[0].value, **given}
    key: UUID = await writer.within("traits", CUSTOMERS.create(tx, viewer, row, at))
    return key


async def _attach(tx: Tx, key: UUID, signs: Sequence[Sign], source: str, at: datetime, reasons: list[str]) -> int:
    """Keeps the signs that the customer is not known by yet, within the limits; gives how many it is known by."""
    known = [(row["kind"], row["normalized"], row["source"]) for row in await tx.fetch(_SOURCED, key)]
    attached = 0
    for sign in signs:
        if (sign.kind, sign.normalized, source) in known:
            attached += 1
            if sign.verified:
                await tx.execute(_VERIFY, at, key, sign.kind, sign.normalized, source)
            continue
        count = _counted(known, sign, source)
        if count is not None:
            reasons.append(f"{sign.kind} {sign.value} was not kept: the customer has {count} of the kind")
            continue
        made = await tx.fetchval(_ATTACH, key, sign.kind, sign.value, sign.normalized, sign.verified, source, at, at)
        if made is None:
            reasons.append(f"{sign.kind} {sign.value} was not kept: {source} has it of another customer")
            continue
        attached += 1
        known.append((sign.kind, sign.normalized, source))
    return attached


def _counted(known: Sequence[tuple[str, str, str]], sign: Sign, source: str) -> int | None:
    """How many of its kind a customer has, where that is too many for one more. What many systems know is one."""
    alike = [(normalized, system) for kind, normalized, system in known if kind == sign.kind]
    if len(alike) >= MOST_KEPT:
        return len(alike)
    if sign.kind is IdentifierKind.EXTERNAL_ID:
        alike = [each for each in alike if each[1] == source]
    values = {each if sign.kind in SOURCED else each[0] for each in alike}
    return len(values) if sign.normalized not in values and len(values) >= LIMITS[sign.kind] else None


async def _complete(tx: Tx, viewer: Viewer, key: UUID, traits: Traits, at: datetime, reasons: list[str]) -> None:
    """Fills in what the customer lacks; what it has stays, whoever says otherwise."""
    row = await writer.lock(tx, viewer, Customer, key, "id")
    try:
        given = customers.prepared({name: value for name, value in traits._asdict().items() if value is not None}, at)
        lacking = [name for name in ("country", "language", "currency") if row[name] is None]
        if "name" in given and await tx.fetchval(_NAMED, key, row["name"]):
            lacking.append("name")
        found = {name: given[name] for name in lacking if name in given}
    except BadInput as error:
        raise writer.inside("traits", error) from None
    facts = json.loads(row["attributes"])
    if given.get("attributes", {}).keys() - facts.keys():
        try:
            found |= customers.prepared({"attributes": given["attributes"] | facts}, at)
        except BadInput:
            reasons.append("the attributes were not taken: the customer would have too many")
    if found:
        await writer.change(tx, viewer, Customer, key, found, at)


async def _review(tx: Tx, viewer: Viewer, key: UUID, other: UUID, reasons: Sequence[str], at: datetime) -> UUID:
    """The doubt about a pair: one row, whichever of them was asked for."""
    found: UUID | None = await tx.fetchval(_PAIR, key, other)
    if found is not None:
        return found
    row = {"customer_id": key, "other_id": other, "reason": "; ".join(reasons)[:1000], "status": ReviewStatus.OPEN}
    try:
        return await writer.insert(tx, viewer, Review, row | {"created_at": at, "updated_at": at})
    except (asyncpg.ForeignKeyViolationError, NotFound) as error:
        raise contended() from error  # the other one was deleted since it was found
