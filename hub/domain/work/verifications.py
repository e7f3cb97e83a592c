"""Verifications: who claimed values under dual control, and how another person confirms or refutes them.

Whoever writes such values and whoever confirms them lock the row first, so that a confirmation is of what stands there."""

from collections.abc import Collection, Iterable
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.work.acting import acting_person
from hub.domain.work.clock_starts import starts_clock
from hub.domain.work.clocks import start_clock, stop_clock, void_clock
from hub.domain.work.job_roles import SINGLE_ROLES
from hub.errors import BadInput, Forbidden
from hub.model import dual_control, exact_json, rows, scopes
from hub.model.commands import command
from hub.model.definition import UNVERIFIED, snake_case
from hub.model.entity import Entity, declared_entities
from hub.model.scopes import Audience
from hub.model.statements import compile_statement
from hub.model.subjects import inside_values, subject_values
from hub.model.writer import writer_of
from hub.rights import Verb
from hub.schema.work.verifications import Verification, VerificationStatus
from hub.text_case import camel_case
from hub.viewer import ADMIN, Viewer

_PENDING = "select columns from verifications where row_id = $1 and status = 'PENDING' and columns && $2"
_PENDING_OF_ROW = "select id from verifications where row_id = $1 and status = 'PENDING' order by id"
_LOCK_PENDING = """
select id, columns, claimed_by_id, claimed_at, claimed_with, evidence::text as evidence from verifications
where row_id = $1 and status = 'PENDING' and columns && $2 order by id for update
"""
CLOCK = "VERIFY"  # the promise that somebody looks at a claim
# Whether the claimant ($1) has now the post that the other person ($2) had last: of such, one person at a time has each.
_HOLDS_POST = """
select exists (
    select from job_roles as held where held.staff_id = $1 and held.from_at <= $3 and (held.to_at is null or held.to_at > $3)
    and (held.role, held.unit_id, held.team_id) is not distinct from (
        select row(last.role, last.unit_id, last.team_id) from job_roles as last
        where last.staff_id = $2 and last.role = any($4) and last.from_at <= $3 order by last.from_at desc limit 1
    )
)
"""
_SUBJECT = "select entity, row_id from verifications where id = $1"


class VerificationConfirmPayload(NamedTuple):
    """The payload of verificationConfirm."""

    verification: Annotated[UUID, Verification, "The verification as it is now: STALE if a value changed meanwhile."]


class VerificationRefutePayload(NamedTuple):
    """The payload of verificationRefute."""

    verification: Annotated[UUID, Verification, "The verification as it is now: STALE if a value changed meanwhile."]


class VerificationEvidencePayload(NamedTuple):
    """The payload of verificationEvidenceSet."""

    verification: Annotated[UUID, Verification, "The verification as it is now."]


class VerificationRecorder:
    """Stores claims of values under dual control. A field of a row has one claim at most that waits."""

    async def pending(self, tx: Connection, key: UUID, names: Collection[str]) -> frozenset[str]:
        """Those of the fields of which a claim waits to be confirmed."""
        claims = await tx.fetch(_PENDING, key, list(names))
        return frozenset(name for claim in claims for name in claim["columns"]).intersection(names)

    async def record(
        self, tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, names: Collection[str], now: datetime
    ) -> None:
        """Stores the viewer's claim. Of claims that become stale, the other fields are claimed anew by who claimed them."""
        subject = inside_values(await subject_values(tx, entity, key))
        columns = ", ".join(("id", "version", *entity.definition.verified_columns))
        row = await tx.fetchrow(f"select {columns} from {entity.table.name} where id = $1", key)
        assert row is not None  # it has just been written
        subject["row_version"] = row["version"]
        for claim in await tx.fetch(_LOCK_PENDING, key, list(names)):
            await _set(tx, claim["id"], {"status": VerificationStatus.STALE}, now)
            await void_clock(tx, Verification, claim["id"], CLOCK, now)
            others = [name for name in claim["columns"] if name not in names]
            if others:
                copied = {name: claim[name] for name in ("claimed_by_id", "claimed_at", "claimed_with")}
                evidence = exact_json.loads(claim["evidence"])
                await _insert(tx, subject | copied | _values(row, others) | {"evidence": evidence}, now)
        claimed = {"claimed_by_id": viewer.staff_id, "claimed_at": now, "claimed_with": viewer.actor}
        await _insert(tx, subject | claimed | _values(row, names), now)


