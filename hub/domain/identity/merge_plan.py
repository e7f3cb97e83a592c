"""What a merge of two customers would do, and what speaks against it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import exact_json, rows, scopes, statements, survivorship
from hub.model.columns import DescribedEnum
from hub.model.entity import entity_of
from hub.model.merge_rules import CustomerTable, customer_tables
from hub.model.mover import count_rows
from hub.model.unicode_text import single_line
from hub.rights import Verb
from hub.schema.customers.customers import Customer, CustomerStatus
from hub.text_case import camel_case
from hub.viewer import Viewer

_NOT_SAME = """
select exists (
    select from identity_reviews where status = 'NOT_SAME'
        and (customer_id, other_id) in (($1::uuid, $2::uuid), ($2::uuid, $1::uuid))
) or exists (
    select from match_candidates where status = 'NOT_SAME'
        and (customer_id, other_id) in (($1::uuid, $2::uuid), ($2::uuid, $1::uuid))
)
"""
_LOCKED = """
select max(m.locked_until) from assignments as m
where m.customer_id = $2 and m.role = 'PRIMARY' and m.locked_until > $3 and (m.to_at is null or m.to_at > $3)
    and not exists (
        select from assignments as s where s.customer_id = $1 and s.role = 'PRIMARY' and s.staff_id = m.staff_id
            and s.from_at <= $3 and (s.to_at is null or s.to_at > $3)
    )
