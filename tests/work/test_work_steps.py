"""Who may decide a step, through the front door: dual control, roles, authority, criteria, votes, and two at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import CreateDatabase
from work_people import DECIDE, START, WorkPeople, step, work_people
from writer_client import open_hub_client

from hub.settings import Settings

RIGHTS = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
GRANT = "mutation ($input: CredentialGrantInput!) { credentialGrant(input: $input) { credential { id } } }"
REVENUE = """mutation ($id: ID!) { customerUpdate(input: {
    id: $id, annualRevenue: "5000000", annualRevenueCurrency: "CNY"
}) { customer { unverified } } }"""
PENDING = "{ verifications(filter: {status: {eq: PENDING}}) { nodes { id } } }"
CONFIRM = "mutation ($id: ID!) { verificationConfirm(input: {id: $id}) { verification { status } } }"
DECIDE_ALL = """mutation ($rows: [WorkStepDecideInput!]!) { workStepsDecide(input: {rows: $rows}) {
    results { workStep { decision } } } }"""
COMMITTEE = ("c1", "c2", "c3", "c4", "c5")


@pytest.fixture(scope="module")
async def people(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[WorkPeople]:
    """A branch with people of several roles, and a committee of five."""
    settings = Settings(clock="test", clock_start=START)
    async with open_hub_client(await create_database("migrated"), settings) as client, work_people(client) as people:
        await people.add("ana", "branch", "CHECK")
        await people.add("cho", "branch", "CHECK", "REPORT", "APPROVER")
        await people.add("chi", "branch", "CHECK", "APPROVER")
        await people.add("eve", "branch")
        await people.add("head", "branch", "HEAD")
        await people.add("boss", "bank", "HEAD")
        for name in COMMITTEE:
            await people.add(name, "branch", "COMMITTEE")
        people.customer = await people.add_customer("Mill", "branch", "ana")
        await people.describe("checked", step("report", "REPORT"), step("check", "CHECK", "APPROVE", "REJECT"))
        distinct = step("check", "CHECK", "APPROVE", distinctFrom=["report"])
        await people.describe("distinct", step("report", "REPORT"), distinct)
        vote = step("vote", "COMMITTEE", "APPROVE", "REJECT", "RETURN", quorum=5, majority="2/3", returnsTo="draft")
        await people.describe("voted", step("draft"), vote)
        yield people


async def _voted(people: WorkPeople, decisions: str) -> list[Any]:
    """The outcomes of a committee's votes, A for APPROVE, one after the other."""
    names = {"A": "APPROVE", "R": "REJECT", "B": "RETURN"}
    item = (await people.open("ana", "voted"))["id"]
    await people.decide("ana", item)
    outcomes = [
        (await people.decide(name, item, names[letter]))["outcome"]
        for name, letter in zip(COMMITTEE, decisions, strict=False)
    ]
    return [*outcomes, (await people.item(item))["status"]]


async def test_the_opener_does_not_decide_with_whichever_key(people: WorkPeople) -> None:
    item = (await people.open("ana", "checked"))["id"]
    await people.decide("cho", item)
    second = await people.mint(people.workers["ana"].key, "branch")
    (check,) = await people.open_steps(item)
    for key in (people.token("ana"), second):
        variables = {"input": {"id": check["id"], "decision": "APPROVE"}}
        error = await people.client.error(DECIDE, variables, key=key)
        assert (error["code"], error["argument"]) == ("DUAL_CONTROL", "input.id")
        assert "opened the item" in error["message"]
    system = await people.client.error(DECIDE, variables)
    assert system["code"] == "PERSON_NEEDED"
    assert (await people.decide("chi", item, "APPROVE"))["workItem"]["status"] == "DONE"


ADD_ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
ADD_TO_KEY = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"
KEYS = '{ apiKeys(filter: {publicId: {eq: "%s"}}) { nodes { id } } }'


async def test_a_step_that_the_roles_only_show_is_not_decided(people: WorkPeople) -> None:
    """One role shows all steps and writes items, another one writes the steps of a late round."""
    shown = [
        {"entity": name, "verbs": ["READ"]} for name in ("WorkStep", "Process", "ProcessStep", "Customer", "OrgUnit")
    ]
    items = {"entity": "WorkItem", "verbs": ["READ", "CREATE", "UPDATE"]}
    late = {"entity": "WorkStep", "verbs": ["READ", "CREATE", "UPDATE"], "rowFilter": {"round": {"eq": 99}}}
    for name, rules in (("step-readers", [*shown, items]), ("late-steps", [late])):
        await people.client.query(ADD_ROLE, {"input": {"name": name, "rules": rules, "unbounded": True}})
    key = await people.mint(people.workers["cho"].key, "branch", "step-readers")
    key_id = (await people.client.query(KEYS % key.split("_")[1]))["apiKeys"]["nodes"][0]["id"]
    await people.client.query(ADD_TO_KEY, {"input": {"role": "late-steps", "keyId": key_id}})
    item = (await people.open("ana", "checked"))["id"]
    (report,) = await people.open_steps(item)
    error = await people.client.error(DECIDE, {"input": {"id": report["id"], "decision": "DONE"}}, key=key)
    assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.id")
    assert await people.open_steps(item) == [report]
    assert (await people.decide("cho", item))["workStep"]["status"] == "DECIDED"


