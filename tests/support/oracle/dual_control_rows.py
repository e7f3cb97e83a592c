"""Edge rows of what one person says and another confirms, and of what people are and may decide."""

import json
from collections.abc import Sequence
from uuid import UUID

from hub.schema.work import credentials
from oracle.edge_operations import CURRENCIES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder


def add_dual_control_rows(builder: EdgeRowBuilder, staff: Sequence[UUID]) -> None:
    """Adds the rows; `staff` are keys that they may refer to."""
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
