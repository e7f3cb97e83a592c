"""Dual control: a value that one person writes counts as unverified until another person confirms it.

`field(verified_by="customers:verify")` puts a column under it. rows.py asks here for every write of such a column, whoever
makes it, so that no mutation passes it by. What is claimed is recorded by the domain."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import Forbidden
from hub.model.definition import UNVERIFIED
from hub.model.entity import Entity
from hub.model.statements import ColumnValues
from hub.text_case import camel_case
from hub.viewer import Viewer


@dataclass(frozen=True, slots=True)
class ClaimedColumns:
    """The columns of one write that somebody else must confirm, and the API names of all that wait for it then."""

    columns: tuple[str, ...]
    unverified: list[str]


class ClaimRecorder(Protocol):
    """Stores what was claimed; the domain registers the one that there is."""

    async def pending(self, tx: Connection, key: UUID, names: Collection[str]) -> frozenset[str]:
        """Those of the fields, by API name, of which a claim waits to be confirmed."""

    async def record(
        self, tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, names: Collection[str], now: datetime
    ) -> None:
        """Stores a claim of these fields, by API name; earlier ones of them that wait become stale."""


_recorders: list[ClaimRecorder] = []  # one, or none before the domain is imported


def register_claim_recorder(recorder: ClaimRecorder) -> None:
    """Sets what stores claims."""
    _recorders[:] = [recorder]


def is_recorded() -> bool:
    """Whether something stores claims."""
    return bool(_recorders)


def written_columns(entity: type[Entity], values: Collection[str]) -> tuple[str, ...]:
    """The columns under dual control among those that are written."""
    return tuple(name for name in entity.definition.verified_columns if name in values)


def claim_of_insert(viewer: Viewer, entity: type[Entity], values: ColumnValues) -> ClaimedColumns | None:
    """What a new row claims; raises Forbidden PERSON_NEEDED for a key without a person. None for nothing."""
    columns = tuple(name for name in written_columns(entity, values) if values[name] is not None)
    if not columns:
        return None
    _require_person(viewer, columns)
    return ClaimedColumns(columns, [camel_case(name) for name in columns])


async def claim_of_update(
    tx: Connection, viewer: Viewer, entity: type[Entity], stored: Mapping[str, Any], values: ColumnValues
) -> ClaimedColumns | None:
    """What an update of a locked row claims: values that change, and equal ones that nobody waits to confirm."""
    written = written_columns(entity, values)
    changed = [name for name in written if stored[name] != values[name] or _is_blind(viewer, entity, name)]
    unverified: list[str] = stored[UNVERIFIED]
    repeated = [name for name in written if name not in changed and camel_case(name) in unverified]
    if repeated and viewer.staff_id is not None:
        names = [camel_case(name) for name in repeated]
        pending = await _recorders[0].pending(tx, stored["id"], names)
        changed += [name for name in repeated if camel_case(name) not in pending]
    if not changed:
        return None
    _require_person(viewer, changed)
    names = [camel_case(name) for name in changed]
    return ClaimedColumns(tuple(changed), [*unverified, *(name for name in names if name not in unverified)])


async def record(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, claim: ClaimedColumns, now: datetime
) -> None:
    """Stores a claim of a row that has been written."""
    names = [camel_case(name) for name in claim.columns]
    await _recorders[0].record(tx, viewer, entity, key, names, now)


def _is_blind(viewer: Viewer, entity: type[Entity], column: str) -> bool:
    """Whether a key without a person writes what it does not read: it must not learn whether its value is the stored one."""
    rules = viewer.rights.granting(entity.__name__) if viewer.staff_id is None else None
    return rules is not None and not all(rule.shows(camel_case(column)) for rule in rules)


def _require_person(viewer: Viewer, columns: Collection[str]) -> None:
    if viewer.staff_id is None:
        name = next(iter(columns))
        message = (
            f"{name}: another person confirms what a person writes here, and no member of staff is behind this key; "
            "leave it out, or use a key of one."
        )
        raise Forbidden(message, code="PERSON_NEEDED", argument=name)
