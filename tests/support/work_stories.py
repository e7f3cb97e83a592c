"""Stories of promises: visits and calls with levels of escalation, facts under dual control, gifts, authority and logs."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from promise_hub import Story
from work_people import CALENDAR, CHINA, DECIDE, instant, step

from hub.db.pool import Pool
from hub.domain.work.clocks import pause_clock, resume_clock
from hub.schema.work.tasks import Task
from hub.settings import Settings

START = datetime(2026, 2, 13, 9, tzinfo=UTC)  # Friday 17:00 in China
POLICY = "mutation ($input: SlaPolicyUpsertInput!) { slaPolicyUpsert(input: $input) { created } }"
TASK = "mutation ($input: TaskCreateInput!) { taskCreate(input: $input) { task { id } } }"
TASK_CHANGE = "mutation ($input: TaskUpdateInput!) { taskUpdate(input: $input) { task { id } } }"
TASK_DONE = "mutation ($id: ID!) { taskDone(input: {id: $id}) { task { status } } }"
TASK_CLOCK = """query ($id: ID!) { task(id: $id) { status clocks { nodes {
    status level dueAt spentSeconds goalSeconds } } } }"""
SHARES = ("0.5", "0.8", "1", "1.5")
VISITS = {
    "code": "visits", "name": "Visits", "entity": "Task", "match": {"type": {"eq": "VISIT"}}, "position": 1,
    "terms": [{"clock": "HANDLING", "goalSeconds": 57_600, "calendar": "cn"}],
    "escalationRules": [
        *({"clock": "HANDLING", "level": level, "atShare": share, "role": "HEAD" if level % 2 else "STAFF",
           "text": f"Level {level}"} for level, share in enumerate(SHARES, 1)),
        {"clock": "HANDLING", "level": 5, "atOffsetSeconds": 36_000, "act": "MOVE", "moveTo": "DROPPED", "text": "Too late"},
    ],
}  # fmt: skip
HALF = {"clock": "HANDLING", "level": 1, "atShare": "0.5", "role": "STAFF", "text": "Half"}
CALLS = [
    {"code": f"calls_{category.lower()}", "name": category, "entity": "Task", "position": position,
     "match": {"type": {"eq": "CALL"}, "category": {"eq": category}},
     "terms": [{"clock": "HANDLING", "goalSeconds": hours * 3_600, "calendar": "house"}], "escalationRules": [HALF]}
    for position, category, hours in ((2, "SALES", 16), (3, "CLERICAL", 8))
]  # fmt: skip


async def tell_visits(story: Story) -> None:
    """A visit that nobody makes, and a call that pauses, changes its priority and its calendar.

    16 working hours from Friday, February 13, 17:00: one of them on Friday, 7.5 on the Saturday that is a working day."""
    client, people = story.client, story.people
    await client.query(CALENDAR, {"input": CHINA | {"code": "house"}})
    for policy in (VISITS, *CALLS):
        await client.query(POLICY, {"input": policy})
    customer, other = [await people.add_customer(name, "branch", "ana") for name in ("Wang", "Li")]
    visit, call = [await _task(story, type, key) for type, key in (("VISIT", customer), ("CALL", other))]
    assert [(await _clock(story, task))["dueAt"] for task in (visit, call)] == [instant("02-24 18:00")] * 2
    await story.advance("02-14 10:00")
    await _stand_still(story, call)
    await story.advance("02-14 17:30")
    story.notified("ESCALATION", "Level 1", "head")
    await story.advance("02-24 09:00")
    await _run_on(story, call)
    assert (await _clock(story, call))["dueAt"] == instant("02-25 17:00")
    await story.advance("02-24 10:00")
    await client.query(TASK_CHANGE, {"input": {"id": call, "category": "CLERICAL"}})
    changed = await _clock(story, call)
    assert (changed["spentSeconds"], changed["goalSeconds"], changed["dueAt"]) == (
        10_800,
        28_800,
        instant("02-24 16:30"),
    )
    await story.advance("02-24 11:00")
    story.notified("ESCALATION", "Half", "ana")
    await client.query(CALENDAR, {"input": CHINA | {"code": "house", "weekly": {"tue": ["14:00-18:00"]}}})
    await story.advance("02-24 14:48")
    story.notified("ESCALATION", "Level 2", "ana")
    await story.advance("02-24 18:00")
    story.notified("ESCALATION", "Level 3", "head")
    await client.query(TASK_DONE, {"id": call}, key=people.token("ana"))
    story.moved("Task", "OPEN", "DONE")
    assert await _clock(story, call) == {
        "status": "MET", "level": 1, "dueAt": instant("02-24 18:00"), "spentSeconds": 28_800, "goalSeconds": 28_800,
    }  # fmt: skip
    await story.advance("02-26 11:30")
    story.notified("ESCALATION", "Level 4", "ana", moment=instant("02-26 09:30"))
    story.moved("Task", "OPEN", "DROPPED")
    ended = await _clock(story, visit)
    assert (ended["status"], ended["level"], ended["dueAt"]) == ("VOID", 5, instant("02-24 18:00"))


async def _task(story: Story, type: str, customer: str) -> str:
    values = {"type": type, "staffId": story.people.workers["ana"].id, "customerId": customer, "category": "SALES"}
    task: str = (await story.client.query(TASK, {"input": values}))["taskCreate"]["task"]["id"]
    return task


async def _clock(story: Story, task: str) -> dict[str, Any]:
    clock: dict[str, Any]
    (clock,) = (await story.client.query(TASK_CLOCK, {"id": task}))["task"]["clocks"]["nodes"]
    return clock


async def _stand_still(story: Story, task: str) -> None:
    """Lets the clock of a task pause, as commands of states that wait do."""
    await _with_clock(story, task, pause_clock)


async def _run_on(story: Story, task: str) -> None:
    await _with_clock(story, task, resume_clock)


async def _with_clock(story: Story, task: str, change: Any) -> None:
    pool = Pool(story.client.dsn, Settings(pool_size=1))
    try:
        async with pool.transaction() as tx:
            now = datetime.fromisoformat(story.moment)
            assert await change(tx, Task, UUID(task.partition("_")[2]), "HANDLING", now)
    finally:
        await pool.close()


# -- dual control -------------------------------------------------------------------------------------------------------

GRANT = "mutation ($input: CredentialGrantInput!) { credentialGrant(input: $input) { credential { id } } }"
REVENUE = """mutation ($id: ID!, $amount: Decimal!) { customerUpdate(input: {
    id: $id, annualRevenue: $amount, annualRevenueCurrency: "CNY" }) { customer { unverified } } }"""
CLAIMS = """query ($id: ID!) { customer(id: $id) { unverified verifications(first: 20) { nodes {
    id status columns claimedBy { name } } } } }"""
CONFIRM = "mutation ($id: ID!) { verificationConfirm(input: {id: $id}) { verification { status } } }"
WITHDRAW = 'mutation ($id: ID!) { workItemWithdraw(input: {id: $id, reason: "Too much."}) { workItem { status } } }'
FACTS = ["annualRevenue", "annualRevenueCurrency"]


async def tell_decisions(story: Story) -> None:
    """A loan that neither its opener decides nor somebody without authority, nor anybody on facts of one person alone."""
    client, people = story.client, story.people
    await story.advance("02-27 09:00")
    decide = step("decide", "DIRECTOR", "APPROVE", "REJECT", authority="LOAN", verified=["annualRevenue"])
    await people.describe("loan", decide)
    await grant_authority(story, "dora")
    customer = people.customer = await people.add_customer("Dam", "branch", "ana")
    await _claim(story, customer, "1000000")
    await _claim(story, customer, "2000000")
    claims = await _claims(story, customer)
    assert [(claim["status"], claim["columns"]) for claim in claims] == [
        ("STALE", FACTS), ("PENDING", FACTS[1:]), ("PENDING", FACTS[:1]),
    ]  # fmt: skip
    item = (await people.open("ana", "loan", amount="50000", currency="CNY"))["id"]
    story.notified("ASSIGNED", "Loan: Decide", "dan", "dora")
    twin = await people.mint(people.workers["ana"].key, "branch")
    (open_step,) = await people.open_steps(item)
    for key, code in ((people.token("ana"), "DUAL_CONTROL"), (twin, "DUAL_CONTROL"), (people.token("dan"), "AUTHORITY_LIMIT"),
                      (people.token("dora"), "UNVERIFIED")):  # fmt: skip
        variables = {"input": {"id": open_step["id"], "decision": "APPROVE"}}
        assert (await client.error(DECIDE, variables, key=key))["code"] == code
    for claim in claims[1:]:
        for key in (people.token("ana"), twin):
            assert (await client.error(CONFIRM, {"id": claim["id"]}, key=key))["code"] == "DUAL_CONTROL"
        await client.query(CONFIRM, {"id": claim["id"]}, key=people.token("dora"))
    assert (await client.query(CLAIMS, {"id": customer}))["customer"]["unverified"] == []
    await people.decide("dora", item, "APPROVE")
    story.moved("WorkStep", "OPEN", "DECIDED")
    story.moved("WorkItem", "OPEN", "DONE")
    story.notified("COPY", "Loan ended: DONE", "ana")
    larger = (await people.open("ana", "loan", amount="100000.01", currency="CNY"))["id"]
    story.notified("ASSIGNED", "Loan: Decide", "dan", "dora")
    assert (await people.refuse("dora", larger, "APPROVE"))["code"] == "AUTHORITY_LIMIT"
    await _withdraw(story, larger)


async def grant_authority(story: Story, name: str, **values: Any) -> None:
    """Lets a person decide loans of up to 100,000."""
    authority = {"type": "AUTHORITY", "code": "LOAN", "limit": "100000", "currency": "CNY", **values}
    await story.client.query(GRANT, {"input": authority | {"staffId": story.people.workers[name].id}})


async def _claim(story: Story, customer: str, amount: str) -> None:
    variables = {"id": customer, "amount": amount}
    written = await story.client.query(REVENUE, variables, key=story.people.token("ana"))
    assert written["customerUpdate"]["customer"]["unverified"] == FACTS


async def _claims(story: Story, customer: str) -> list[dict[str, Any]]:
    nodes = (await story.client.query(CLAIMS, {"id": customer}))["customer"]["verifications"]["nodes"]
    return sorted(nodes, key=lambda node: str(node["id"]))


async def _withdraw(story: Story, item: str) -> None:
    await story.client.query(WITHDRAW, {"id": item}, key=story.people.token("ana"))
    story.moved("WorkStep", "OPEN", "SKIPPED")
    story.moved("WorkItem", "OPEN", "WITHDRAWN")


# -- gifts, logs and authority that ends --------------------------------------------------------------------------------

LIMIT = "mutation ($input: DisclosureLimitUpsertInput!) { disclosureLimitUpsert(input: $input) { created } }"
DECLARE = """mutation ($input: DisclosureDeclareInput!) { disclosureDeclare(input: $input) {
    disclosure { id status handInDueAt } } }"""
DISCLOSURE = "query ($id: ID!) { disclosure(id: $id) { status clocks { nodes { name status } } } }"
REPORT = "mutation ($input: ReportUpsertInput!) { reportUpsert(input: $input) { created } }"
ISSUES = (
    "{ reportIssues(orderBy: {field: STARTS_ON}) { nodes { id revision status digest sections replaces { id } } } }"
)
SUBMIT = "mutation ($input: ReportSubmitInput!) { reportSubmit(input: $input) { reportIssue { status } } }"
CORRECT = """mutation ($id: ID!) { reportCorrect(input: {id: $id, reason: "A visit was left out."}) {
    reportIssue { status } } }"""
GIFTS = {"code": "gifts", "name": "Gifts", "entity": "Disclosure",
         "terms": [{"clock": "HAND_IN", "goalSeconds": 81_000, "calendar": "cn"}]}  # fmt: skip
HOSPITALITY = {"type": "HOSPITALITY", "currency": "CNY", "validFrom": "2026-01-01", "perPerson": "200"}
GIFT = {"type": "GIFT_RECEIVED", "counterparty": "Linhai Paper", "matter": "A watch", "value": "500", "currency": "CNY",
        "occurredOn": "2026-03-31"}  # fmt: skip
MEAL = GIFT | {"type": "HOSPITALITY", "matter": "Supper", "value": "1000", "persons": 4}
LOG = {"name": "log", "title": "Log", "period": "DAY", "timezone": "Asia/Shanghai", "per": "STAFF",
       "sections": ["results"], "subjects": {"number": {"eq": "ana"}}}  # fmt: skip


async def tell_gifts_and_logs(story: Story) -> None:
    """A gift that is not handed in, hospitality beyond the limit, a daily log with a correction."""
    client, ana = story.client, story.people.token("ana")
    await story.advance("04-01 09:00")
    await client.query(POLICY, {"input": GIFTS})
    await client.query(LIMIT, {"input": HOSPITALITY})
    declared = (await client.query(DECLARE, {"input": GIFT}, key=ana))["disclosureDeclare"]["disclosure"]
    assert (declared["status"], declared["handInDueAt"]) == ("DECLARED", instant("04-03 18:00"))
    story.notified("COPY", "ana declared GIFT_RECEIVED: 500 CNY, Linhai Paper.", "head")
    assert (await client.error(DECLARE, {"input": MEAL}, key=ana))["code"] == "HOSPITALITY_LIMIT"
    await client.query(REPORT, {"input": LOG})
    await story.advance("04-02 00:00")
    await client.query(REPORT, {"input": LOG | {"active": False}})
    await _write_log(story, "One visit.")
    (first,) = await _issues(story)
    await client.query(CORRECT, {"id": first["id"]}, key=ana)
    await _write_log(story, "Two visits.")
    unchanged, second = await _issues(story)
    assert unchanged == first
    assert (second["revision"], second["status"], second["replaces"]) == (2, "ISSUED", {"id": first["id"]})
    assert None not in (first["digest"], second["digest"])
    assert first["digest"] != second["digest"]
    await story.advance("04-03 18:01")
    passed = instant("04-03 18:00").replace("+", ".000001+")
    story.moved("Disclosure", "DECLARED", "VIOLATION", moment=passed)
    for name in ("ana", "head"):
        story.notified(
            "DEVIATION", "A watch from Linhai Paper: Not handed in by 2026-04-03 10:00 UTC.", name, moment=passed
        )
    ended = (await client.query(DISCLOSURE, {"id": declared["id"]}))["disclosure"]
    assert ended == {"status": "VIOLATION", "clocks": {"nodes": [{"name": "HAND_IN", "status": "MISSED"}]}}


async def _issues(story: Story) -> list[dict[str, Any]]:
    nodes = (await story.client.query(ISSUES))["reportIssues"]["nodes"]
    return sorted(nodes, key=lambda node: int(node["revision"]))


async def _write_log(story: Story, text: str) -> None:
    """Writes and submits the open log, which is issued then."""
    story.notified("ASSIGNED", "To be written: Log of 2026-04-01", "ana")
    issue = next(issue["id"] for issue in await _issues(story) if issue["status"] == "OPEN")
    submit = {"id": issue, "sections": {"results": text}}
    await story.client.query(SUBMIT, {"input": submit}, key=story.people.token("ana"))
    story.moved("ReportIssue", "OPEN", "SUBMITTED", "ISSUED")


async def tell_expiry(story: Story) -> None:
    """Authority that ends is announced thirty days before, and decides nothing from its end on."""
    people = story.people
    await story.advance("04-10 09:00")
    await grant_authority(story, "dan", validUntil="2026-05-15T00:00:00Z")
    await story.advance("05-14 09:00")
    story.notified("EXPIRY", "Your AUTHORITY LOAN ends at 2026-05-15 00:00 UTC.", "dan", moment=instant("04-15 08:00"))
    story.notified("EXPIRY", "dan: AUTHORITY LOAN ends at 2026-05-15 00:00 UTC.", "head", moment=instant("04-15 08:00"))
    items = []
    for _ in range(2):
        items.append((await people.open("ana", "loan", amount="100000", currency="CNY"))["id"])
        story.notified("ASSIGNED", "Loan: Decide", "dan", "dora")
    await people.decide("dan", items[0], "APPROVE")
    story.moved("WorkStep", "OPEN", "DECIDED")
    story.moved("WorkItem", "OPEN", "DONE")
    story.notified("COPY", "Loan ended: DONE", "ana")
    await story.advance("05-15 08:00")
    assert (await people.refuse("dan", items[1], "APPROVE"))["code"] == "AUTHORITY_LIMIT"
    await _withdraw(story, items[1])


async def add_clerks(story: Story) -> None:
    """Adds a person who opens items, her heads, and two directors."""
    people = story.people
    await people.add("ana", "branch", "DIRECTOR")
    await people.add("head", "branch", "HEAD")
    await people.add("boss", "bank", "HEAD")
    for name in ("dan", "dora"):
        await people.add(name, "branch", "DIRECTOR")
