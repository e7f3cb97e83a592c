"""Which of several sources is believed: policies by field, and the values that follow from them and from what sources say.

A field without a policy has the value that was written last. One with a policy has the value of the source that wins, by the
policy's criteria in their order; what these leave open, the latest word decides. A policy of a JSON object that updates merge
by key chooses for each key. See provenance.py for what sources say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import DIALECT
from hub.model import exact_json, provenance
from hub.model.columns import DescribedEnum
from hub.model.provenance import MANUAL
from hub.text_case import camel_case


class SurvivorshipCriterion(DescribedEnum):
    """What makes the word of one source count more than that of another."""

    MANUAL = "MANUAL", "A person said it, not a system."
    SOURCE_TRUST = "SOURCE_TRUST", "The source comes earlier in `trustedSources`; those that are not listed come last."
    RECENCY = "RECENCY", "It was said later."
    COMPLETENESS = "COMPLETENESS", "It says more: a value rather than none, a long text rather than a short one."


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """How the value of one field is chosen among those of several sources."""

    field: str  # as the API names it
    criteria: tuple[str, ...]
    trusted_sources: tuple[str, ...] = ()


_POLICIES = "select field, criteria, trusted_sources from survivorship_policies where field = any($1)"


def policy_columns(table: sa.Table) -> dict[str, str]:
    """The columns of a table that may have a policy, by field; what another person confirms may not."""
    return {camel_case(name): name for name in provenance.sourced_columns(table)}


def not_governed(table: sa.Table, names: Sequence[str]) -> sa.ColumnElement[bool] | None:
    """Whether no policy chooses the values of any of these columns; None where there can be none."""
    fields = [field for field, name in policy_columns(table).items() if name in names]
    if not fields:
        return None
    listed = ", ".join(f"'{field}'" for field in fields)
    text = f"not exists (select from survivorship_policies where field in ({listed}))"
    return sa.literal_column(text, sa.Boolean)


async def find_policies(tx: Connection, table: sa.Table, names: Sequence[str]) -> dict[str, FieldPolicy]:
    """The policies of these columns, by column."""
    columns = {field: name for field, name in policy_columns(table).items() if name in names}
    if not columns:
        return {}
    return {
        columns[row["field"]]: FieldPolicy(row["field"], tuple(row["criteria"]), tuple(row["trusted_sources"]))
        for row in await tx.fetch(_POLICIES, list(columns))
    }


def winner(table: sa.Table, column: str, policy: FieldPolicy, customers: str, trusted: str) -> str:
    """SQL for what wins among the facts of customers: columns `value` and `source`, no row where nothing was said.

    `customers` is a condition on the record `s`; `trusted` an expression for the array of trusted sources. Of a JSON object
    the value has what wins for each key, null for one that is to go, and the source names all that win some."""
    if column in provenance.merged_by_key(table):
        prefix = f"{policy.field}."
        return f"""
    select jsonb_object_agg(k.name, k.value) as value, string_agg(distinct k.source, ', ') as source from (
        select distinct on (f.key) substr(f.key, {len(prefix) + 1}) as name, f.value -> 0 as value, s.source
        from source_records as s cross join lateral jsonb_each(s.facts) as f
        where {customers} and starts_with(f.key, '{prefix}') and {trusted} is not null
        order by f.key, {_order(policy, "f.value", trusted)}
    ) as k having count(*) > 0
    """
    sql_type = table.c[column].type.compile(dialect=DIALECT)
    fact = f"s.facts -> '{policy.field}'"
    return f"""
    select ({fact} ->> 0)::{sql_type} as value, s.source from source_records as s
    where {customers} and s.facts ? '{policy.field}' and {trusted} is not null
    order by {_order(policy, fact, trusted)} limit 1
    """


def _order(policy: FieldPolicy, fact: str, trusted: str) -> str:
    """The order of facts by the criteria, the winner first."""
    orders = {
        SurvivorshipCriterion.MANUAL: f"s.source = '{MANUAL}' desc",
        SurvivorshipCriterion.SOURCE_TRUST: f"array_position({trusted}, s.source) asc nulls last",
        SurvivorshipCriterion.RECENCY: f"({fact} ->> 1)::timestamp desc",
        SurvivorshipCriterion.COMPLETENESS: f"coalesce(length({fact} ->> 0), -1) desc",
    }
    criteria = dict.fromkeys((*map(SurvivorshipCriterion, policy.criteria), SurvivorshipCriterion.RECENCY))
    return ", ".join([*(orders[criterion] for criterion in criteria), "s.source", "s.id"])


def _chosen(table: sa.Table, column: str, winner_alias: str) -> str:
    """SQL for the value of a customer `c` with what wins: a JSON object keeps the keys of which nobody says anything."""
    value = f"{winner_alias}.value"
    if column not in provenance.merged_by_key(table):
        return value
    both = f"""jsonb_each(c."{column}" || {value}) as e where e.value <> 'null'"""
    return f"(select coalesce(jsonb_object_agg(e.key, e.value), '{{}}') from {both})"


def overlaid(value: Mapping[str, Any], winners: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with what wins for its keys, as `surviving_values` says it."""
    return {key: part for key, part in {**value, **winners}.items() if part is not None}