async def test_who_decided_an_earlier_step_does_not_decide_one_that_is_distinct(people: WorkPeople) -> None:
    item = (await people.open("ana", "distinct"))["id"]
    await people.decide("cho", item)
    error = await people.refuse("cho", item, "APPROVE")
    assert (error["code"], error["argument"]) == ("DUAL_CONTROL", "input.id")
    assert "decided the step report" in error["message"]
    (check,) = await people.open_steps(item)
    assert check["addressee"] == {"name": "chi"}  # of the three with the role, the only one who may
    assert (await people.decide("chi", item, "APPROVE"))["outcome"] == "APPROVE"


async def test_only_those_decide_to_whom_a_step_is_addressed(people: WorkPeople) -> None:
    item = (await people.open("ana", "checked"))["id"]
    for name in ("eve", "boss"):
        error = await people.refuse(name, item)
        assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.id")
    await people.give_role(people.workers["eve"].key, "REPORT", "branch")
    assert (await people.decide("eve", item))["outcome"] == "DONE"
    await people.connection.execute("delete from job_roles where staff_id = $1", people.workers["eve"].key)


async def test_steps_reach_owners_heads_and_the_unit_above(people: WorkPeople) -> None:
    own, above = step("own", "OWNER", allowsOpener=True), step("above", "UNIT_HEAD", unitType="PARENT")
    await people.describe("reach", own, step("head", "UNIT_HEAD"), above)
    item = (await people.open("eve", "reach"))["id"]
    for name in ("ana", "head", "boss"):
        (open_step,) = await people.open_steps(item)
        assert open_step["addressee"] == {"name": name}
        refused = await people.refuse("cho", item)
        assert refused["code"] == "FORBIDDEN"
        await people.decide(name, item)
    assert (await people.item(item))["status"] == "DONE"
    units = [node["workingUnit"]["code"] for node in (await people.item(item))["steps"]["nodes"]]
    assert units == ["branch", "branch", "bank"]


async def test_the_authority_of_who_decides_reaches_the_amount(people: WorkPeople) -> None:
    await people.describe("loan", step("approve", "APPROVER", "APPROVE", "REJECT", authority="credit"))
    grant = {"type": "AUTHORITY", "code": "credit", "currency": "CNY"}
    for name, limit in (("cho", "100000"), ("chi", "300000")):
        staff = {"staffId": people.workers[name].id, "limit": limit, "validUntil": "2026-06-01T00:00:00Z"}
        await people.client.query(GRANT, {"input": grant | staff})
    for amount, currency, able in (("100000", "CNY", "cho"), ("100000.01", "CNY", "chi"), ("300000.01", "CNY", None)):
        item = (await people.open("ana", "loan", amount=amount, currency=currency))["id"]
        for name in ("cho", "chi"):
            if name != able and not (able == "cho" and name == "chi"):
                error = await people.refuse(name, item, "APPROVE")
                assert error["code"] == "AUTHORITY_LIMIT", (name, amount)
        if able is not None:
            await people.decide(able, item, "APPROVE")
    item = (await people.open("ana", "loan", amount="1", currency="EUR"))["id"]
    assert (await people.refuse("chi", item, "REJECT"))["code"] == "AUTHORITY_LIMIT"


async def test_a_step_asks_that_its_criteria_hold(people: WorkPeople) -> None:
    criteria = {"exitCriteria": {"country": {"eq": "CN"}}}
    await people.describe("criteria", step("draft", "OPENER", "DONE", "REJECT", **criteria))
    item = (await people.open("ana", "criteria"))["id"]
    error = await people.refuse("ana", item)
    assert (error["code"], error["argument"]) == ("CRITERIA_UNMET", "input.decision")
    assert error["exitCriteria"] == {"country": {"eq": "CN"}}
    await people.connection.execute("update customers set country = 'CN'")
    assert (await people.decide("ana", item))["workItem"]["status"] == "DONE"


