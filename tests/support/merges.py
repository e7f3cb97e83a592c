"""Merging customers through the API, and all rows of customers as they are stored, to compare them."""

import json
from typing import Any
from uuid import UUID

import asyncpg
from writer_client import HubClient

from hub.model.merge_rules import customer_tables

MERGE = """mutation ($input: CustomersMergeInput!) { customersMerge(input: $input) {
    customer { id } merge { id status survivorId mergedId } job { id } fingerprint tables fields reasons
} }"""
UNDO = """mutation ($input: MergeUndoInput!) { mergeUndo(input: $input) {
    merge { id status undoneAt } customer { id } job { id } report
} }"""
STAMPS = ("version", "updated_at")
Rows = dict[tuple[str, UUID], dict[str, Any]]


def public_id(prefix: str, key: UUID) -> str:
    return f"{prefix}_{key.hex}"


async def planned(client: HubClient, survivor: str, merged: str, **options: Any) -> Any:
    """The plan of a merge."""
    variables = {"input": {"survivorId": survivor, "mergedId": merged, "dryRun": True, **options}}
    return (await client.query(MERGE, variables))["customersMerge"]


async def merge(client: HubClient, survivor: str, merged: str, **options: Any) -> Any:
    """Merges two customers, after a dry run."""
    plan = await planned(client, survivor, merged, **options)
    assert plan["reasons"] == [], plan
    variables = {"input": {"survivorId": survivor, "mergedId": merged, "fingerprint": plan["fingerprint"], **options}}
    done = (await client.query(MERGE, variables))["customersMerge"]
    assert done["fingerprint"] == plan["fingerprint"]
    return done


async def undo(client: HubClient, merge_id: str) -> Any:
    """Undoes a merge."""
    return (await client.query(UNDO, {"input": {"id": merge_id}}))["mergeUndo"]


DERIVED = ("merges", "match_candidates")


async def rows_of(connection: asyncpg.Connection, *customers: UUID) -> Rows:
    """Every row of the customers, in all tables, by table and key; candidates come and go by themselves."""
    rows: Rows = {}
    tables = [
        ("customers", ("id",)),
        *((t.name, t.columns) for t in customer_tables() if t.name not in DERIVED and t.rule.way != "stay"),
    ]
    for table, columns in tables:
        image = "to_jsonb(t) - 'hash' - 'previous_hash'" if table == "api_keys" else "to_jsonb(t)"
        condition = " or ".join(f'"{column}" = any($1)' for column in columns)
        for row in await connection.fetch(
            f'select id, {image} as image from "{table}" as t where {condition}', list(customers)
        ):
            rows[table, row["id"]] = json.loads(row["image"])
    return rows


def without_stamps(rows: Rows) -> Rows:
    """The rows without version and time of the last edit, which an undo moves on."""
    return {key: {name: value for name, value in image.items() if name not in STAMPS} for key, image in rows.items()}
