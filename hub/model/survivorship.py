"""Which of several sources is believed: policies by field, and the values that follow from them and from what sources say.

A field without a policy has the value that was written last. One with a policy has the value of the source that wins, by the
policy's criteria in their order; what these leave open, the latest word decides. See provenance.py for what sources say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import DIALECT
from hub.model import provenance
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
    """The columns of a table that may have a policy, by field; what another person confirms and JSON may not."""
    objects = provenance.merged_by_key(table)
    return {camel_case(name): name for name in provenance.sourced_columns(table) if name not in objects}


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

    `customers` is a condition on the record `s`; `trusted` an expression for the array of trusted sources."""
    sql_type = table.c[column].type.compile(dialect=DIALECT)
    fact = f"s.facts -> '{policy.field}'"
    orders = {
        SurvivorshipCriterion.MANUAL: f"s.source = '{MANUAL}' desc",
        SurvivorshipCriterion.SOURCE_TRUST: f"array_position({trusted}, s.source) asc nulls last",
        SurvivorshipCriterion.RECENCY: f"({fact} ->> 1)::timestamp desc",
        SurvivorshipCriterion.COMPLETENESS: f"coalesce(length({fact} ->> 0), -1) desc",
    }
    criteria = dict.fromkeys((*map(SurvivorshipCriterion, policy.criteria), SurvivorshipCriterion.RECENCY))
    order = ", ".join([*(orders[criterion] for criterion in criteria), "s.source", "s.id"])
    return f"""
    select ({fact} ->> 0)::{sql_type} as value, s.source from source_records as s
    where {customers} and s.facts ? '{policy.field}' and {trusted} is not null order by {order} limit 1
    """


async def surviving_values(
    tx: Connection, table: sa.Table, policies: Mapping[str, FieldPolicy], customers: Sequence[UUID]
) -> dict[str, Any]:
    """The values that win among all that is said of several customers, by column, as if they were one."""
    values: dict[str, Any] = {}
    for column, policy in policies.items():
        sql = winner(table, column, policy, "s.customer_id = any($1)", "$2::text[]")
        row = await tx.fetchrow(f"select w.value from ({sql}) as w", list(customers), list(policy.trusted_sources))
        if row is not None:
            values[column] = row["value"]
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
        changes = f'w{number}.source is not null and c."{column}" is distinct from w{number}.value'
        assignments.append(f'"{column}" = case when k.changes{number} then k.value{number} else t."{column}" end')
        differs.append((f"w{number}.value as value{number}, ({changes}) as changes{number}", f"k.changes{number}"))
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
    select c.id, c."{column}" as before, w.value as after, w.source from {table.name} as c
    cross join lateral ({sql}) as w where c."{column}" is distinct from w.value
    """