async def test_nothing_goes_on_by_facts_that_one_person_alone_has_written(people: WorkPeople) -> None:
    facts = {"verified": ["annualRevenue"], "addressee": "ROLE", "role": "CHECK"}
    await people.describe("facts", step("check", "OPENER", "APPROVE", "REJECT") | facts)
    item = (await people.open("ana", "facts"))["id"]
    await people.client.query(REVENUE, {"id": people.customer}, key=people.token("ana"))
    error = await people.refuse("cho", item, "APPROVE")
    assert (error["code"], error["argument"], error["columns"]) == (
        "UNVERIFIED",
        "input.decision",
        ["annualRevenue"],
    )
    (verification,) = (await people.client.query(PENDING, key=people.token("chi")))["verifications"]["nodes"]
    await people.client.query(CONFIRM, verification, key=people.token("chi"))
    assert (await people.decide("cho", item, "APPROVE"))["workItem"]["status"] == "DONE"


async def test_a_decision_that_the_step_does_not_take_names_the_possible_ones(people: WorkPeople) -> None:
    item = (await people.open("ana", "checked"))["id"]
    error = await people.refuse("cho", item, "APPROVE")
    assert (error["code"], error["argument"], error["allowed"]) == ("MOVE_INVALID", "input.decision", ["DONE"])


@pytest.mark.parametrize(
    ("decisions", "outcomes"),
    [
        ("AAAA", [None, None, None, "APPROVE", "DONE"]),
        ("ARAAA", [None, None, None, None, "APPROVE", "DONE"]),
        ("RR", [None, "REJECT", "REJECTED"]),
        ("AARR", [None, None, None, "REJECT", "REJECTED"]),
        ("AAABR", [None, None, None, None, "RETURN", "OPEN"]),
        ("BB", [None, "RETURN", "OPEN"]),
    ],
)
async def test_a_committee_decides_as_soon_as_the_majority_cannot_change(
    people: WorkPeople, decisions: str, outcomes: list[Any]
) -> None:
    assert await _voted(people, decisions) == outcomes


async def test_the_votes_that_are_left_are_skipped(people: WorkPeople) -> None:
    item = (await people.open("ana", "voted"))["id"]
    await people.decide("ana", item)
    for name in COMMITTEE[:4]:
        await people.decide(name, item, "APPROVE")
    votes = (await people.item(item))["steps"]["nodes"][1:]
    assert [(vote["voter"], vote["status"], vote["addressee"]["name"]) for vote in votes] == [
        *((n, "DECIDED", f"c{n}") for n in range(1, 5)),
        (5, "SKIPPED", "c5"),
    ]
    other = {"input": {"id": votes[4]["id"], "decision": "APPROVE"}}
    error = await people.client.error(DECIDE, other, key=people.token("c5"))
    assert (error["code"], error["openSteps"]) == ("MOVE_INVALID", [])


async def test_one_person_votes_once_where_more_have_the_role_than_vote(people: WorkPeople) -> None:
    await people.describe("pair", step("vote", "COMMITTEE", "APPROVE", "REJECT", quorum=2, majority="1"))
    item = (await people.open("ana", "pair"))["id"]
    assert [vote["addressee"] for vote in await people.open_steps(item)] == [None, None]
    await people.decide("c1", item, "APPROVE")
    error = await people.refuse("c1", item, "APPROVE")
    assert (error["code"], "has voted" in error["message"]) == ("DUAL_CONTROL", True)
    assert (await people.decide("c2", item, "APPROVE"))["outcome"] == "APPROVE"


async def test_a_vote_of_one_s_own_goes_before_that_of_others(people: WorkPeople) -> None:
    item = (await people.open("ana", "voted"))["id"]
    await people.decide("ana", item)
    votes = await people.open_steps(item)
    error = await people.client.error(
        DECIDE, {"input": {"id": votes[0]["id"], "decision": "APPROVE"}}, key=people.token("c2")
    )
    assert (error["code"], votes[1]["id"] in error["message"]) == ("MOVE_INVALID", True)


async def test_of_two_decisions_at_once_one_wins_and_the_other_learns_what_is_open(people: WorkPeople) -> None:
    await people.describe("race", step("report", "APPROVER"), step("check", "CHECK", "APPROVE", "REJECT"))
    for _ in range(5):
        item = (await people.open("ana", "race"))["id"]
        (report,) = await people.open_steps(item)
        variables = {"input": {"id": report["id"], "decision": "DONE"}}
        responses = await asyncio.gather(
            *(people.client.execute(DECIDE, variables, key=people.token(name)) for name in ("cho", "chi"))
        )
        (refused,) = [response["errors"][0]["extensions"] for response in responses if "errors" in response]
        (check,) = await people.open_steps(item)
        assert refused["code"] == "MOVE_INVALID"
        assert refused["openSteps"] == [{"id": check["id"], "step": "check", "decisions": ["APPROVE", "REJECT"]}]
        assert len((await people.item(item))["steps"]["nodes"]) == 2