dual_control.register_claim_recorder(VerificationRecorder())


async def require_verified(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, columns: Iterable[str] | None = None
) -> None:
    """Raises BadInput UNVERIFIED while one of the columns waits for another person; None stands for all.

    The error names the columns that the viewer's roles show. The row stays as it is until the transaction ends."""
    if not entity.definition.verified_columns:
        return
    unverified = await tx.fetchval(f"select unverified from {entity.table.name} where id = $1 for share", key)
    names = None if columns is None else {camel_case(name) for name in columns}
    waiting = [name for name in unverified or () if names is None or name in names]
    if waiting:
        rules = viewer.rights.granting(entity.__name__)
        named = [name for name in waiting if rules is None or (rules and all(rule.shows(name) for rule in rules))]
        subject = " and ".join(named) or "values that this key does not read"
        message = f"{subject}: another person must confirm what stands there first."
        raise BadInput(message, code="UNVERIFIED", extensions={"columns": named})


@command("verificationConfirm", bulk_name="verificationsConfirm")
async def confirm_verification(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Verification, "The verification; somebody else wrote its values."],
    note: Annotated[str | None, "A remark, in one line."] = None,
    now: datetime,
) -> VerificationConfirmPayload:
    """Confirms values that another person wrote; they count as verified until somebody changes them."""
    checked = writer_of(Verification).canonical({"note": note})
    await _decide(tx, viewer, id, VerificationStatus.CONFIRMED, checked["note"], now)
    return VerificationConfirmPayload(id)


@command("verificationRefute", bulk_name="verificationsRefute")
async def refute_verification(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Verification, "The verification; somebody else wrote its values."],
    note: Annotated[str, "Reason, in one line."],
    now: datetime,
) -> VerificationRefutePayload:
    """Refutes values that another person wrote: they stay unverified until somebody writes them anew."""
    checked = writer_of(Verification).canonical({"note": note})
    await _decide(tx, viewer, id, VerificationStatus.REFUTED, checked["note"], now)
    return VerificationRefutePayload(id)


@command("verificationEvidenceSet")
async def set_evidence(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Verification, "A verification that waits, of values that the caller wrote."],
    evidence: Annotated[dict[str, Any], "Proof, as a JSON object; it replaces what is there."],
    now: datetime,
) -> VerificationEvidencePayload:
    """Adds the claimant's proof, for the person who confirms the values."""
    Verification.require(viewer, "update")
    person = acting_person(viewer)
    checked = writer_of(Verification).canonical({"evidence": evidence})
    stored = await rows.lock_row(tx, viewer, Verification, id, "id")
    _require_pending(stored)
    if stored["claimed_by_id"] != person:
        message = "id: somebody else wrote these values, and gives the proof; name a claim of your own."
        raise Forbidden(message, code="DUAL_CONTROL", argument="id")
    await rows.update_row(tx, viewer, Verification, id, checked, now, fields=("evidence",))
    return VerificationEvidencePayload(id)


async def set_pending_evidence(tx: Connection, key: UUID, evidence: dict[str, Any] | None, now: datetime) -> None:
    """Adds the claimant's proof to the claims of a row that has just been written; None for none."""
    if evidence is None:
        return
    checked = writer_of(Verification).canonical({"evidence": evidence})
    for claim in await tx.fetch(_PENDING_OF_ROW, key):
        await _set(tx, claim["id"], checked, now)


def _values(row: asyncpg.Record, names: Collection[str]) -> dict[str, Any]:
    """The columns that say which values of a row are claimed."""
    texts = [str(row[snake_case(name)]) for name in names]
    return {"columns": list(names), "digest": sha256(repr((row["id"], texts)).encode()).hexdigest()}


async def _insert(tx: Connection, values: dict[str, Any], now: datetime) -> None:
    """Stores a claim; its clock runs if a policy matches it."""
    await _await_decision(tx, await rows.insert_row(tx, ADMIN, Verification, values, now), now)


@starts_clock(Verification, CLOCK, Verification.c.status == sa.literal_column("'PENDING'"))
async def _await_decision(tx: Connection, key: UUID, now: datetime) -> None:
    await start_clock(tx, await subject_values(tx, Verification, key), CLOCK, now=now)


async def _set(tx: Connection, key: UUID, values: dict[str, Any], now: datetime) -> None:
    await rows.update_row(tx, ADMIN, Verification, key, values, now)


