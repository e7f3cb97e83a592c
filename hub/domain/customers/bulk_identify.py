"""Identification of many customers at once, by the rules of `identify`: who they are, and which identifiers are new to them.

Each identifier has its own source. The caller has locked all of them, so that nobody gives one out meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.customers.customers import SOURCE_SCOPED, lock_identifiers
from hub.domain.customers.identify import RANK, count_if_full, matches_statement
from hub.domain.customers.observations import NormalizedIdentifier
from hub.errors import BadInput
from hub.schema.customers.customers import IdentifierKind
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


_Stored = tuple[str, str, str]  # kind, normal form, source


async def identify_many(
    tx: Connection, viewer: Viewer, groups: Sequence[Sequence[SourcedIdentifier]]
) -> list[Identification]:
    """The customers of groups of identifiers, in their order; raises BadInput for none."""
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