async def surviving_values(
    tx: Connection, table: sa.Table, policies: Mapping[str, FieldPolicy], customers: Sequence[UUID]
) -> dict[str, Any]:
    """The values that win among all that is said of several customers, by column, as if they were one.

    Of a JSON object these are the values by key; null stands for a key that is to go."""
    values: dict[str, Any] = {}
    for column, policy in policies.items():
        sql = winner(table, column, policy, "s.customer_id = any($1)", "$2::text[]")
        row = await tx.fetchrow(f"select w.value from ({sql}) as w", list(customers), list(policy.trusted_sources))
        if row is not None:
            is_object = column in provenance.merged_by_key(table)
            values[column] = exact_json.loads(row["value"]) if is_object else row["value"]
    return values


async def derive(
    tx: Connection,
    table: sa.Table,
    policies: Mapping[str, FieldPolicy],
    customers: Sequence[UUID],
    now: datetime,
) -> list[UUID]:
    """Gives customers the values that win by these policies; returns the keys of those that changed."""
    if not policies:
        return []
    joins, assignments, differs = [], [], []
    for number, (column, policy) in enumerate(policies.items()):
        sql = winner(table, column, policy, "s.customer_id = c.id", f"${number + 3}::text[]")
        joins.append(f"left join lateral ({sql}) as w{number} on true")
        chosen = _chosen(table, column, f"w{number}")
        changes = f'w{number}.source is not null and c."{column}" is distinct from {chosen}'
        assignments.append(f'"{column}" = case when k.changes{number} then k.value{number} else t."{column}" end')
        differs.append((f"{chosen} as value{number}, ({changes}) as changes{number}", f"k.changes{number}"))
    statement = f"""
    update {table.name} as t set {", ".join(assignments)}, version = t.version + 1, updated_at = $2
    from (
        select c.id, {", ".join(selected for selected, _ in differs)} from {table.name} as c {" ".join(joins)}
        where c.id = any($1)
    ) as k
    where t.id = k.id and ({" or ".join(condition for _, condition in differs)}) returning t.id
    """
    trusted = (list(policy.trusted_sources) for policy in policies.values())
    return [row["id"] for row in await tx.fetch(statement, list(customers), now, *trusted)]


async def count_overruled(tx: Connection, table: sa.Table, keys: Sequence[UUID], now: datetime) -> int:
    """How many of the rows that were updated at this time stayed as they were, because policies believe other sources."""
    if not keys or not policy_columns(table):
        return 0
    sql = f"select count(*) from {table.name} where id = any($1) and updated_at <> $2"
    count: int = await tx.fetchval(sql, list(keys), now)
    return count


def differences(table: sa.Table, column: str, policy: FieldPolicy, trusted: str) -> str:
    """SQL for the customers whose value of the column is another one by the policy: `id`, `before`, `after`, `source`."""
    sql = winner(table, column, policy, "s.customer_id = c.id", trusted)
    return f"""
    select c.id, c."{column}" as before, w.after, w.source from {table.name} as c cross join lateral (
        select {_chosen(table, column, "w")} as after, w.source from ({sql}) as w
    ) as w where c."{column}" is distinct from w.after
    """
