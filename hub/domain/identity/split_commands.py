"""The command that splits a customer: what was merged, or never was one, by identifiers and by sources."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.domain.identity import splitting
from hub.domain.identity.merge_commands import MergeLimits, require_equal, require_fingerprint, require_unblocked
from hub.domain.identity.merge_plan import shown_tables
from hub.domain.identity.splitting import Selection, SplitChoice
from hub.domain.jobs import queue
from hub.domain.jobs.commands import real_time
from hub.errors import BadInput
from hub.model import exact_json, rows
from hub.model.commands import Injected, command
from hub.model.versions import require_version
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer, Identifier
from hub.schema.identity.merges import Merge
from hub.schema.jobs.jobs import Job, JobType
from hub.text_case import camel_case
from hub.viewer import Viewer

MAX_CHOSEN = 1_000  # identifiers, and sources
_OF_CUSTOMER = "select id from identifiers where customer_id = $1 and id = any($2)"
_SOURCES = """
select source from source_records where customer_id = $1
union select source from identifiers where customer_id = $1 order by source
"""
_KNOWN_BY = """
select (select count(*) from identifiers where customer_id = $1)
    + (select count(*) from source_records where customer_id = $1)
"""


class CustomerSplitPayload(NamedTuple):
    """The payload of customerSplit."""

    customer: Annotated[UUID, Customer, "The customer who stays."]
    parted: Annotated[UUID | None, Customer, "The new customer; empty for a dry run, and while a job works."]
    merge: Annotated[UUID | None, Merge, "The split, which `mergeUndo` takes back."]
    job: Annotated[UUID | None, Job, "The job that parts many rows."]
    fingerprint: Annotated[str, "Stands for the plan; the split repeats that of its dry run."]
    tables: Annotated[list[dict[str, object]], "For each type: its `type`, and how many rows go."]
    fields: Annotated[list[str], "Fields of the customer who stays that change. Of a job, none are listed."]
    reasons: Annotated[list[dict[str, object]], "What speaks against the split, each with `code` and `message`."]


@command("customerSplit")
async def split(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Customer, "The customer."],
    identifier_ids: Annotated[list[Annotated[UUID, Identifier]] | None, "Identifiers of the other customer."] = None,
    sources: Annotated[list[str] | None, "Sources: all that they say is of the other customer."] = None,
    name: Annotated[str | None, "Name of the other customer; what its sources call it by default."] = None,
    expected_version: Annotated[int | None, "Version of the customer that the split is based on."] = None,
    dry_run: Annotated[bool, "Whether nothing is parted: the payload says what would be."] = False,
    fingerprint: Annotated[str | None, "The fingerprint of the dry run. A split needs it."] = None,
    now: datetime,
    merge_limits: Injected[MergeLimits],
) -> CustomerSplitPayload:
    """Parts a customer from another one: identifiers and sources go, with all that merges brought along with them.

    Rows that are part of others, or about them, go with these. The two are not suggested as one again.
    `mergeUndo` makes one of the two again."""
    Customer.require(viewer, "update")
    Customer.require(viewer, "create")
    stored = await rows.lock_row(tx, viewer, Customer, id, "id")
    if expected_version is not None:
        await require_version(
            tx, viewer, Customer, id, dict.fromkeys(Customer.definition.updatable()), expected_version
        )
    choice = await _read_choice(tx, viewer, id, identifier_ids or (), sources or (), name)
    await tx.execute("savepoint dry_run")
    key, parted = await splitting.insert_split(tx, viewer, id, merge_limits.undo_period, now)
    selection = await splitting.select_rows(tx, id, key, choice)
    reasons = await _reasons(tx, id, selection)
    plan = _fingerprint(stored, choice, selection)
    if not dry_run:
        require_unblocked(reasons, "identifier_ids")
        require_fingerprint(fingerprint)
        require_equal(fingerprint, plan)
    counts = {table: {"moved": count} for table, count in selection.counts.items()}
    shown = shown_tables(viewer, counts), [dict[str, object](reason) for reason in reasons]
    count = sum(selection.counts.values())
    if reasons or count > merge_limits.rows_at_once:
        await tx.execute("rollback to savepoint dry_run")
        job = None if dry_run else await _start_job(tx, viewer, id, choice, count, now)
        return CustomerSplitPayload(id, None, None, job, plan, shown[0], [], shown[1])
    changed = await splitting.split_customer(tx, viewer, stored, key, parted, selection, choice.name, now)
    fields = [camel_case(column) for column in changed]
    if dry_run:
        await tx.execute("rollback to savepoint dry_run")
        return CustomerSplitPayload(id, None, None, None, plan, shown[0], fields, shown[1])
    return CustomerSplitPayload(id, parted, key, None, plan, shown[0], fields, shown[1])


async def _read_choice(
    tx: Connection,
    viewer: Viewer,
    customer: UUID,
    identifiers: Sequence[UUID],
    sources: Sequence[str],
    name: str | None,
) -> SplitChoice:
    """What was chosen; raises BadInput for nothing, and for what is not the customer's."""
    if not identifiers and not sources:
        message = "identifier_ids: give identifiers or sources of the customer who is to be parted."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="identifier_ids")
    for argument, chosen in (("identifier_ids", identifiers), ("sources", sources)):
        if len(chosen) > MAX_CHOSEN:
            raise BadInput(f"{argument}: give at most {MAX_CHOSEN:,}.", argument=argument)
    for index, key in enumerate(identifiers):
        await rows.require_visible(tx, viewer, Identifier, key, f"identifier_ids[{index}]")
    own = {row["id"] for row in await tx.fetch(_OF_CUSTOMER, customer, list(identifiers))}
    for index, key in enumerate(identifiers):
        if key not in own:
            argument = f"identifier_ids[{index}]"
            raise BadInput(f"{argument}: another customer has it; name one of this customer's.", argument=argument)
    known = [row["source"] for row in await tx.fetch(_SOURCES, customer)]
    for index, source in enumerate(sources):
        if source not in known:
            argument = f"sources[{index}]"
            message = f"{argument}: nothing of the customer is from it; give one of {', '.join(known[:20])}."
            raise BadInput(message, argument=argument)
    canonical = None if name is None else str(writer_of(Customer).canonical({"name": name})["name"])
    return SplitChoice(sorted(set(identifiers)), sorted(set(sources)), canonical)


