"""The ids and values in the workloads' variables: read once from the data set, the same for every contender."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

CUSTOMERS = 5_000
COUNTRY_STAGES = 12

# Ordering by a digest of the key draws at random, with the same result every time.
_CUSTOMERS = """
select c.id, c.name from customers c join org_units u on u.id = c.unit_id
where $1::text is null or u.path <@ $1::text::ltree
order by md5(c.id::text) limit $2
"""
_COUNTRY_STAGES = """
select country, stage from customers where country is not null
group by country, stage having count(*) >= 20 order by md5(country || stage) limit $1
"""
_LEAF_UNITS = """
select u.path::text from org_units u join customers c on c.unit_id = u.id
where not exists (select from org_units below where below.parent_id = u.id)
group by u.id order by count(*), u.path
"""
_ROW_COUNTS = """
select c.id, (select count(*) from orders o where o.customer_id = c.id) as orders,
       (select count(*) from interactions i where i.customer_id = c.id) as interactions
from customers c where c.id = any($1) order by orders, interactions, c.id
"""


@dataclass(frozen=True, slots=True)
class WorkloadInputs:
    """The values for the workloads' variables."""

    customers: list[UUID]
    country_stages: list[tuple[str, str]]
    names: list[str]  # of the customers


@dataclass(frozen=True, slots=True)
class KeyBindings:
    """The units and the customer that the bound keys of the suite `keys` are bound to."""

    leaf_unit: str
    region_unit: str
    customer: UUID


async def read_inputs(connection: asyncpg.Connection, unit: str | None = None) -> WorkloadInputs:
    """Random ids of customers, and pairs of country and stage with at least one page of customers.

    `unit`, a path, limits the ids to its subtree.
    """
    rows = await connection.fetch(_CUSTOMERS, unit, CUSTOMERS)
    country_stages = [(row["country"], row["stage"]) for row in await connection.fetch(_COUNTRY_STAGES, COUNTRY_STAGES)]
    if not rows or not country_stages:
        raise SystemExit("the data set has too few customers; load a larger one (see bench/README.md)")
    return WorkloadInputs([row["id"] for row in rows], country_stages, [row["name"] for row in rows])


async def read_bindings(connection: asyncpg.Connection, inputs: WorkloadInputs) -> KeyBindings:
    """The leaf unit of median size, its region, and a customer with a typical number of orders."""
    leaves = [row["path"] for row in await connection.fetch(_LEAF_UNITS)]
    leaf = leaves[len(leaves) // 2]
    typical = await connection.fetch(_ROW_COUNTS, inputs.customers)
    labels = leaf.split(".")
    region = ".".join(labels[: max(1, min(2, len(labels) - 1))])
    return KeyBindings(leaf, region, typical[len(typical) // 2]["id"])
