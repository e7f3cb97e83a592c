"""Every mutation on rows that the viewer's roles show and do not let it write: it is refused, and nothing changes.

What each mutation changes is found out first, with roles that may do everything. Nothing is committed."""

import random
from collections.abc import AsyncIterator

import pytest
import random_runs
from conftest import CreateDatabase, execute_sql
from only_shown_rows import OnlyShown
from oracle import edge_rows, webhook_rows
from rolled_back_writes import WritesDatabase, open_writes

from hub.model import rows

SEED = str(random_runs.seed())
QUEUE = """
insert into job_queue (job_id, arguments, queued_at, due_at)
select id, '{}', created_at, created_at from jobs where status in ('QUEUED', 'RUNNING');
insert into webhook_queue (delivery_id, webhook_id, ordering_key, row_id, position, due_at)
select id, webhook_id, customer_id, id, 1, created_at from webhook_deliveries
"""
# Drawn in every run: these change rows by statements of their own, once they have checked the caller.
ALWAYS = frozenset({
    "codeRuleUpsert", "disclosureClear", "disclosureHandIn", "disclosureOrder", "jobCancel", "notificationsSeen",
    "reportCorrect", "reportSubmit", "taskDone", "verificationConfirm", "webhookRewind", "webhookSecretRotate",
    "webhookDeliveryResend", "workItemDependencyAdd", "workItemWithdraw",
})  # fmt: skip


@pytest.fixture(scope="module")
async def shown_rows(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[OnlyShown]:
    dsn = await create_database("northwind")
    await edge_rows.add(dsn)
    await webhook_rows.add(dsn)
    await execute_sql(dsn, QUEUE)
    async with open_writes(dsn) as database:
        yield OnlyShown(database, SEED)


async def written(shown_rows: OnlyShown, root: str) -> list[str]:
    """What the mutation does to rows that roles only show; it must change rows for a viewer that may do everything."""
    database: WritesDatabase = shown_rows.writes
    attempts = [attempt async for attempt in shown_rows.attempts(root)]
    assert attempts, f"seed {SEED} {root} changes nothing: {shown_rows.refusals[root].most_common(9)}"
    unrefused = []
    for attempt in attempts:
        response, _ = await database.run(attempt.viewer, attempt.document, input=attempt.value)
        codes = {error["extensions"]["code"] for error in response.get("errors", ())}
        if codes != {"FORBIDDEN"} or database.logged:
            unrefused.append(f"seed {SEED} {root} {attempt.changed} {attempt.value} {codes or response}")
    return unrefused


async def test_no_mutation_changes_a_row_that_the_roles_only_show(
    shown_rows: OnlyShown, pytestconfig: pytest.Config
) -> None:
    """One role shows everything, and another one changes other rows of the type that the mutation changes."""
    share = random_runs.size("thousandths of the mutations on rows that are only shown", pytestconfig) / 1_000
    rng = random.Random(f"{SEED} only shown")
    roots = [root for root in shown_rows.roots() if rng.random() < share or root in ALWAYS]
    unrefused = [fault for root in roots for fault in await written(shown_rows, root)]
    assert not unrefused, "\n".join(unrefused)


async def test_a_command_that_forgets_the_roles_is_noticed(
    shown_rows: OnlyShown, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await written(shown_rows, "workItemWithdraw")

    async def always(*arguments: object, **options: object) -> bool:
        return True

    monkeypatch.setattr(rows, "_is_within", always)
    assert await written(shown_rows, "workItemWithdraw")