async def test_a_step_that_is_decided_already_names_no_hidden_one(people: WorkPeople) -> None:
    await people.describe("hidden", step("report", "APPROVER"), step("check", "CHECK", "APPROVE", "REJECT"))
    rule = {"entity": "WorkStep", "verbs": ["READ", "UPDATE"], "rowFilter": {"status": {"eq": "DECIDED"}}}
    rules = [rule, *({"entity": name, "verbs": ["READ"]} for name in ("WorkItem", "ProcessStep"))]
    role = {"name": "decided", "rules": rules, "run": ["workStepDecide"]}
    await people.client.query(RIGHTS, {"input": role})
    item = (await people.open("ana", "hidden"))["id"]
    (report,) = await people.open_steps(item)
    await people.decide("cho", item)
    narrow = await people.mint(people.workers["cho"].key, None, "decided")
    error = await people.client.error(DECIDE, {"input": {"id": report["id"], "decision": "DONE"}}, key=narrow)
    assert (error["code"], error["openSteps"]) == ("MOVE_INVALID", [])
    assert error["message"] == "input.id: the step is DECIDED (DONE) already; the item is OPEN."


async def test_a_decision_that_is_sent_again_counts_once(people: WorkPeople) -> None:
    item = (await people.open("ana", "voted"))["id"]
    (draft,) = await people.open_steps(item)
    keyed = DECIDE.replace("workStepDecide(input: $input)", 'workStepDecide(input: $input, idempotencyKey: "once")')
    variables = {"input": {"id": draft["id"], "decision": "DONE"}}
    first, second = [await people.client.query(keyed, variables, key=people.token("ana")) for _ in range(2)]
    assert first == second
    assert len(await people.open_steps(item)) == 5


async def test_several_steps_are_decided_with_one_mutation(people: WorkPeople) -> None:
    items = [(await people.open("ana", "voted"))["id"] for _ in range(3)]
    steps = [(await people.open_steps(item))[0]["id"] for item in items]
    rows = [{"id": id, "decision": "DONE"} for id in steps]
    decided = await people.client.query(DECIDE_ALL, {"rows": rows}, key=people.token("ana"))
    assert decided["workStepsDecide"]["results"] == [{"workStep": {"decision": "DONE"}}] * 3


ROLE = "mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id } } }"
MINE = """{ me { notifications(filter: {text: {startsWith: "Loan"}}) { nodes { type text } } workSteps { nodes { id } } } }"""


async def test_who_gets_a_role_is_notified_of_open_steps_and_the_opener_of_the_end(people: WorkPeople) -> None:
    for name in ("new", "ivo", "far"):
        await people.add(name, "other" if name == "far" else "branch")
    await people.describe("late", step("late", "LATE"))
    item = (await people.open("ivo", "late", title="Loan of Ivo"))["id"]
    (open_step,) = await people.open_steps(item)
    later = "2026-03-02T02:00:00Z"
    for name, unit, begins in (("new", "branch", later), ("ivo", "branch", None), ("far", "other", None)):
        role = {"staffId": people.workers[name].id, "role": "LATE", "unitId": f"unt_{people.units[unit].hex}"}
        await people.client.query(ROLE, {"input": role | ({"fromAt": begins} if begins else {})})
    await people.advance("03-02 09:59")
    assert (await people.client.query(MINE, key=people.token("new")))["me"]["notifications"]["nodes"] == []
    await people.advance("03-02 10:00")
    mine = {name: (await people.client.query(MINE, key=people.token(name)))["me"] for name in ("new", "ivo", "far")}
    assert mine["new"] == {
        "notifications": {"nodes": [{"type": "ASSIGNED", "text": "Loan of Ivo: Late"}]},
        "workSteps": {"nodes": [{"id": open_step["id"]}]},
    }
    nothing: dict[str, Any] = {"notifications": {"nodes": []}, "workSteps": {"nodes": []}}
    assert (mine["ivo"], mine["far"]) == (nothing, nothing)
    await people.decide("new", item)
    (ended,) = (await people.client.query(MINE, key=people.token("ivo")))["me"]["notifications"]["nodes"]
    assert ended == {"type": "COPY", "text": "Loan of Ivo ended: DONE"}
