"""Claims, and gifts, hospitality and interests that people disclose, through the front door with the test clock."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import CreateDatabase
from staff_keys import Organisation, StaffKey, open_organisation

CLAIM = """mutation ($input: ClaimMakeInput!) { claimMake(input: $input) { claim {
    id metric amount occurredOn counts unverified staff { name } unit { code }
    verifications { nodes { id status columns evidence claimedBy { name } } }
} } }"""
CONFIRM = "mutation ($id: ID!) { verificationConfirm(input: {id: $id}) { verification { status } } }"
REFUTE = """mutation ($id: ID!) {
    verificationRefute(input: {id: $id, note: "Nobody saw it."}) { verification { status } } }"""
COUNTING = "{ claims(filter: {counts: {eq: true}}) { nodes { amount } stats { sum { amount } } } }"
DECLARE = """mutation ($input: DisclosureDeclareInput!) { disclosureDeclare(input: $input) { disclosure {
    id type status value currency persons perPerson handInDueAt } } }"""
HAND_IN = "mutation ($id: ID!) { disclosureHandIn(input: {id: $id}) { disclosure { status handedInAt } } }"
ORDER = """mutation ($id: ID!) {
    disclosureOrder(input: {id: $id, reason: "Too dear."}) { disclosure { status handInDueAt } } }"""
CLEAR = 'mutation ($id: ID!) { disclosureClear(input: {id: $id, reason: "Returned."}) { disclosure { status } } }'
CUSTOMER = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
ERASE = "mutation ($id: ID!) { customerErase(input: {id: $id}) { entries } }"
LIMIT = """mutation ($input: DisclosureLimitUpsertInput!) {
    disclosureLimitUpsert(input: $input) { created disclosureLimit { version perPerson } } }"""
SHOW = """query ($id: ID!) { disclosure(id: $id) { status
    moves(orderBy: {field: MOVED_AT, direction: ASC}) { nodes { fromValue toValue reason movedAt } }
    clocks { nodes { name status dueAt } } } }"""
TEXTS = """query ($id: ID!) { notifications(filter: {staff: {id: {eq: $id}}},
    orderBy: {field: NOTIFIED_AT, direction: ASC}) { nodes { type text notifiedAt } } }"""
CALENDAR = """mutation { calendarUpsert(input: {code: "cn", name: "China", timezone: "Asia/Shanghai", country: "CN",
    startsOn: "2024-01-01", endsOn: "2029-12-31", weekly: {
    mon: ["09:00-12:00", "13:30-18:00"], tue: ["09:00-12:00", "13:30-18:00"], wed: ["09:00-12:00", "13:30-18:00"],
    thu: ["09:00-12:00", "13:30-18:00"], fri: ["09:00-12:00", "13:30-18:00"]}}) { calendar { id } } }"""
POLICY = """mutation { slaPolicyUpsert(input: {code: "gifts", name: "Gifts", entity: "Disclosure",
    terms: [{clock: "HAND_IN", goalSeconds: 81000, calendar: "cn"}]}) { slaPolicy { id } } }"""  # three days of 7.5 hours
GIFT = {
    "type": "GIFT_RECEIVED", "counterparty": "Linhai Paper", "matter": "A watch", "value": "500", "currency": "CNY",
    "occurredOn": "2026-03-02",
}  # fmt: skip
MEAL = GIFT | {"type": "HOSPITALITY", "matter": "Supper", "value": "1000", "persons": 4}


@pytest.fixture(scope="module")
async def bank(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[Organisation]:
    """A bank with a calendar, a policy for gifts, and a limit of 200 for hospitality."""
    async with open_organisation(await create_database("migrated")) as organisation:
        for document in (CALENDAR, POLICY):
            await organisation.client.query(document)
        limit = {"type": "HOSPITALITY", "currency": "CNY", "validFrom": "2026-01-01", "perPerson": "200"}
        await organisation.client.query(LIMIT, {"input": limit})
        yield organisation


async def _claim(bank: Organisation, person: StaffKey, **values: Any) -> Any:
    columns = {"metric": "deposits.new", "amount": "250000", "occurredOn": "2026-03-02", **values}
    return (await bank.client.query(CLAIM, {"input": columns}, key=person.key))["claimMake"]["claim"]


async def test_a_claim_counts_once_another_person_confirms_it(bank: Organisation) -> None:
    manager, agent = await bank.hire("Wang"), await bank.hire("Li", role="agent")
    claim = await _claim(bank, agent, evidence={"slip": 17})
    (verification,) = claim.pop("verifications")["nodes"]
    names = ["metric", "amount", "occurredOn"]
    assert claim == {
        "id": claim["id"], "metric": "deposits.new", "amount": "250000.0000", "occurredOn": "2026-03-02",
        "counts": False, "unverified": names, "staff": {"name": "Li"}, "unit": {"code": "LINHAI"},
    }  # fmt: skip
    assert verification == {
        "id": verification["id"], "status": "PENDING", "columns": names, "evidence": {"slip": 17},
        "claimedBy": {"name": "Li"},
    }  # fmt: skip
    refuted = await _claim(bank, agent, amount="7")
    (other,) = refuted["verifications"]["nodes"]
    assert (await bank.client.error(CONFIRM, {"id": verification["id"]}, key=agent.key))["code"] == "DUAL_CONTROL"
    await bank.client.query(CONFIRM, {"id": verification["id"]}, key=manager.key)
    await bank.client.query(REFUTE, {"id": other["id"]}, key=manager.key)
    counting = (await bank.client.query(COUNTING, key=agent.key))["claims"]
    assert counting == {"nodes": [{"amount": "250000.0000"}], "stats": {"sum": {"amount": "250000.0000"}}}


async def test_people_claim_what_has_happened(bank: Organisation) -> None:
    person, machine = await bank.hire("Zhao"), await bank.issue_key(None, "admin")
    columns = {"metric": "deposits.new", "amount": "1", "occurredOn": "2026-03-02"}
    assert (await bank.client.error(CLAIM, {"input": columns}, key=machine))["code"] == "PERSON_NEEDED"
    for change, argument in (
        ({"amount": "0"}, "input.amount"),
        ({"occurredOn": "2026-03-04"}, "input.occurredOn"),
        ({"metric": "New Deposits"}, "input.metric"),
    ):
        error = await bank.client.error(CLAIM, {"input": columns | change}, key=person.key)
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", argument)
    stranger = await bank.hire("Chen", unit="JUNAN")
    claim = await _claim(bank, person)
    (verification,) = claim["verifications"]["nodes"]
    assert (await bank.client.error(CONFIRM, {"id": verification["id"]}, key=stranger.key))["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("change", "code", "argument"),
    [
        ({}, "HOSPITALITY_LIMIT", "input.value"),
        ({"value": "800.0001"}, "HOSPITALITY_LIMIT", "input.value"),
        ({"currency": "EUR"}, "HOSPITALITY_LIMIT", "input.currency"),
        ({"persons": None}, "ARGUMENT_MISSING", "input.persons"),
        ({"persons": 0}, "VALUE_INVALID", "input.persons"),
        ({"value": "-1"}, "VALUE_INVALID", "input.value"),
        ({"occurredOn": "2027-01-01"}, "VALUE_INVALID", "input.occurredOn"),
    ],
)
async def test_hospitality_beyond_the_limit(
    bank: Organisation, change: dict[str, Any], code: str, argument: str
) -> None:
    person = await bank.hire(f"Host {change}")
    error = await bank.client.error(DECLARE, {"input": MEAL | change}, key=person.key)
    assert (error["code"], error["argument"]) == (code, argument)


async def test_hospitality_within_the_limit_and_before_it(bank: Organisation) -> None:
    person = await bank.hire("Qian")
    within = await bank.client.query(DECLARE, {"input": MEAL | {"value": "800"}}, key=person.key)
    disclosure = within["disclosureDeclare"]["disclosure"]
    assert disclosure == {
        "id": disclosure["id"], "type": "HOSPITALITY", "status": "DECLARED", "value": "800.0000", "currency": "CNY",
        "persons": 4, "perPerson": "200.0000", "handInDueAt": None,
    }  # fmt: skip
    earlier = MEAL | {"occurredOn": "2025-12-31"}  # no limit held then
    assert (
        "id"
        in (await bank.client.query(DECLARE, {"input": earlier}, key=person.key))["disclosureDeclare"]["disclosure"]
    )
    error = await bank.client.error(HAND_IN, {"id": disclosure["id"]}, key=person.key)
    assert error["code"] == "MOVE_INVALID"


async def test_limits_are_rows_that_change_nothing_when_they_are_equal(bank: Organisation) -> None:
    limit = {"type": "GIFT_GIVEN", "currency": "CNY", "validFrom": "2026-01-01", "perPerson": "100"}
    results = []
    for amount in ("100", "100.00", "150"):
        stored = await bank.client.query(LIMIT, {"input": limit | {"perPerson": amount}})
        results.append(stored["disclosureLimitUpsert"])
    assert [(result["created"], result["disclosureLimit"]["version"]) for result in results] == [
        (True, 1), (False, 1), (False, 2),
    ]  # fmt: skip
    person = await bank.hire("Sun")
    assert (await bank.client.error(LIMIT, {"input": limit}, key=person.key))["code"] == "FORBIDDEN"
    present = GIFT | {"type": "GIFT_GIVEN"}
    assert (await bank.client.error(DECLARE, {"input": present}, key=person.key))["code"] == "HOSPITALITY_LIMIT"


async def _declare(bank: Organisation, person: StaffKey, **change: Any) -> Any:
    stored = await bank.client.query(DECLARE, {"input": GIFT | change}, key=person.key)
    return stored["disclosureDeclare"]["disclosure"]


async def _texts(bank: Organisation, person: StaffKey) -> list[tuple[str, str, str]]:
    nodes = (await bank.client.query(TEXTS, {"id": person.staff_id}, key=person.key))["notifications"]["nodes"]
    return [(node["type"], node["text"], node["notifiedAt"]) for node in nodes]


async def test_nobody_decides_about_their_own_disclosure(bank: Organisation) -> None:
    manager, agent = await bank.hire("Zhou"), await bank.hire("Wu", role="agent")
    gift = (await _declare(bank, manager))["id"]
    for document in (ORDER, CLEAR):
        assert (await bank.client.error(document, {"id": gift}, key=manager.key))["code"] == "DUAL_CONTROL"
    assert (await bank.client.error(HAND_IN, {"id": gift}, key=agent.key))["code"] == "NOT_FOUND"
    own = (await _declare(bank, agent))["id"]
    assert (await bank.client.error(HAND_IN, {"id": own}, key=manager.key))["code"] == "FORBIDDEN"
    ordered = (await bank.client.query(ORDER, {"id": own}, key=manager.key))["disclosureOrder"]["disclosure"]
    assert ordered == {"status": "ORDERED", "handInDueAt": "2026-03-04T10:00:00+00:00"}
    assert (await _texts(bank, agent))[0][:2] == ("DUE", "Hand in A watch from Linhai Paper: Too dear.")
    cleared = (await bank.client.query(CLEAR, {"id": own}, key=manager.key))["disclosureClear"]["disclosure"]
    shown = (await bank.client.query(SHOW, {"id": own}, key=agent.key))["disclosure"]
    assert (cleared["status"], [clock["status"] for clock in shown["clocks"]["nodes"]]) == ("CLEARED", ["VOID"])
    assert (await bank.client.error(HAND_IN, {"id": own}, key=agent.key))["code"] == "MOVE_INVALID"


async def test_a_gift_is_handed_in_in_time_or_is_a_violation(bank: Organisation) -> None:
    manager, agent = await bank.hire("Feng"), await bank.hire("Han", role="agent")
    await bank.appoint(manager)
    watch, pen = await _declare(bank, agent), await _declare(bank, agent, matter="A pen", value="50.5")
    due = "2026-03-04T10:00:00+00:00"  # three working days on from Monday 09:00: Wednesday 18:00
    assert (watch["status"], watch["handInDueAt"], pen["handInDueAt"]) == ("DECLARED", due, due)
    declared = "2026-03-02T01:00:00+00:00"
    assert sorted(await _texts(bank, manager)) == [
        ("COPY", "Han declared GIFT_RECEIVED: 50.5 CNY, Linhai Paper.", declared),
        ("COPY", "Han declared GIFT_RECEIVED: 500 CNY, Linhai Paper.", declared),
    ]
    await bank.advance("2026-03-04T10:00:00Z")  # the last moment at which it is in time
    handed = (await bank.client.query(HAND_IN, {"id": pen["id"]}, key=agent.key))["disclosureHandIn"]["disclosure"]
    assert handed == {"status": "HANDED_IN", "handedInAt": due}
    await bank.advance("2026-03-05T00:00:00Z")
    shown = [(await bank.client.query(SHOW, {"id": key["id"]}, key=agent.key))["disclosure"] for key in (watch, pen)]
    assert [(row["status"], row["clocks"]["nodes"]) for row in shown] == [
        ("VIOLATION", [{"name": "HAND_IN", "status": "MISSED", "dueAt": due}]),
        ("HANDED_IN", [{"name": "HAND_IN", "status": "MET", "dueAt": due}]),
    ]
    passed, reason = "2026-03-04T10:00:00.000001+00:00", "Not handed in by 2026-03-04 10:00 UTC."
    assert shown[0]["moves"]["nodes"] == [
        {"fromValue": "DECLARED", "toValue": "VIOLATION", "reason": reason, "movedAt": passed}
    ]
    violation = ("DEVIATION", f"A watch from Linhai Paper: {reason}", passed)
    assert (await _texts(bank, manager))[-1:] == [violation]
    assert (await _texts(bank, agent))[-1:] == [violation]
    late = (await bank.client.query(HAND_IN, {"id": watch["id"]}, key=agent.key))["disclosureHandIn"]["disclosure"]
    assert late["status"] == "HANDED_IN"


async def test_the_time_until_which_a_gift_is_handed_in_follows_its_calendar(bank: Organisation) -> None:
    agent = await bank.hire("Gu", role="agent")
    gift = (await _declare(bank, agent, occurredOn="2026-03-01"))["id"]
    shown = "query ($id: ID!) { disclosure(id: $id) { handInDueAt clocks { nodes { dueAt } } } }"
    before = (await bank.client.query(shown, {"id": gift}, key=agent.key))["disclosure"]
    assert before == {"handInDueAt": (due := "2026-03-09T10:00:00+00:00"), "clocks": {"nodes": [{"dueAt": due}]}}
    await bank.client.query(CALENDAR.replace('thu: ["09:00-12:00", "13:30-18:00"], ', ""))
    await bank.advance("2026-03-05T00:00:01Z")
    after = (await bank.client.query(shown, {"id": gift}, key=agent.key))["disclosure"]
    assert after == {"handInDueAt": (due := "2026-03-10T10:00:00+00:00"), "clocks": {"nodes": [{"dueAt": due}]}}
    await bank.client.query(CALENDAR.replace("2029-12-31", "2026-03-06"))
    await bank.advance("2026-03-05T00:00:02Z")
    cut = (await bank.client.query(shown, {"id": gift}, key=agent.key))["disclosure"]
    assert cut == {"handInDueAt": None, "clocks": {"nodes": [{"dueAt": None}]}}
    await bank.client.query(CALENDAR)
    await bank.advance("2026-03-05T00:00:03Z")
    assert (await bank.client.query(shown, {"id": gift}, key=agent.key))["disclosure"] == before


async def test_a_gift_of_another_units_customer_is_ordered_and_outlives_the_customer(bank: Organisation) -> None:
    manager, person = await bank.hire("Shen", unit="BANK"), await bank.hire("Jiang", unit="BANK")
    branch = await bank.hire("Yang")
    columns = {"name": "Linhai Paper", "unitId": branch.unit_id}
    customer = (await bank.client.query(CUSTOMER, {"input": columns}))["customerCreate"]["customer"]["id"]
    gift = (await _declare(bank, person, customerId=customer))["id"]
    await bank.client.query(ORDER, {"id": gift}, key=manager.key)
    before = (await bank.client.query(SHOW, {"id": gift}, key=person.key))["disclosure"]
    assert (before["status"], [move["reason"] for move in before["moves"]["nodes"]]) == ("ORDERED", ["Too dear."])
    assert [clock["status"] for clock in before["clocks"]["nodes"]] == ["RUNNING"]
    assert (await bank.client.query(SHOW, {"id": gift}, key=branch.key)) == {"disclosure": None}
    assert len(await _texts(bank, person)) == 1
    await bank.client.query(ERASE, {"id": customer})
    after = (await bank.client.query(SHOW, {"id": gift}, key=person.key))["disclosure"]
    before["moves"]["nodes"][0]["reason"] = "[erased]"
    assert (after, await _texts(bank, person)) == (before, [])
