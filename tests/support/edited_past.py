"""A database whose rows have a past of random edits, and all that is known of it, to compare with what the hub shows."""

import json
import random
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from change_workload import wait_until_projected
from oracle.data import Dataset, load
from writer_client import HubClient

from hub import graph
from hub.db.pool import Connection
from hub.domain.access import api_keys
from hub.engine.catalog.catalog import CatalogEntity

CATALOG = graph.build().catalog
LoggedImage: TypeAlias = dict[str, Any] | None
ROWS = 4
LONG_AGO = datetime.now(UTC) - timedelta(days=6)  # within the retention, before every edit
# What the hub does by itself, as time passes, would come between two looks at the past.
DECIDE_NOTHING = "update match_candidates set status = 'OPEN', reminds_at = null where status in ('SAME', 'LATER')"


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change as the log has it."""

    operation: str
    version: int
    logged_at: datetime
    before: LoggedImage
    after: LoggedImage


@dataclass
class EditedDatabase:
    """A database with a past: who asks there, which rows are asked for, at which moments, and all that is known of them."""

    hub: HubClient
    connection: Connection
    rng: random.Random
    bound_customer: UUID  # the customer whom a key is bound to
    bound_unit: UUID  # the unit without others below that a key is bound to
    touched: dict[str, list[UUID]] = field(default_factory=dict)
    moments: list[datetime] = field(default_factory=list)
    log: dict[UUID, list[LoggedChange]] = field(default_factory=lambda: defaultdict(list))
    data: Dataset | None = None


async def choose_rows(edited_database: EditedDatabase, entity: CatalogEntity) -> list[UUID]:
    """Rows of the customer whom a key is bound to, of its region, and of anywhere."""
    table, column = entity.table.name, entity.declaration.scope.customer_column
    mine = f"{column} = '{edited_database.bound_customer}'" if column else "true"
    here = (
        f"{column} in (select c.id from customers c join org_units u on u.id = c.unit_id where u.path ~ '*.eastern.*')"
    )
    ids: dict[UUID, None] = {}
    for where in (mine, here if column else "true", "true"):
        drawn = await edited_database.connection.fetch(
            f"select id from {table} where {where} order by md5(id::text) limit {ROWS}"
        )
        ids |= dict.fromkeys(record["id"] for record in drawn)
    return list(ids)


async def edit_row(edited_database: EditedDatabase, entity: CatalogEntity, key: UUID) -> None:
    """One random edit of a row, and sometimes it is made again; what the rules of the database refuse is not done."""
    table, rng, roll = entity.table.name, edited_database.rng, edited_database.rng.random()
    # Half of the moves lead to what keys are bound to, so that they see something come and go.
    customer, unit = (
        near if rng.random() < 0.5 else rng.choice(edited_database.touched[name])
        for near, name in (
            (edited_database.bound_customer, CATALOG.customer_type.name),
            (edited_database.bound_unit, "OrgUnit"),
        )
    )
    statement = f"update {table} set created_at = created_at + interval '1 us'"
    if roll < 0.1 and key != edited_database.bound_customer:
        statement = f"delete from {table}"
    elif roll < 0.6 and "customer_id" in entity.table.c:
        unit_assignment = f", unit_id = (select unit_id from customers where id = '{customer}')"
        statement = f"update {table} set customer_id = '{customer}'" + (
            unit_assignment if "unit_id" in entity.table.c else ""
        )
    elif roll < 0.6 and "unit_id" in entity.table.c:
        statement = f"update {table} set unit_id = '{unit}'"
    columns = ", ".join(f'"{column.name}"' for column in entity.table.c if column.computed is None)
    reinsert = f"""insert into {table} ({columns}) select {columns} from (
        select (jsonb_populate_record(null::{table}, before)).* from change_log
        where row_id = '{key}' and operation = 'DELETE' order by id desc limit 1
    ) as last"""
    for sql in (f"{statement} where id = '{key}'", reinsert)[: 1 + rng.getrandbits(1)]:
        with suppress(asyncpg.IntegrityConstraintViolationError):
            await edited_database.connection.execute(sql)


async def create_history(edited_database: EditedDatabase, rounds: int) -> None:
    """Gives the database a past of so many rounds of edits."""
    for entity in CATALOG.with_past_rows:
        edited_database.touched[entity.name] = await choose_rows(edited_database, entity)
    # The key of the hub's client asks afterwards, so it stays as it is.
    id_of_key = "select id from api_keys where public_id = $1"
    public_id = str(api_keys.extract_public_id(edited_database.hub.key))
    client_key = await edited_database.connection.fetchval(id_of_key, public_id)
    edited_database.touched["ApiKey"] = [key for key in edited_database.touched["ApiKey"] if key != client_key]
    edited_database.moments = [LONG_AGO]
    all_rows = [(CATALOG.entities[name], key) for name, ids in edited_database.touched.items() for key in ids]
    for _ in range(rounds):
        for entity, key in edited_database.rng.sample(all_rows, len(all_rows) // 2):
            await edit_row(edited_database, entity, key)
        edited_database.moments.append(await edited_database.connection.fetchval("select clock_timestamp()"))
    await wait_until_projected(edited_database.connection)
    await edited_database.connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )
    for record in await edited_database.connection.fetch("select * from change_log order by id"):
        change = LoggedChange(record["operation"], record["version"], record["at"], record["before"], record["after"])
        edited_database.log[record["row_id"]].append(change)
    await edited_database.connection.reset_type_codec("jsonb", schema="pg_catalog")
    edited_database.data = await load(edited_database.hub.dsn, CATALOG)
