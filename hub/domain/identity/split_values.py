"""The values of the two customers of a split: those of the new one, and those that the old one loses with what went."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.model import exact_json, survivorship
from hub.model.mover import stored_columns
from hub.schema.customers.customers import Customer

_IMAGES = """
select l.before::text as image from merge_rows as l join merges as m on m.id = l.merge_id
where m.id = any($1) and l.table_name = 'customers' and l.action = 'DROPPED' order by m.merged_at, m.id
"""
_FILLED = """
select l.before::text as before, l.after::text as after from merge_rows as l join merges as m on m.id = l.merge_id
where m.id = any($1) and l.row_id = $2 and l.table_name = 'customers' and l.action = 'CHANGED'
order by m.merged_at desc, m.id desc
"""
_FACTS = """
select s.facts::text as facts, exists (
    select from merge_rows as l where l.merge_id = $2 and l.table_name = 'source_records' and l.row_id = s.id
) as goes from source_records as s where s.customer_id = $1
"""
_NAMED_BY = """
select i.value from identifiers as i join merge_rows as l on l.row_id = i.id
where i.customer_id = $1 and l.merge_id = $2 and l.table_name = 'identifiers'
order by i.verified desc, i.kind, i.id limit 1
"""
_VALUES = "select to_jsonb(c)::text from customers as c where c.id = $1"
OWN_COLUMNS = ("id", "version", "created_at", "updated_at", "former_ids", "unit_id", "owner_id")


class SplitFacts(NamedTuple):
    """By field, what sources say of the customer who stays, and of the new one: value and time, the latest first."""

    staying: Mapping[str, Sequence[Sequence[Any]]]
    parted: Mapping[str, Sequence[Sequence[Any]]]


async def read_facts(tx: Connection, customer: UUID, split: UUID) -> SplitFacts:
    """What sources say of the two, while the rows that go are selected in the split's ledger."""
    facts: dict[bool, dict[str, list[Sequence[Any]]]] = {False: {}, True: {}}
    for row in await tx.fetch(_FACTS, customer, split):
        for field, fact in exact_json.loads(row["facts"]).items():
            facts[row["goes"]].setdefault(field, []).append(fact)
    for by_field in facts.values():
        for said in by_field.values():
            said.sort(key=lambda fact: str(fact[1]), reverse=True)
    return SplitFacts(facts[False], facts[True])


async def former_image(tx: Connection, origins: Sequence[UUID]) -> dict[str, Any]:
    """The former customer whose rows go, as the first of these merges left it; empty without one."""
    text = await tx.fetchval(_IMAGES, list(origins))
    image = {} if text is None else exact_json.loads(text)
    columns = set(stored_columns(Customer.table)) - set(OWN_COLUMNS)
    return {name: value for name, value in image.items() if name in columns}


async def parted_values(
    tx: Connection, stored: asyncpg.Record, split: UUID, image: Mapping[str, Any], facts: SplitFacts, name: str | None
) -> dict[str, Any]:
    """The values of the new customer, as JSON by column: its image, else what its sources say, else what it is known by."""
    values: dict[str, Any] = {"kind": stored["kind"]}
    for field, column in survivorship.policy_columns(Customer.table).items():
        if field in facts.parted and facts.parted[field][0][0] is not None:
            values[column] = facts.parted[field][0][0]
    prefix = "attributes."
    free = {field.removeprefix(prefix): said[0][0] for field, said in facts.parted.items() if field.startswith(prefix)}
    values["attributes"] = {key: value for key, value in free.items() if value is not None}
    values |= image
    if name is not None:
        values["name"] = name
    if "name" not in values:
        values["name"] = await tx.fetchval(_NAMED_BY, stored["id"], split) or stored["name"]
    return values


async def lost_values(
    tx: Connection, stored: asyncpg.Record, origins: Sequence[UUID], facts: SplitFacts
) -> dict[str, Any]:
    """The values that the customer loses: those that a merge filled in, and those that only sources said that went."""
    key: UUID = stored["id"]
    current: dict[str, Any] = exact_json.loads(await tx.fetchval(_VALUES, key))
    values: dict[str, Any] = {}
    writable = {*Customer.definition.updatable(), "owner_id"} - set(Customer.definition.verified_columns)
    for row in await tx.fetch(_FILLED, list(origins), key):
        before, after = exact_json.loads(row["before"]), exact_json.loads(row["after"])
        values |= {n: before[n] for n in before if n in writable and current[n] == after[n] and current[n] != before[n]}
    for field, column in survivorship.policy_columns(Customer.table).items():
        value = values.get(column, current[column])
        staying, parted = ([fact[0] for fact in said.get(field, ())] for said in facts)
        if value is None or value not in parted or value in staying:
            continue
        if staying or Customer.table.c[column].nullable:
            values[column] = staying[0] if staying else None
    policies = await survivorship.find_policies(tx, Customer.table, list(Customer.definition.updatable()))
    for name, value in (await survivorship.surviving_values(tx, Customer.table, policies, [key])).items():
        is_object = name in Customer.definition.merged_columns
        values[name] = survivorship.overlaid(values.get(name, current[name]), value) if is_object else value
    converted = {name: python_value(name, value) for name, value in values.items()}
    return {name: value for name, value in converted.items() if value != python_value(name, current[name])}


def python_value(column: str, value: Any) -> Any:
    """A value of JSON as the column takes it."""
    sql_type = Customer.table.c[column].type
    if value is None or not isinstance(value, str):
        return value
    if sql_type.python_type is date:
        return date.fromisoformat(value)
    return UUID(value) if sql_type.python_type is UUID else value