"""


class MergeSide(DescribedEnum):
    """One of the two customers of a merge."""

    SURVIVOR = "SURVIVOR", "The customer who stays."
    MERGED = "MERGED", "The customer who becomes part of the other."


@dataclass(frozen=True, slots=True)
class MergePair:
    """Two locked customers, and what somebody chose of their values."""

    survivor: asyncpg.Record
    merged: asyncpg.Record
    choices: Mapping[str, MergeSide]  # by column
    surviving: Mapping[str, Any]  # by column, what policies choose among all that is said of the two

    @property
    def keys(self) -> tuple[UUID, UUID]:
        """The keys of the survivor and of the merged customer."""
        return self.survivor["id"], self.merged["id"]


def choosable_columns() -> list[str]:
    """The columns of a customer of which somebody may choose whose value stays."""
    definition = Customer.definition
    return [
        name
        for name in definition.columns
        if name in definition.updatable() and name not in definition.workflow_columns
    ]


def read_choices(viewer: Viewer, named: Sequence[tuple[str, MergeSide]]) -> dict[str, MergeSide]:
    """Choices by column; raises BadInput for a field that is none, or that the viewer may not write."""
    columns = {camel_case(name): name for name in choosable_columns()}
    choices: dict[str, MergeSide] = {}
    for index, (field, side) in enumerate(named):
        argument = f"fields[{index}].field"
        column = columns.get(field)
        if column is None or not viewer.may_write(Customer.__name__, Verb.UPDATE, field):
            offered = ", ".join(name for name in columns if viewer.may_write(Customer.__name__, Verb.UPDATE, name))
            message = f"{argument}: {single_line(field)[:60]!r} is no field that can be chosen; give one of {offered}."
            raise BadInput(message, argument=argument)
        if column in choices:
            raise BadInput(f"{argument}: the field is chosen twice; leave one out.", argument=argument)
        choices[column] = side
    return choices


async def lock_pair(
    tx: Connection, viewer: Viewer, survivor: UUID, merged: UUID, choices: Mapping[str, MergeSide]
) -> MergePair:
    """Locks both customers, in the order of their keys; raises NotFound for one that the viewer does not see."""
    if survivor == merged:
        message = (
            "merged_id: a customer cannot be merged with itself; name two, of which none was merged into the other."
        )
        raise BadInput(message, argument="merged_id")
    arguments = {survivor: "survivor_id", merged: "merged_id"}
    locked = {key: await rows.lock_row(tx, viewer, Customer, key, arguments[key]) for key in sorted(arguments)}
    await _require_deletable(tx, viewer, merged)
    policies = await survivorship.find_policies(tx, Customer.table, choosable_columns())
    surviving = await survivorship.surviving_values(tx, Customer.table, policies, (survivor, merged))
    return MergePair(locked[survivor], locked[merged], choices, surviving)


async def _require_deletable(tx: Connection, viewer: Viewer, key: UUID) -> None:
    statement = statements.select_key(Customer.table, "id", viewer.rights, viewer.rows_for(Verb.DELETE))
    if await tx.fetchval(statement.text, *statement.bind({"row_key": key}, viewer)) is None:
        raise rows.prefix_error("merged", await rows.refused_row(tx, viewer, Customer, key, Verb.DELETE))


def resolved_values(pair: MergePair) -> dict[str, Any]:
    """The columns of the survivor that change: those that somebody or a policy chose, and those that it lacks."""
    definition = Customer.definition
    values: dict[str, Any] = {}
    # Columns under dual control go together: an amount and its currency. Only a person's choice moves them.
    verified = {pair.choices[name] for name in definition.verified_columns if name in pair.choices}
    for name in choosable_columns():
        side = pair.choices.get(name)
        own, other = pair.survivor[name], pair.merged[name]
        if name in definition.merged_columns:
            objects = exact_json.loads(own), exact_json.loads(other)
            united = {**objects[1], **objects[0]} if side is not MergeSide.MERGED else {**objects[0], **objects[1]}
            if side is None and name in pair.surviving:
                united = survivorship.overlaid(united, pair.surviving[name])
            if united != objects[0]:
                values[name] = united
        elif name in definition.verified_columns:
            if MergeSide.MERGED in verified and own != other:
                values[name] = other
        elif side is None and name in pair.surviving:
            if own != pair.surviving[name]:
                values[name] = pair.surviving[name]
        elif (side is MergeSide.MERGED or (side is None and own is None)) and own != other:
            values[name] = other
    if pair.survivor["owner_id"] is None and pair.merged["owner_id"] is not None:
        values["owner_id"] = pair.merged["owner_id"]
    return values


async def blocking_reasons(tx: Connection, viewer: Viewer, pair: MergePair, now: datetime) -> list[dict[str, str]]:
    """What speaks against the merge, each with a code and a remedy."""
    reasons = list(_differences(pair))
    survivor, merged = pair.keys
    if await tx.fetchval(_NOT_SAME, survivor, merged):
        remedy = "somebody decided that they are two customers; change that identity review first"
        reasons.append(("DECIDED_NOT_SAME", remedy))
    locked_until: datetime | None = await tx.fetchval(_LOCKED, survivor, merged, now)
    if locked_until is not None and not viewer.administers:
        reasons.append(
            (
                "LOCKED",
                f"the merged customer is locked to its owner until {locked_until.isoformat()}; ask an administrator",
            )
        )
    return [{"code": code, "message": f"{text[0].upper()}{text[1:]}."} for code, text in reasons]


def _differences(pair: MergePair) -> Iterator[tuple[str, str]]:
    if pair.survivor["kind"] != pair.merged["kind"] and "kind" not in pair.choices:
        yield "KIND_DIFFERS", "one is a person and the other an organisation; choose the field `kind` if they are one"
    blocked = CustomerStatus.BLOCKED
    if pair.merged["status"] == blocked and pair.survivor["status"] != blocked and "status" not in pair.choices:
        yield "BLOCKED", "the merged customer is blocked and the survivor is not; choose the field `status`"


def tables_in_order() -> list[CustomerTable]:
    """The tables whose rows change their customer. Those of keys come last: others wait for their rows."""
    return sorted(customer_tables(), key=lambda table: entity_of(table.table).definition.scope.name == "key_owned")


def moving_tables() -> list[CustomerTable]:
    """The same, without those whose rows stay."""
    return [table for table in tables_in_order() if table.rule.way != "stay"]


async def count_all(tx: Connection, key: UUID) -> dict[str, int]:
    """The rows of a customer by table."""
    counted = {t.name: await tx.fetchval(count_rows(t), key) for t in tables_in_order() if t.rule.way != "stay"}
    return {name: count for name, count in counted.items() if count}


def fingerprint(pair: MergePair, counts: Mapping[str, Any]) -> str:
    """A digest of what a merge depends on: equal as long as the two customers are as they were.

    Rows about two customers, and those that the hub derives while somebody looks at the plan, do not count."""
    versions = [[str(row["id"]), row["version"]] for row in (pair.survivor, pair.merged)]
    left_out = {t.name for t in customer_tables() if t.is_pair or "derived" in entity_of(t.table).definition.options}
    own = {name: count for name, count in counts.items() if name not in left_out}
    choices = {name: side.value for name, side in pair.choices.items()}
    plan = [versions, choices, {name: str(value) for name, value in pair.surviving.items()}, own]
    return hashlib.sha256(exact_json.dumps(plan).encode()).hexdigest()[:32]


def shown_tables(viewer: Viewer, counts: Mapping[str, Mapping[str, int]]) -> list[dict[str, object]]:
    """What a merge does to each type, without types of which something is hidden from the viewer."""
    shown: list[dict[str, object]] = []
    for t in tables_in_order():
        entity = entity_of(t.table)
        hides_some = not viewer.sees_all_rows and scopes.hides_rows_of_customers(t.table, viewer.rights)
        hidden = hides_some or not viewer.rights.shows_rows(entity.__name__)
        if t.name in counts and not hidden:
            shown.append({"type": entity.__name__, **counts[t.name]})
    return shown