async def _decide(
    tx: Connection, viewer: Viewer, key: UUID, status: VerificationStatus, note: str | None, now: datetime
) -> None:
    """Confirms or refutes what is claimed, or finds that it has changed."""
    person = acting_person(viewer)
    await rows.require_visible(tx, viewer, Verification, key, "id")
    reference = await tx.fetchrow(_SUBJECT, key)
    if reference is None:
        raise rows.not_visible("id")
    entity = _entity_named(reference["entity"])
    subject = await rows.lock_row(tx, viewer, entity, reference["row_id"], "id")
    stored = await rows.lock_row(tx, viewer, Verification, key, "id")
    columns = [snake_case(name) for name in stored["columns"]]
    _require_permission(viewer, entity, columns)
    await _require_shown(tx, viewer, entity, subject["id"], stored["columns"])
    await _require_other_person(tx, viewer, person, stored, now)
    _require_pending(stored)
    async with rows.updating(tx, viewer, Verification, key, fields=() if note is None else ("note",)):
        if stored["digest"] != _values(subject, stored["columns"])["digest"]:  # SQL beside the hub changed them
            await _set(tx, key, {"status": VerificationStatus.STALE}, now)
            await void_clock(tx, Verification, key, CLOCK, now)
            return
        await _set(tx, key, {"status": status, "verified_by_id": person, "verified_at": now, "note": note}, now)
    await stop_clock(tx, Verification, key, CLOCK, now)
    if status is VerificationStatus.CONFIRMED:
        waiting = [name for name in subject[UNVERIFIED] if name not in stored["columns"]]
        await rows.update_row(tx, ADMIN, entity, subject["id"], {UNVERIFIED: waiting}, now)


def _entity_named(name: str) -> type[Entity]:
    return next(entity for entity in declared_entities() if entity.__name__ == name)


def _require_pending(stored: asyncpg.Record) -> None:
    if stored["status"] != VerificationStatus.PENDING:
        message = f"id: the verification is {stored['status']}, and only one that is PENDING may change; name another."
        raise BadInput(message, code="MOVE_INVALID", argument="id", extensions={"allowedMoves": []})


def _require_permission(viewer: Viewer, entity: type[Entity], columns: Collection[str]) -> None:
    """Raises Forbidden unless the viewer may confirm values of these columns."""
    permissions = entity.definition.verified_columns
    for name in columns:
        permission = permissions.get(name, f"{entity.table.name}:verify")
        viewer.require_write(
            Verification.__name__, Verb.UPDATE, permission, Verification.definition.writable_by("update")
        )


async def _require_shown(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, names: Collection[str]
) -> None:
    """Raises Forbidden unless the viewer's roles show these fields of the row as they are: nobody confirms unseen."""
    rules = viewer.rights.granting(entity.__name__)
    if rules is None:
        return
    for name in names:
        showing = tuple(rule for rule in rules if rule.shows(name))
        granted = sa.false() if not showing else scopes.granted(showing, entity.table, viewer.rights)
        if granted is None:
            continue
        row_key = sa.bindparam("row_key", type_=sa.Uuid)
        statement = compile_statement(
            sa.select(entity.table.c.id).where(entity.table.c.id == row_key, granted), entity.table
        )
        if await tx.fetchval(statement.text, *statement.bind({"row_key": key}, viewer)) is None:
            message = "id: this key does not read all values that the verification is about; use a key that does."
            raise Forbidden(message, argument="id")


async def _require_other_person(
    tx: Connection, viewer: Viewer, person: UUID, stored: asyncpg.Record, now: datetime
) -> None:
    """Raises Forbidden DUAL_CONTROL for the claimant, the claimant's key, and the one whom a person's row is about."""
    fault = None
    if person == stored["claimed_by_id"]:
        fault = "the same person wrote these values"
    elif viewer.actor == stored["claimed_with"]:
        fault = "these values were written with the same key"
    elif stored["audience"] == Audience.PERSON and stored["staff_id"] == person:
        fault = "the row is about the same person"
    elif await tx.fetchval(_HOLDS_POST, stored["claimed_by_id"], person, now, sorted(SINGLE_ROLES)):
        fault = "the person who wrote these values has your post now"
    if fault is not None:
        raise Forbidden(f"id: {fault}; let another one confirm them.", code="DUAL_CONTROL", argument="id")
