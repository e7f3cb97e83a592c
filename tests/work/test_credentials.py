"""Credentials through the front door: who grants them, which count, and the announcement of their end."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import CreateDatabase
from staff_keys import START, Organisation, StaffKey, open_organisation

from hub.domain.work import credentials
from hub.schema.work.credentials import CredentialType

GRANT = """mutation ($input: CredentialGrantInput!) { credentialGrant(input: $input) { credential {
    id type code level step limit currency validFrom validUntil endedAt staff { name } grantedBy { name }
} } }"""
END = """mutation ($id: ID!, $reason: String!) { credentialEnd(input: {id: $id, reason: $reason}) {
    credential { endedAt reason } } }"""
ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
LIST = '{ credentials(filter: {code: {eq: "SEEN"}}) { nodes { staff { name } } } }'


@pytest.fixture(scope="module")
async def bank(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[Organisation]:
    async with open_organisation(await create_database("migrated")) as organisation:
        yield organisation


async def _grant(bank: Organisation, granter: StaffKey, person: StaffKey, **values: Any) -> Any:
    columns = {"staffId": person.staff_id, "type": "AUTHORITY", "code": "LOAN", **values}
    return (await bank.client.query(GRANT, {"input": columns}, key=granter.key))["credentialGrant"]["credential"]


async def _refused(bank: Organisation, granter: StaffKey, person: StaffKey, **values: Any) -> tuple[str, str]:
    columns = {"staffId": person.staff_id, "type": "AUTHORITY", "code": "LOAN", **values}
    error = await bank.client.error(GRANT, {"input": columns}, key=granter.key)
    return error["code"], error.get("argument")


async def test_authority_grows_with_qualification(bank: Organisation) -> None:
    manager, teller = await bank.hire("Wang"), await bank.hire("Li", role="agent")
    first = await _grant(bank, manager, teller, limit="100000", currency="cny", validFrom="2026-06-01T00:00:00Z")
    assert first.pop("id").startswith("crd_")
    assert first == {
        "type": "AUTHORITY", "code": "LOAN", "level": None, "step": None, "limit": "100000.0000", "currency": "CNY",
        "validFrom": "2026-06-01T00:00:00+00:00", "validUntil": None, "endedAt": None,
        "staff": {"name": "Li"}, "grantedBy": {"name": "Wang"},
    }  # fmt: skip
    await _grant(bank, manager, teller, limit="300000", currency="CNY", validFrom="2026-09-01T00:00:00Z")
    await _grant(bank, manager, teller, limit="1000", currency="EUR", validFrom="2026-06-01T00:00:00Z")
    limits = [
        await credentials.authority(bank.connection, teller.uuid, "LOAN", now=datetime(2026, month, day, tzinfo=UTC))
        for month, day in ((5, 31), (6, 1), (9, 1))
    ]
    assert limits == [
        {},
        {"CNY": Decimal(100000), "EUR": Decimal(1000)},
        {"CNY": Decimal(300000), "EUR": Decimal(1000)},
    ]


@pytest.mark.parametrize(
    ("amount", "currency", "decides"),
    [
        ("100000", "CNY", True),
        ("100000.0001", "CNY", False),
        ("-200000", "CNY", False),
        ("1", "USD", False),
        ("1", None, False),
        (None, None, True),
    ],
)
async def test_an_amount_needs_a_limit_in_its_currency(
    bank: Organisation, amount: str | None, currency: str | None, decides: bool
) -> None:
    manager, teller = await bank.hire(f"Head {amount} {currency}"), await bank.hire(f"Teller {amount} {currency}")
    await _grant(bank, manager, teller, limit="100000", currency="CNY")
    await _grant(bank, manager, teller)  # authority without a limit decides what has no amount
    sought = None if amount is None else Decimal(amount)
    held = await credentials.has_authority(bank.connection, teller.uuid, "LOAN", sought, currency, now=START)
    other = await credentials.has_authority(bank.connection, teller.uuid, "SEAL", sought, currency, now=START)
    assert (held, other) == (decides, False)


async def test_a_grade_that_is_hidden_is_not_named(bank: Organisation) -> None:
    manager, person, clerk = [await bank.hire(name) for name in ("Cai", "Deng", "Fu")]
    await _grant(bank, manager, person, type="GRADE", code="hidden_one", level=3)
    verbs = ["READ", "CREATE"]
    credential = {"entity": "Credential", "verbs": verbs, "rowFilter": {"code": {"eq": "shown_one"}}}
    rules = [credential, {"entity": "Staff", "verbs": ["READ", "UPDATE"]}]
    await bank.client.query(ROLE, {"input": {"name": "narrow", "rules": rules, "run": ["credentialGrant"]}})
    key = await bank.issue_key(clerk.uuid, "narrow")
    columns = {"staffId": person.staff_id, "type": "GRADE", "code": "shown_one", "level": 3}
    error = await bank.client.error(GRANT, {"input": columns}, key=key)
    assert (error["code"], "the person has one, and" in error["message"]) == ("OVERLAP", True)


async def test_a_person_has_one_grade_at_a_time(bank: Organisation) -> None:
    manager, person = await bank.hire("Zhao"), await bank.hire("Qian")
    first = await _grant(bank, manager, person, type="GRADE", code="MANAGER", level=1, step=2)
    again = {"type": "GRADE", "code": "MANAGER", "level": 2}
    assert await _refused(bank, manager, person, **again) == ("OVERLAP", "input.validFrom")
    assert await _refused(bank, manager, person, **again, validFrom="2020-01-01T00:00:00Z") == (
        "OVERLAP",
        "input.validFrom",
    )
    await _grant(bank, manager, person, **again, validFrom="2020-01-01T00:00:00Z", validUntil="2026-03-02T01:00:00Z")
    second = await _grant(bank, manager, person, **again, validFrom="2026-05-01T00:00:00Z", replacesId=first["id"])
    assert (second["level"], second["validFrom"]) == (2, "2026-05-01T00:00:00+00:00")
    query = "query ($id: ID!) { credential(id: $id) { endedAt reason } }"
    replaced = (await bank.client.query(query, {"id": first["id"]}, key=person.key))["credential"]
    assert replaced == {"endedAt": "2026-05-01T00:00:00+00:00", "reason": "Replaced by GRADE MANAGER."}
    held = [
        await credentials.holds(bank.connection, person.uuid, CredentialType.GRADE, "MANAGER", level=2, now=now)
        for now in (START, datetime(2026, 5, 1, tzinfo=UTC))
    ]
    assert held == [False, True]


async def test_two_grades_that_are_granted_at_once(bank: Organisation) -> None:
    person = await bank.hire("Sun")
    insert = "insert into credentials (staff_id, type, code, valid_from) values ($1, 'GRADE', 'A', $2)"
    await bank.connection.execute(insert, person.uuid, START)
    with pytest.raises(Exception, match="ex_credentials_one_grade"):
        await bank.connection.execute(insert, person.uuid, START - timedelta(days=1))
    certificates = insert.replace("GRADE", "CERTIFICATE")
    await bank.connection.execute(certificates, person.uuid, START)
    await bank.connection.execute(certificates, person.uuid, START)


async def test_an_ended_credential_no_longer_counts(bank: Organisation) -> None:
    manager, person = await bank.hire("Zhou"), await bank.hire("Wu")
    granted = await _grant(bank, manager, person, limit="5", currency="CNY")
    error = await bank.client.error(END, {"id": granted["id"], "reason": "Mine."}, key=person.key)
    assert error["code"] == "DUAL_CONTROL"
    ended = await bank.client.query(END, {"id": granted["id"], "reason": " Left  the desk. "}, key=manager.key)
    assert ended["credentialEnd"]["credential"] == {"endedAt": "2026-03-02T01:00:00+00:00", "reason": "Left  the desk."}
    assert await credentials.authority(bank.connection, person.uuid, "LOAN", now=START) == {}
    before = START - timedelta(microseconds=1)
    assert await credentials.authority(bank.connection, person.uuid, "LOAN", now=before) == {}  # granted at START
    error = await bank.client.error(END, {"id": granted["id"], "reason": "Again."}, key=manager.key)
    assert (error["code"], error["argument"]) == ("MOVE_INVALID", "input.id")
    later = await _grant(bank, manager, person, limit="5", currency="CNY", validFrom="2026-09-01T00:00:00Z")
    ended = await bank.client.query(END, {"id": later["id"], "reason": "Never mind."}, key=manager.key)
    assert ended["credentialEnd"]["credential"]["endedAt"] == "2026-09-01T00:00:00+00:00"


async def test_an_equal_grant_changes_nothing(bank: Organisation) -> None:
    manager, person = await bank.hire("Gao"), await bank.hire("Lin", role="agent")
    first = await _grant(bank, manager, person, limit="5", currency="CNY", evidence={"act": 7})
    again = await _grant(bank, manager, person, limit="5.00", currency="cny", evidence={"act": 7})
    other = await _grant(bank, manager, person, limit="6", currency="CNY", evidence={"act": 7})
    assert again == first
    assert other["id"] != first["id"]


async def test_nobody_grants_themselves_or_strangers(bank: Organisation) -> None:
    manager, agent = await bank.hire("Zheng"), await bank.hire("Feng", role="agent")
    stranger, twin = await bank.hire("Chen", unit="JUNAN"), await bank.issue_key(manager.uuid, "admin")
    assert await _refused(bank, manager, manager) == ("DUAL_CONTROL", "input.staffId")
    same_person = StaffKey(twin, manager.staff_id, manager.unit_id)
    assert await _refused(bank, same_person, manager) == ("DUAL_CONTROL", "input.staffId")
    assert await _refused(bank, manager, stranger) == ("NOT_FOUND", "input.staffId")
    assert (await _refused(bank, agent, manager))[0] == "FORBIDDEN"
    assert (await _refused(bank, agent, agent))[0] in ("FORBIDDEN", "DUAL_CONTROL")


async def test_a_person_sees_their_own_and_a_head_the_units(bank: Organisation) -> None:
    manager, agent = await bank.hire("Chu"), await bank.hire("Wei", role="agent")
    stranger, reader = await bank.hire("Jiang", unit="JUNAN"), await bank.issue_key(None, "reader")
    await _grant(bank, manager, agent, code="SEEN", validFrom="2030-01-01T00:00:00Z")
    shown = [
        [node["staff"]["name"] for node in (await bank.client.query(LIST, key=key))["credentials"]["nodes"]]
        for key in (agent.key, manager.key, stranger.key, reader, bank.client.key)
    ]
    assert shown == [["Wei"], ["Wei"], [], [], ["Wei"]]


@pytest.mark.parametrize(
    ("values", "code", "argument"),
    [
        ({"limit": "5"}, "ARGUMENT_MISSING", "input.currency"),
        ({"currency": "CNY"}, "ARGUMENT_MISSING", "input.limit"),
        ({"limit": "-5", "currency": "CNY"}, "VALUE_INVALID", "input.limit"),
        ({"limit": "5", "currency": "Taler"}, "VALUE_INVALID", "input.currency"),
        ({"limit": "5", "currency": "CNY", "type": "GRADE"}, "VALUE_INVALID", "input.limit"),
        ({"level": 1}, "VALUE_INVALID", "input.level"),
        ({"level": -1, "type": "GRADE"}, "VALUE_INVALID", "input.level"),
        ({"step": 2_000_000_000, "type": "GRADE"}, "VALUE_INVALID", "input.step"),
        ({"code": "LOAN TO FRIENDS"}, "VALUE_INVALID", "input.code"),
        ({"validUntil": "2026-03-02T01:00:00Z"}, "VALUE_INVALID", "input.validUntil"),
        ({"validFrom": "2026-03-01T00:00:00Z"}, "VALUE_INVALID", "input.validFrom"),  # back-dated authority
        ({"staffId": f"stf_{0:032x}"}, "NOT_FOUND", "input.staffId"),
        ({"replacesId": f"crd_{0:032x}"}, "NOT_FOUND", "input.replacesId"),
    ],
)
async def test_what_cannot_be_granted(bank: Organisation, values: dict[str, Any], code: str, argument: str) -> None:
    manager, person = await bank.hire(f"Head {values}"), await bank.hire(f"Person {values}")
    assert await _refused(bank, manager, person, **values) == (code, argument)


NOTIFICATIONS = """query ($staff: ID!) { notifications(filter: {staff: {id: {eq: $staff}}}) {
    nodes { type text notifiedAt } } }"""


async def test_the_end_is_announced_thirty_days_before_and_then_it_no_longer_counts(bank: Organisation) -> None:
    manager, person = await bank.hire("Shen"), await bank.hire("Han", role="agent")
    await bank.appoint(manager)
    await _grant(bank, manager, person, limit="9", currency="CNY", validUntil="2026-05-01T00:00:00Z")
    await _grant(bank, manager, person, code="SEAL", validUntil="2026-05-01T00:00:00Z")
    await _grant(bank, manager, person, code="SEAL", validFrom="2026-05-01T00:00:00Z")  # goes on: no announcement
    # Neither another currency, nor a smaller limit, nor one that begins later goes on.
    await _grant(bank, manager, person, limit="99", currency="EUR")
    await _grant(bank, manager, person, limit="8", currency="CNY")
    await _grant(bank, manager, person, limit="9", currency="CNY", validFrom="2026-05-01T00:00:01Z")
    ended = await _grant(bank, manager, person, code="OLD", validUntil="2026-04-30T00:00:00Z")
    await bank.client.query(END, {"id": ended["id"], "reason": "Not needed."}, key=manager.key)

    async def texts(reader: StaffKey) -> list[tuple[str, str, str]]:
        nodes = (await bank.client.query(NOTIFICATIONS, {"staff": reader.staff_id}, key=reader.key))["notifications"][
            "nodes"
        ]
        return [(node["type"], node["text"], node["notifiedAt"]) for node in nodes]

    await bank.advance("2026-03-31T23:59:59Z")
    assert (await texts(person), await texts(manager)) == ([], [])
    await bank.advance("2026-06-01T00:00:00Z")
    moment = "2026-04-01T00:00:00+00:00"
    assert await texts(person) == [("EXPIRY", "Your AUTHORITY LOAN ends at 2026-05-01 00:00 UTC.", moment)]
    assert await texts(manager) == [("EXPIRY", "Han: AUTHORITY LOAN ends at 2026-05-01 00:00 UTC.", moment)]
    last = datetime(2026, 5, 1, tzinfo=UTC)
    limits = [
        await credentials.authority(bank.connection, person.uuid, "LOAN", now=now)
        for now in (last - timedelta(microseconds=1), last)
    ]
    assert limits == [{"CNY": Decimal(9), "EUR": Decimal(99)}, {"CNY": Decimal(8), "EUR": Decimal(99)}]


async def test_a_credential_of_a_few_days_is_announced_at_once(bank: Organisation) -> None:
    manager, person = await bank.hire("Yang"), await bank.hire("Zhu", role="agent")
    await _grant(bank, manager, person, validFrom="2026-06-01T00:00:00Z", validUntil="2026-06-05T00:00:00Z")
    await _grant(
        bank, manager, person, type="CERTIFICATE", code="PAST", validFrom="2020-06-01T00:00:00Z",
        validUntil="2021-06-05T00:00:00Z",
    )  # fmt: skip
    await bank.advance("2026-06-01T00:00:01Z")
    nodes = (await bank.client.query(NOTIFICATIONS, {"staff": person.staff_id}, key=person.key))["notifications"][
        "nodes"
    ]
    assert [(node["text"], node["notifiedAt"]) for node in nodes] == [
        ("Your AUTHORITY LOAN ends at 2026-06-05 00:00 UTC.", "2026-06-01T00:00:00+00:00")
    ]


SUCCESSORS = (
    ({"limit": "100", "currency": "CNY"}, True),  # less than the one that ends
    ({"limit": "900", "currency": "EUR"}, True),  # of another currency
    ({"limit": "900", "currency": "CNY", "validFrom": "2026-08-02T00:00:00Z"}, True),  # after a gap
    ({"limit": "500", "currency": "CNY", "validFrom": "2026-08-01T00:00:00Z"}, False),
)


async def test_an_end_is_announced_unless_another_covers_as_much_without_a_gap(bank: Organisation) -> None:
    manager, text = await bank.hire("Sun"), "Your AUTHORITY LOAN ends at 2026-08-01 00:00 UTC."
    values = {"limit": "500", "currency": "CNY", "validFrom": "2026-07-01T00:00:00Z"}
    people = [await bank.hire(f"Gao {number}", role="agent") for number in range(len(SUCCESSORS))]
    successors = []
    for person, (other, _) in zip(people, SUCCESSORS, strict=True):
        await _grant(bank, manager, person, **values, validUntil="2026-08-01T00:00:00Z")
        successors.append(await _grant(bank, manager, person, **{"validFrom": "2026-07-01T00:00:00Z", **other}))

    async def texts(person: StaffKey) -> list[str]:
        page = (await bank.client.query(NOTIFICATIONS, {"staff": person.staff_id}, key=person.key))["notifications"]
        return [node["text"] for node in page["nodes"]]

    await bank.advance("2026-07-02T00:00:01Z")
    assert [await texts(person) for person in people] == [[text] * announced for _, announced in SUCCESSORS]
    for successor in successors:
        await bank.client.query(END, {"id": successor["id"], "reason": "Not needed."}, key=manager.key)
    await bank.advance("2026-07-02T00:00:02Z")
    assert [await texts(person) for person in people] == [[text]] * 4  # once, also where the successor has gone
