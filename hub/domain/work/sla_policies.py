"""The command of policies: the input is a whole policy. Equal input changes nothing; a change reaches the open clocks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.policy_changes import reach_open_rows
from hub.domain.work.policy_inputs import EscalationRuleInput, SlaTermInput, check_rules, check_subject, check_terms
from hub.errors import BadInput, NotFound
from hub.model import exact_json, rows, stored_filters, validators
from hub.model.commands import command
from hub.model.entity import Entity
from hub.model.versions import require_version
from hub.schema.work.sla_policies import EscalationRule, SlaPolicy, SlaTerm
from hub.viewer import Viewer

MAX_POSITION = 1_000_000

_LOCK_CODE = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_FIND = "select id from sla_policies where code = $1"
_PARTS = "select * from {table} where policy_id = $1"
_REMOVE = "delete from {table} where id = any($1)"


class SlaPolicyUpsertPayload(NamedTuple):
    """The payload of slaPolicyUpsert."""

    sla_policy: Annotated[UUID, SlaPolicy, "The policy as it is now."]
    created: Annotated[bool, "Whether it is new."]


@command("slaPolicyUpsert")
async def upsert_policy(
    tx: Connection,
    viewer: Viewer,
    *,
    code: Annotated[str, "Short unique name: letters, digits and underscores."],
    name: Annotated[str, "Name of the policy."],
    entity: Annotated[str, "Name of the type whose rows it is about: `Task`."],
    match: Annotated[
        dict[str, object] | None, "Filter of the rows that it is about, as in lists of the type; all if left out."
    ] = None,
    position: Annotated[int, "Its place among the policies of the type, from 1: the first that matches counts."] = 100,
    valid_from: Annotated[datetime | None, "First moment at which clocks may start by it; always if left out."] = None,
    valid_until: Annotated[datetime | None, "Moment from which no clock starts by it; never if left out."] = None,
    terms: Annotated[list[SlaTermInput], "What it promises, by clock."],
    escalation_rules: Annotated[
        list[EscalationRuleInput] | None, "What happens as clocks come near their goal."
    ] = None,
    expected_version: Annotated[int | None, "The version that the edit is based on."] = None,
    now: datetime,
) -> SlaPolicyUpsertPayload:
    """Creates a policy, or replaces the one with this code by the input as a whole. Equal input changes nothing.

    Open clocks that follow it get the new goals, calendars and levels, and so do those for whose row it comes first now; they
    keep what they have spent. Open rows that it matches and that have no clock get one, which begins now."""
    texts = {"code": code, "name": name}
    texts = validators.check_values(texts, {"code": validators.slug, "name": validators.single_line})
    await tx.execute(_LOCK_CODE, f"sla_policies.code={texts['code']}")
    key = await tx.fetchval(_FIND, texts["code"])
    await rows.require_nameable(tx, viewer, SlaPolicy, key, "code")
    SlaPolicy.require(viewer, "create" if key is None else "update")
    subject = check_subject(entity)
    columns = _columns(texts["name"], entity, match, position, valid_from, valid_until)
    terms_of_policy = await check_terms(tx, viewer, terms, now)
    parts = _Parts(terms_of_policy, await check_rules(tx, viewer, escalation_rules or (), subject))
    if key is None:
        if expected_version is not None:
            message = "expected_version: there is no policy with this code; leave it out to make a new one."
            raise NotFound(message, argument="expected_version")
        key = await rows.insert_row(tx, viewer, SlaPolicy, {"code": texts["code"], "revision": 1, **columns}, now)
        await parts.store(tx, viewer, key, now)
        await reach_open_rows(tx, key, now)
        return SlaPolicyUpsertPayload(key, True)
    await _update(tx, viewer, key, columns, parts, expected_version, now)
    return SlaPolicyUpsertPayload(key, False)


def _columns(
    name: str,
    entity: str,
    match: Mapping[str, object] | None,
    position: int,
    valid_from: datetime | None,
    valid_until: datetime | None,
) -> dict[str, Any]:
    """The columns of a policy; raises BadInput for values that cannot be."""
    if match:
        stored_filters.check(entity, match, "match")
    if not 1 <= position <= MAX_POSITION:
        raise BadInput(f"position: give 1 to {MAX_POSITION:,}.", argument="position")
    if valid_from is not None and valid_until is not None and valid_from >= valid_until:
        raise BadInput("valid_until: it would end before it begins; give a later moment.", argument="valid_until")
    validity = {"valid_from": valid_from, "valid_until": valid_until}
    return {"name": name, "entity": entity, "match": match or None, "position": position, **validity}


class _Parts(NamedTuple):
    """The rows of a policy's terms and levels."""

    terms: Sequence[Mapping[str, Any]]
    rules: Sequence[Mapping[str, Any]]

    async def store(self, tx: Connection, viewer: Viewer, policy: UUID, now: datetime) -> bool:
        """Stores them in place of those that the policy has; returns whether one differs."""
        terms_differ = await _store_parts(tx, viewer, policy, SlaTerm, ("clock",), self.terms, now)
        rules_differ = await _store_parts(tx, viewer, policy, EscalationRule, ("clock", "level"), self.rules, now)
        return terms_differ or rules_differ


async def _update(
    tx: Connection,
    viewer: Viewer,
    key: UUID,
    columns: Mapping[str, Any],
    parts: _Parts,
    expected_version: int | None,
    now: datetime,
) -> None:
    """Replaces a policy. A change is another revision, which the clocks that follow the policy take over."""
    stored = dict(await rows.lock_row(tx, viewer, SlaPolicy, key, "code"))
    stored["match"] = None if stored["match"] is None else exact_json.loads(stored["match"])
    changed = {name: value for name, value in columns.items() if stored[name] != value}
    if expected_version is not None:
        await require_version(tx, viewer, SlaPolicy, key, changed, expected_version)
    if await parts.store(tx, viewer, key, now) or changed:
        await rows.update_row(tx, viewer, SlaPolicy, key, changed | {"revision": stored["revision"] + 1}, now)
        await reach_open_rows(tx, key, now)


async def _store_parts(
    tx: Connection,
    viewer: Viewer,
    policy: UUID,
    part: type[Entity],
    identity: tuple[str, ...],
    part_rows: Sequence[Mapping[str, Any]],
    now: datetime,
) -> bool:
    """Stores the parts in place of those that the policy has; returns whether one differs."""
    table = part.table.name
    stored = {tuple(row[name] for name in identity): row for row in await tx.fetch(_PARTS.format(table=table), policy)}
    differs = False
    for values in part_rows:
        row = stored.pop(tuple(values[name] for name in identity), None)
        if row is None:
            await rows.insert_row(tx, viewer, part, {"policy_id": policy, **values}, now)
        elif changed := {name: value for name, value in values.items() if row[name] != value}:
            await rows.update_row(tx, viewer, part, row["id"], changed, now)
        else:
            continue
        differs = True
    if stored:
        await tx.execute(_REMOVE.format(table=table), [row["id"] for row in stored.values()])
    return differs or bool(stored)
