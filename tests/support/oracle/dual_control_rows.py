"""Edge rows of what one person says and another confirms, and of what people are and may decide."""

import json
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from hub.schema.customers.customers import Customer
from hub.schema.work import claims, credentials, disclosures, verifications
from oracle.edge_operations import CURRENCIES, NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder
from oracle.work_rows import about

DAYS = (date(2024, 2, 29), date(2026, 3, 1), date(2026, 3, 2))


def add_dual_control_rows(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    """Adds the rows; `units` and `staff` are keys that they may refer to."""
    for _ in range(30):
        _claim(builder, units, staff)
        _disclosure(builder, units, staff)
    # One at least is a gift that may be ordered to be handed in.
    builder.rows_by_table[disclosures.Disclosure.table][0] |= {"type": "GIFT_RECEIVED", "status": "DECLARED"}
    _limits(builder)
    _verifications(builder, units, staff)
    for person in staff:
        for credential_type in ("CERTIFICATE", "AUTHORITY"):
            _credential(builder, credential_type, person, staff)
    for person in sorted(set(staff)):
        _credential(builder, "GRADE", person, staff)


def _credential(builder: EdgeRowBuilder, credential_type: str, person: UUID, staff: Sequence[UUID]) -> None:
    valid_from, valid_until = sorted(builder.rng.sample(sorted(set(TIMESTAMPS)), 2))
    has_limit = credential_type == "AUTHORITY" and builder.maybe((True,))
    builder.add(
        credentials.Credential,
        staff_id=person,
        type=credential_type,
        code=builder.pick(("LOAN", "SEAL", "loan")),
        level=builder.maybe((0, 1, 3)) if credential_type == "GRADE" else None,
        step=builder.maybe((0, 2)) if credential_type == "GRADE" else None,
        limit=builder.amount(10**9) if has_limit else None,
        currency=builder.pick(CURRENCIES) if has_limit else None,
        valid_from=valid_from,
        valid_until=builder.maybe((valid_until,)),
        ended_at=builder.maybe((valid_from, valid_until)),
        reason=builder.text(),
        evidence=json.dumps({"paper": builder.pick((1, "2/3", None))}),
        announced_at=builder.maybe(TIMESTAMPS),
        granted_by_id=builder.maybe(staff),
    )


def _verifications(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    subjects = [("Customer", row["id"]) for row in builder.rows_by_table[Customer.table]]
    subjects += [("Claim", row["id"]) for row in builder.rows_by_table[claims.Claim.table]]
    for _ in range(50):
        entity, key = builder.pick(subjects)
        names = (
            ["annualRevenue", "annualRevenueCurrency"] if entity == "Customer" else ["metric", "amount", "occurredOn"]
        )
        claimant, verifier = builder.rng.sample(sorted(set(staff)), 2)
        status = builder.member(verifications.VerificationStatus)
        is_decided = status in ("CONFIRMED", "REFUTED")
        builder.add(
            verifications.Verification,
            **about(builder, entity, key, units, staff),
            columns=names[: builder.rng.randint(1, len(names))],
            row_version=builder.rng.randint(1, 3),
            status=status,
            claimed_by_id=claimant,
            claimed_at=builder.pick(TIMESTAMPS),
            claimed_with="key:0",
            digest="",
            evidence=json.dumps({"page": builder.pick((1, "2", None))}),
            verified_by_id=verifier if is_decided else None,
            verified_at=builder.pick(TIMESTAMPS) if is_decided else None,
            note=builder.text(),
        )


def _claim(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    unverified = builder.pick(([], [], ["amount"], ["metric", "amount", "occurredOn"]))
    builder.add(
        claims.Claim,
        staff_id=builder.pick(staff),
        unit_id=builder.pick(units),
        metric=builder.pick(("deposits.new", "cards", "loans.repaid")),
        amount=builder.amount(10**9) + 1,
        occurred_on=builder.pick(DAYS),
        note=builder.text(),
        unverified=unverified,
    )


def _disclosure(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    builder.add(
        disclosures.Disclosure,
        staff_id=builder.pick(staff),
        unit_id=builder.pick(units),
        customer_id=builder.maybe([row["id"] for row in builder.rows_by_table[Customer.table]]),
        type=builder.member(disclosures.DisclosureType),
        status=builder.member(disclosures.DisclosureStatus),
        counterparty=builder.pick(NAMES),
        matter=builder.pick(NAMES),
        value=builder.amount(10**7),
        currency=builder.pick(CURRENCIES),
        persons=builder.maybe((1, 2, 3)),
        occurred_on=builder.pick(DAYS),
        declared_at=builder.pick(TIMESTAMPS),
        hand_in_due_at=builder.maybe(TIMESTAMPS),
        lapses_at=None,
        handed_in_at=builder.maybe(TIMESTAMPS),
    )


def _limits(builder: EdgeRowBuilder) -> None:
    for disclosure_type in disclosures.DisclosureType:
        for currency in sorted(set(CURRENCIES))[:2]:
            builder.add(
                disclosures.DisclosureLimit,
                type=disclosure_type.value,
                currency=currency,
                per_person=builder.amount(10**7),
                valid_from=builder.pick(DAYS),
            )