async def _reasons(tx: Connection, customer: UUID, selection: Selection) -> list[dict[str, str]]:
    """What speaks against a split."""
    chosen = sum(selection.counts.get(name, 0) for name in ("identifiers", "source_records"))
    if chosen and chosen == await tx.fetchval(_KNOWN_BY, customer):
        message = "Everything that the customer is known by would go, and nothing would be parted; choose less."
        return [{"code": "NOTHING_STAYS", "message": message}]
    return []


def _fingerprint(stored: asyncpg.Record, choice: SplitChoice, selection: Selection) -> str:
    """A digest of what a split depends on."""
    chosen = [[str(key) for key in choice.identifiers], list(choice.sources), choice.name]
    plan = [str(stored["id"]), stored["version"], chosen, selection.counts, [str(key) for key in selection.origins]]
    return hashlib.sha256(exact_json.dumps(plan).encode()).hexdigest()[:32]


async def _start_job(
    tx: Connection, viewer: Viewer, customer: UUID, choice: SplitChoice, total: int, now: datetime
) -> UUID:
    """Starts the job that parts many rows; returns its key."""
    arguments = {
        "split": str(customer),
        "identifiers": [str(key) for key in choice.identifiers],
        "sources": list(choice.sources),
        "name": choice.name,
    }
    name = f"split {Customer.definition.options['prefix']}_{customer.hex}"
    return await queue.enqueue(
        tx, viewer, JobType.MERGE, arguments, name=name, now=now, queued_at=real_time(), total=total
    )
