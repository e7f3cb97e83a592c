"""Identification of many customers at once, by the rules of `identify`: who they are, and which identifiers are new to them.

Each identifier has its own source. The caller has locked all of them, so that nobody gives one out meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.customers.birthdays import are_two_birthdays
from hub.domain.customers.customers import SOURCE_SCOPED, lock_identifiers
from hub.domain.customers.identify import RANK, SHARED_IN_FAMILIES, count_if_full, matches_statement
from hub.domain.customers.observations import NormalizedIdentifier
from hub.errors import BadInput
from hub.schema.customers.customers import IdentifierKind
from hub.viewer import Viewer

_BORN_ON = "select id, born_on from customers where id = any($1) and born_on is not null"
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


_Stored = tuple[str, str, str]  # kind, normal form, source


async def identify_many(
    tx: Connection,
    viewer: Viewer,
    groups: Sequence[Sequence[SourcedIdentifier]],
    birthdays: Sequence[date | None] = (),
) -> list[Identification]:
    """The customers of groups of identifiers, in their order; raises BadInput for none.

    `birthdays` are those of the groups, where they are known: families share addresses."""
    flat = [(number, sourced) for number, group in enumerate(groups) for sourced in group]
    await lock_identifiers(tx, [(s.identifier.identifier_kind, s.identifier.normalized) for _, s in flat])
    statement = matches_statement(viewer.rights)
    arguments = {
        "kinds": [sourced.identifier.identifier_kind for _, sourced in flat],
        "normalized": [sourced.identifier.normalized for _, sourced in flat],
    }
    hits: dict[int, list[_Hit]] = defaultdict(list)
    for row in await tx.fetch(statement.text, *statement.bind(arguments, viewer)):
        number, sourced = flat[row["ordinal"] - 1]
        same_source = row["source"] == sourced.source
        if same_source or sourced.identifier.identifier_kind not in SOURCE_SCOPED:
            is_strong = same_source or (sourced.identifier.verified and row["verified"])
            hits[number].append(_Hit(row["customer_id"], sourced, is_strong, same_source))
    stored: dict[UUID, list[_Stored]] = defaultdict(list)
    customers = list({hit.customer for group in hits.values() for hit in group})
    if customers:
        for row in await tx.fetch(_STORED, customers):
            stored[row["customer_id"]].append((row["kind"], row["normalized"], row["source"]))
    born_on: dict[UUID, date] = {}
    if customers and any(birthdays):
        born_on = {row["id"]: row["born_on"] for row in await tx.fetch(_BORN_ON, customers)}
    identified: list[Identification] = []
    for number, group in enumerate(groups):
        if number % 25 == 24:
            await asyncio.sleep(0)  # other work of the process goes on
        birthday = birthdays[number] if birthdays else None
        own_hits = sorted(hits.get(number, ()), key=_deciding_first)
        possible = [hit for hit in own_hits if not _is_relative(hit, birthday, born_on.get(hit.customer))]
        identified.append(_identify(group, own_hits, possible, stored))
    return identified


def _deciding_first(hit: _Hit) -> tuple[int, bool]:
    return RANK[hit.sourced.identifier.identifier_kind], not hit.is_strong


def _identify(
    group: Sequence[SourcedIdentifier],
    hits: Sequence[_Hit],
    possible: Sequence[_Hit],
    stored: Mapping[UUID, Sequence[_Stored]],
) -> Identification:
    """The identification of a group with these hits, of which the possible ones may decide."""
    customer = next((hit.customer for hit in possible if hit.is_strong and _may_be(group, stored[hit.customer])), None)
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


def _is_relative(hit: _Hit, birthday: date | None, stored: date | None) -> bool:
    """Whether a customer who has the identifier was born on another day, and another system reported it."""
    if hit.same_source or hit.sourced.identifier.identifier_kind not in SHARED_IN_FAMILIES:
        return False
    return birthday is not None and stored is not None and are_two_birthdays(stored, birthday)


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
