"""Imports through the front door, for tests: start one, wait for its end, read what it refused."""

import asyncio
from collections.abc import Callable
from typing import Any

from writer_client import HubClient

SECONDS = 60
START = "mutation ($input: ImportCreateInput!) { importCreate(input: $input) { job { id } } }"
UNDO = "mutation ($id: ID!) { importUndo(input: {id: $id}) { job { id } } }"
READ = "query ($id: ID!) { job(id: $id) { status done total reason errorCode counts errors result } }"
REJECTS = """query ($id: ID!) { importRejects(filter: {job: {id: {eq: $id}}}, first: 100) {
    nodes { line code message row argument columns record text } } }"""


async def start_import(client: HubClient, mapping: str, content: str, **options: Any) -> str:
    """Starts an import; returns the id of its job."""
    started = await client.query(START, {"input": {"mapping": mapping, "content": content, **options}})
    id: str = started["importCreate"]["job"]["id"]
    return id


def has_ended(row: dict[str, Any]) -> bool:
    return row["status"] not in ("QUEUED", "RUNNING")


def has_begun(row: dict[str, Any]) -> bool:
    return bool(row["done"])


async def wait_for_end(
    client: HubClient, job: str, condition: Callable[[dict[str, Any]], bool] = has_ended
) -> dict[str, Any]:
    """The job, once it has ended, or another condition holds."""
    async with asyncio.timeout(SECONDS):
        while True:
            row: dict[str, Any] = (await client.query(READ, {"id": job}))["job"]
            if condition(row):
                return row
            await asyncio.sleep(0.02)


async def run_import(client: HubClient, mapping: str, content: str, **options: Any) -> dict[str, Any]:
    """Runs an import to its end; returns the job, with its id and the lines that it refused."""
    job = await start_import(client, mapping, content, **options)
    row = await wait_for_end(client, job)
    rejects = (await client.query(REJECTS, {"id": job}))["importRejects"]["nodes"]
    return {**row, "id": job, "rejects": rejects}


async def undo_import(client: HubClient, job: str) -> dict[str, Any]:
    """Undoes an import; returns the ended job, with what stayed."""
    started = (await client.query(UNDO, {"id": job}))["importUndo"]["job"]["id"]
    row = await wait_for_end(client, started)
    rejects = (await client.query(REJECTS, {"id": started}))["importRejects"]["nodes"]
    return {**row, "id": started, "rejects": rejects}
