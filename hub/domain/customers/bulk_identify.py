"""Identification of many customers at once, by the rules of `identify`: who they are, and which identifiers are new to them.

Each identifier has its own source. The caller has locked all of them, so that nobody gives one out meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.customers.customers import IDENTIFIERS_AT_ONCE, SOURCE_SCOPED, lock_identifiers
from hub.domain.customers.identify import RANK, count_if_full, matches_statement
from hub.domain.customers.lookup import comparable, may_compare
from hub.domain.customers.observations import NormalizedIdentifier
from hub.errors import BadInput
from hub.loop_turns import in_parts
from hub.model import scopes, statements
from hub.rights import Rights
from hub.schema.customers.customers import Customer, Identifier, IdentifierKind
from hub.viewer import Viewer

_STORED = "select customer_id, kind, normalized, source, verified from identifiers where customer_id = any($1)"


@dataclass(frozen=True, slots=True)
class SourcedIdentifier:
    """An identifier in normal form, and the system that reported it."""

    identifier: NormalizedIdentifier
    source: str

    @property
    def token(self) -> tuple[str, str, str]:
        """The same for identifiers that may stand for the same customer."""
        scoped = self.identifier.identifier_kind in SOURCE_SCOPED
        return self.identifier.identifier_kind.value, self.identifier.normalized, self.source if scoped else ""


@dataclass(frozen=True, slots=True)
class Identification:
    """The customer who has the identifiers, if there is one, those that are new, and others who have some of them."""

    customer: UUID | None
    new: Sequence[SourcedIdentifier]
    left_out: Sequence[SourcedIdentifier]  # another customer of the same source has them, or there is no room
    others: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class _Hit:
    customer: UUID
    sourced: SourcedIdentifier
    is_strong: bool
    same_source: bool


class _StoredMatch(NamedTuple):
    number: int  # of the identifier that was looked for
    customer: UUID
    verified: bool
    source: str


_Stored = tuple[str, str, str]  # kind, normal form, source


async def find_many(tx: Connection, viewer: Viewer, identifiers: Sequence[NormalizedIdentifier]) -> list[UUID | None]:
    """The customers who are known by identifiers, whatever system reported these: by a verified one, else by the oldest."""
    customers: dict[int, UUID] = {}
    if identifiers and may_compare(viewer):
        await lock_identifiers(tx, [(identifier.identifier_kind, identifier.normalized) for identifier in identifiers])
        for match in await _matches(tx, viewer, identifiers):
            customers.setdefault(match.number, match.customer)
    return [customers.get(number) for number in range(len(identifiers))]


async def _matches(tx: Connection, viewer: Viewer, identifiers: Sequence[NormalizedIdentifier]) -> list[_StoredMatch]:
    """The visible customers who have identifiers of these values: verified ones first, then the oldest."""
    statement = matches_statement(viewer.rights)
    matches: list[_StoredMatch] = []
    start = 0
    async for part in in_parts(identifiers, IDENTIFIERS_AT_ONCE):
        arguments = {
            "kinds": [identifier.identifier_kind for identifier in part],
            "normalized": [identifier.normalized for identifier in part],
        }
        for row in await tx.fetch(statement.text, *statement.bind(arguments, viewer)):
            matches.append(_StoredMatch(start + row["ordinal"] - 1, row["customer_id"], row["verified"], row["source"]))
        start += len(part)
    return matches


async def is_findable(tx: Connection, viewer: Viewer, sort: IdentifierKind, source: str, *, verified: bool) -> bool:
    """Whether any identifier that the viewer sees would find a customer for one of a source: it has a value in common."""
    statement = _comparable_statement(viewer.rights)
    arguments = {"kind": sort, "source": source, "others": verified and sort not in SOURCE_SCOPED}
    return await tx.fetchrow(statement.text, *statement.bind(arguments, viewer)) is not None


@lru_cache(maxsize=statements.STATEMENTS)
def _comparable_statement(rights: Rights) -> statements.SqlStatement:
    """One identifier that is strong evidence for a customer whom the viewer sees: of a source, or verified by another."""
    i = Identifier.table.alias("i$")
    others = sa.and_(sa.bindparam("others", type_=sa.Boolean), i.c.verified)
    query = (
        sa.select(i.c.id)
        .select_from(i.join(Customer.table, Customer.c.id == i.c.customer_id))
        .where(
            i.c.kind == sa.bindparam("kind", type_=sa.Text),
            sa.or_(i.c.source == sa.bindparam("source", type_=sa.Text), others),
            *comparable(i, rights),
        )
        .limit(sa.literal_column("1"))
    )
    visibility = scopes.shown(Customer.table, Customer.table, rights)
    return statements.compile_statement(query if visibility is None else query.where(visibility), Customer.table)


async def identify_many(
    tx: Connection, viewer: Viewer, groups: Sequence[Sequence[SourcedIdentifier]]
) -> list[Identification]:
    """The customers of groups of identifiers, in their order; raises BadInput for none."""
    flat = [(number, sourced) for number, group in enumerate(groups) for sourced in group]
    await lock_identifiers(tx, [(s.identifier.identifier_kind, s.identifier.normalized) for _, s in flat])
    hits: dict[int, list[_Hit]] = defaultdict(list)
    async for matches in in_parts(await _matches(tx, viewer, [sourced.identifier for _, sourced in flat])):
        for match in matches:
            number, sourced = flat[match.number]
            same_source = match.source == sourced.source
            if same_source or sourced.identifier.identifier_kind not in SOURCE_SCOPED:
                is_strong = same_source or (sourced.identifier.verified and match.verified)
                hits[number].append(_Hit(match.customer, sourced, is_strong, same_source))
    stored: dict[UUID, list[_Stored]] = defaultdict(list)
    customers = list({hit.customer for group in hits.values() for hit in group})
    if customers:
        async for rows in in_parts(await tx.fetch(_STORED, customers)):
            for row in rows:
                stored[row["customer_id"]].append((row["kind"], row["normalized"], row["source"]))
    identified: list[Identification] = []
    for number, group in enumerate(groups):
        if number % 25 == 24:
            await asyncio.sleep(0)  # other work of the process goes on
        identified.append(_identify(group, hits.get(number, []), stored))
    return identified


def _identify(
    group: Sequence[SourcedIdentifier], hits: list[_Hit], stored: Mapping[UUID, Sequence[_Stored]]
) -> Identification:
    hits.sort(key=lambda hit: (RANK[hit.sourced.identifier.identifier_kind], not hit.is_strong))
    customer = next((hit.customer for hit in hits if hit.is_strong and _may_be(group, stored[hit.customer])), None)
    taken = {hit.sourced for hit in hits if hit.same_source and hit.customer != customer}
    has = list(stored[customer]) if customer is not None else []
    new: list[SourcedIdentifier] = []
    left_out: list[SourcedIdentifier] = []
    for sourced in sorted(group, key=lambda sourced: RANK[sourced.identifier.identifier_kind]):
        identifier = sourced.identifier
        entry = (identifier.identifier_kind.value, identifier.normalized, sourced.source)
        if entry in has:
            continue
        if sourced in taken or count_if_full(has, identifier, sourced.source) is not None:
            left_out.append(sourced)
            continue
        has.append(entry)
        new.append(sourced)
    others = list(dict.fromkeys(hit.customer for hit in hits if hit.customer != customer))
    if customer is None and group and not new:
        message = "identifiers: the source has all of them of other customers; correct them there, or give another."
        raise BadInput(message, code="ALREADY_EXISTS", argument="identifiers")
    return Identification(customer, new, left_out, others)


def _may_be(group: Sequence[SourcedIdentifier], stored: Sequence[_Stored]) -> bool:
    """Whether a customer with the stored identifiers may be the one: not with another key of the same system."""
    for sourced in group:
        if sourced.identifier.identifier_kind is IdentifierKind.EXTERNAL_ID:
            known = [
                form for stored_kind, form, source in stored if (stored_kind, source) == ("EXTERNAL_ID", sourced.source)
            ]
            if known and sourced.identifier.normalized not in known:
                return False
    return True
