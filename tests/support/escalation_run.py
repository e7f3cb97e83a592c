"""A visit that nobody makes, through levels of escalation whose moments may come while no hub runs.

A subscriber and a webhook record every notification and move of it."""

import asyncpg
import orjson
from change_workload import wait_until
from clock_hub import ADVANCE, CALENDAR, CHINA, POLICY, START, UNIT, china
from conftest import create_api_key
from credit_process import CREATE_HOOK, HOOK, CreditSubscriber, HttpHubClient, delivered
from hub_process import run_hubs
from reconnecting_subscriber import run_subscribers
from webhook_client import run_receiver

STAFF = "mutation ($input: StaffCreateInput!) { staffCreate(input: $input) { staff { id } } }"
ROLE = "mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id } } }"
TASK = "mutation ($input: TaskCreateInput!) { taskCreate(input: $input) { task { id } } }"
CLOCK = "query ($id: ID!) { task(id: $id) { status clocks { nodes { status level dueAt } } } }"
# 16 working hours from Friday, February 13, 17:00: half, 80 percent, all, and half of them more.
MOMENTS = ("2026-02-14T17:30", "2026-02-24T14:48", "2026-02-24T18:00", "2026-02-26T09:30")
SHARES = ("0.5", "0.8", "1", "1.5")
LEVELS = [
    {
        "clock": "HANDLING",
        "level": level,
        "atShare": share,
        "role": "HEAD" if level % 2 else "STAFF",
        "text": f"Level {level}",
    }
    for level, share in enumerate(SHARES, 1)
]
LAST = {
    "clock": "HANDLING",
    "level": 5,
    "atOffsetSeconds": 36_000,
    "act": "MOVE",
    "moveTo": "DROPPED",
    "text": "Too late",
}
VISITS = {
    "code": "visits", "name": "Visits", "entity": "Task", "match": {"type": {"eq": "VISIT"}}, "position": 1,
    "terms": [{"clock": "HANDLING", "goalSeconds": 57_600, "calendar": "china"}], "escalationRules": [*LEVELS, LAST],
}  # fmt: skip
END = "2026-02-26T11:30"
ENDED_VISIT = {
    "status": "DROPPED",
    "clocks": {"nodes": [{"status": "VOID", "level": 5, "dueAt": "2026-02-24T10:00:00+00:00"}]},
}


def expected_levels() -> list[str]:
    """What the feed says of the visit: a notification for a level, by turns to the head and the person, and a move."""
    lines = []
    for level in range(1, len(SHARES) + 1):
        node = {"type": "ESCALATION", "text": f"Level {level}", "staff": {"name": "HEAD" if level % 2 else "ANA"}}
        lines.append(f"CREATE Notification {orjson.dumps(node).decode()}")
    move = {"fromValue": "OPEN", "toValue": "DROPPED", "subject": {"__typename": "Task"}}
    return [*lines, f"CREATE Move {orjson.dumps(move).decode()}"]


async def go_through_levels(dsn: str, *, kill: bool) -> tuple[object, list[str], list[str]]:
    """Lets the moments come, with `kill` while the hub is dead. Returns the visit, and what was received of it."""
    key = await create_api_key(dsn)
    settings = {"clock": "test", "clock_start": START.isoformat(), "clock_allow": 1, "webhook_allow": "127.0.0.1"}
    async with run_receiver() as receiver, run_hubs(dsn, 1, **settings) as hubs:
        client = HttpHubClient(dsn, None, key, hubs.ports[0])  # type: ignore[arg-type]  # no hub in this process
        subscriber = CreditSubscriber(hubs.ports, key)
        async with run_subscribers([subscriber]):
            await client.query(CREATE_HOOK, {"url": receiver.url(), "query": HOOK})
            task = await _prepare(client)
            for moment in (*MOMENTS, END):
                if kill:
                    await hubs.kill(hubs.ports[0])
                    await _set_clock(dsn, moment)
                    await hubs.start(hubs.ports[0])
                else:
                    await client.query(ADVANCE, {"to": china(moment).isoformat()})
            count = len(expected_levels())

            async def has_everything() -> bool:
                return len(subscriber.records) >= count and len(delivered(await receiver.captured())) >= count

            await wait_until(has_everything, 60)
            assert subscriber.cursor_breaks == []
            ended = (await client.query(CLOCK, {"id": task}))["task"]
            return ended, subscriber.records, delivered(await receiver.captured())


async def _prepare(client: HttpHubClient) -> str:
    """Makes the unit, its head, a person, the policy and the visit; returns the visit's id."""
    await client.query(CALENDAR, {"input": CHINA})
    root = {"code": "root", "name": "Root", "kind": "GROUP"}
    unit = (await client.query(UNIT, {"input": root}))["orgUnitCreate"]["orgUnit"]["id"]
    ids = {}
    for name in ("ANA", "HEAD"):
        created = await client.query(STAFF, {"input": {"number": name, "name": name, "unitId": unit}})
        ids[name] = created["staffCreate"]["staff"]["id"]
    role = {"staffId": ids["HEAD"], "role": "HEAD", "unitId": unit, "fromAt": "2026-01-01T00:00:00Z"}
    await client.query(ROLE, {"input": role})
    await client.query(POLICY, {"input": VISITS})
    visit = {"type": "VISIT", "staffId": ids["ANA"]}
    key: str = (await client.query(TASK, {"input": visit}))["taskCreate"]["task"]["id"]
    return key


async def _set_clock(dsn: str, moment: str) -> None:
    """Moves the test clock on while no hub runs."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("update test_clock set now = $1", china(moment))
    finally:
        await connection.close()
