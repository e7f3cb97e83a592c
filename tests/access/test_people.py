"""People behind keys: keys of staff, who `me` is, and ME in filters."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import wait_until_sequenced
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.domain.access import api_keys, key_upkeep
from hub.settings import Settings
from hub.viewer import ADMIN, Role

MINT = """mutation ($staff: ID!, $more: Boolean = false, $unit: ID, $role: String, $minutes: Int) {
    staffKeyMint(input: {
        staffId: $staff, unrestricted: $more, unitId: $unit, role: $role, minutes: $minutes, name: "phone"
    }) { key expiresAt }
}"""
ME = """{ me {
    viewer { keyId name roles binding permissions administers introspects expiresAt }
    staff { number name } customer { name } unit { code }
} }"""
LEAVE = "mutation ($id: ID!, $on: Date) { staffUpdate(input: {id: $id, leftOn: $on}) { staff { leftOn } } }"


@dataclass
class Person:
    """A member of staff, with the unit where the person works."""

    key: UUID
    id: str
    unit_id: str
    unit_code: str


@pytest.fixture(scope="module")
async def northwind_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    """A hub that looks up every key anew."""
    async with open_hub_client(await create_database("northwind"), Settings(key_cache_ttl=0)) as hub_client:
        yield hub_client


async def _person(connection: asyncpg.Connection, number: str) -> Person:
    row = await connection.fetchrow(
        """select s.id, s.unit_id, u.code from staff as s join org_units as u on u.id = s.unit_id where s.number = $1""",
        number,
    )
    assert row is not None
    return Person(row["id"], f"stf_{row['id'].hex}", f"unt_{row['unit_id'].hex}", row["code"])


@pytest.fixture(scope="module")
async def nancy(connection: asyncpg.Connection) -> Person:
    """A member of staff who owns customers."""
    return await _person(connection, "1")


async def _mint(client: HubClient, person: Person, **more: Any) -> str:
    return str((await client.query(MINT, {"staff": person.id, **more}))["staffKeyMint"]["key"])


async def test_a_staff_key_is_bound_to_the_persons_unit(northwind_client: HubClient, nancy: Person) -> None:
    key = await _mint(northwind_client, nancy)
    me = (await northwind_client.query(ME, key=key))["me"]
    assert datetime.fromisoformat(me["viewer"].pop("expiresAt")) - datetime.now(UTC) < timedelta(minutes=15)
    assert me == {
        "viewer": {
            "keyId": key[4:20],
            "name": "phone",
            "roles": ["reader"],
            "binding": "UNIT",
            "permissions": ["*:read"],
            "administers": False,
            "introspects": True,
        },
        "staff": {"number": "1", "name": "Nancy Davolio"},
        "customer": None,
        "unit": {"code": nancy.unit_code},
    }


async def test_a_staff_key_may_see_more_or_another_unit(
    northwind_client: HubClient, connection: asyncpg.Connection, nancy: Person
) -> None:
    own = "{ me { viewer { binding roles } unit { code } } customers { totalCount } }"
    everything = await northwind_client.query(own, key=await _mint(northwind_client, nancy, more=True, role="writer"))
    assert everything["me"] == {"viewer": {"binding": "UNRESTRICTED", "roles": ["writer"]}, "unit": None}
    assert everything["customers"]["totalCount"] == await connection.fetchval("select count(*) from customers")
    other = await connection.fetchrow("select id, code from org_units where id <> $1 limit 1", UUID(nancy.unit_id[4:]))
    assert other is not None
    elsewhere = await northwind_client.query(
        own, key=await _mint(northwind_client, nancy, unit=f"unt_{other['id'].hex}")
    )
    assert elsewhere["me"]["unit"] == {"code": other["code"]}


@pytest.mark.parametrize(
    ("more", "code", "argument"),
    [
        ({"minutes": 0}, "KEY_INVALID", "input.minutes"),
        ({"minutes": 1441}, "KEY_INVALID", "input.minutes"),
        ({"staff": f"stf_{0:032x}"}, "NOT_FOUND", "input.staffId"),
        ({"staff": f"unt_{0:032x}"}, "ID_WRONG_TYPE", "input.staffId"),
        ({"unit": f"unt_{0:032x}"}, "NOT_FOUND", "input.unitId"),
    ],
)
async def test_what_cannot_be_minted(
    northwind_client: HubClient, nancy: Person, more: dict[str, Any], code: str, argument: str
) -> None:
    error = await northwind_client.error(MINT, {"staff": nancy.id, **more})
    assert (error["code"], error["argument"]) == (code, argument)


async def test_a_key_has_one_binding(northwind_client: HubClient, nancy: Person) -> None:
    error = await northwind_client.error(MINT, {"staff": nancy.id, "more": True, "unit": nancy.unit_id})
    assert (error["code"], error["argument"]) == ("KEY_INVALID", "input.unrestricted")


async def test_only_who_administers_mints(northwind_client: HubClient, nancy: Person) -> None:
    for key in (
        await _mint(northwind_client, nancy, more=True, role="writer"),
        await create_api_key(northwind_client.dsn, unit_id=UUID(nancy.unit_id[4:])),
    ):
        error = await northwind_client.error(MINT, {"staff": nancy.id}, key=key)
        assert error["code"] == "FORBIDDEN"


async def test_a_key_follows_its_person_to_another_unit(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    person = await _person(connection, "9")
    key = await _mint(northwind_client, person)
    unit = await connection.fetchrow("select id, code from org_units where id <> $1 limit 1", UUID(person.unit_id[4:]))
    assert unit is not None
    move = "mutation ($id: ID!, $unit: ID!) { staffUpdate(input: {id: $id, unitId: $unit}) { staff { name } } }"
    await northwind_client.query(move, {"id": person.id, "unit": f"unt_{unit['id'].hex}"})
    assert (await northwind_client.query("{ me { unit { code } } }", key=key))["me"]["unit"] == {"code": unit["code"]}


async def test_who_has_left_has_no_living_key(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    person, today = await _person(connection, "8"), datetime.now(UTC).date()
    key = await _mint(northwind_client, person)
    await northwind_client.query(LEAVE, {"id": person.id, "on": today.isoformat()})
    assert (await northwind_client.query("{ me { staff { name } } }", key=key))["me"]["staff"] is not None
    yesterday = today - timedelta(days=1)
    await northwind_client.query(LEAVE, {"id": person.id, "on": yesterday.isoformat()})
    response = await northwind_client.execute("{ me { staff { name } } }", key=key)
    assert response["errors"][0]["extensions"]["code"] == "KEY_STAFF_LEFT"
    error = await northwind_client.error(MINT, {"staff": person.id})
    assert (error["code"], error["argument"]) == ("KEY_INVALID", "input.staffId")
    assert yesterday.isoformat() in error["message"]
    await key_upkeep.revoke_keys_of_leavers(connection, datetime.now(UTC))
    stored_key = await api_keys.find_key(connection, key[4:20])
    assert stored_key is not None
    assert (stored_key.revoked_at is None, stored_key.state(datetime.now(UTC))) == (False, "left")
    response = await northwind_client.execute("{ me { staff { name } } }", key=key)
    assert response["errors"][0]["extensions"]["code"] == "KEY_STAFF_LEFT"


async def test_a_deleted_person_takes_the_keys_along(
    northwind_client: HubClient, connection: asyncpg.Connection, nancy: Person
) -> None:
    create = (
        """mutation ($unit: ID!) { staffCreate(input: {number: "77", name: "Ada", unitId: $unit}) { staff { id } } }"""
    )
    staff = (await northwind_client.query(create, {"unit": nancy.unit_id}))["staffCreate"]["staff"]["id"]
    key = (await northwind_client.query(MINT, {"staff": staff}))["staffKeyMint"]["key"]
    await northwind_client.query("mutation ($id: ID!) { staffDelete(input: {id: $id}) { __typename } }", {"id": staff})
    response = await northwind_client.execute("{ me { staff { name } } }", key=key)
    assert response["errors"][0]["extensions"]["code"] == "KEY_UNKNOWN"


# -- me --------------------------------------------------------------------------------------------------------------------


async def test_me_of_a_system_and_of_a_customer(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    me = (await northwind_client.query(ME))["me"]
    assert me["viewer"] == {
        "keyId": northwind_client.key[4:20],
        "name": "test",
        "roles": ["admin"],
        "binding": "UNRESTRICTED",
        "permissions": ["*:admin", "*:read", "*:verify", "*:write"],
        "administers": True,
        "introspects": True,
        "expiresAt": None,
    }
    assert (me["staff"], me["customer"], me["unit"]) == (None, None, None)
    customer = await connection.fetchrow("select id, name from customers limit 1")
    assert customer is not None
    key = await create_api_key(northwind_client.dsn, Role.WRITER, customer_id=customer["id"])
    me = (await northwind_client.query(ME, key=key))["me"]
    assert (me["viewer"]["binding"], me["customer"]) == ("CUSTOMER", {"name": customer["name"]})
    assert (me["staff"], me["unit"], me["viewer"]["introspects"]) == (None, None, False)


async def test_one_plan_of_me_serves_all(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    query = "{ whoever: me { __typename who: viewer { __typename n: name } staff { name customers(first: 1) { totalCount } } } }"
    names = set()
    for number in ("2", "3"):
        key = await _mint(northwind_client, await _person(connection, number))
        names.add((await northwind_client.query(query, key=key))["whoever"]["staff"]["name"])
    assert names == {"Andrew Fuller", "Janet Leverling"}


# -- ME --------------------------------------------------------------------------------------------------------------------


MINE = "query ($who: ID!) { customers(filter: {owner: {id: {eq: $who}}}) { totalCount } }"


async def test_me_stands_for_the_person_in_filters(northwind_client: HubClient, nancy: Person) -> None:
    key = await _mint(northwind_client, nancy, more=True)
    expected = (await northwind_client.query(MINE, {"who": nancy.id}))["customers"]["totalCount"]
    assert expected > 0
    for query in (
        '{ customers(filter: {owner: {id: {eq: "ME"}}}) { totalCount } }',
        '{ customers(filter: {owner: {id: {in: ["ME"]}}}) { totalCount } }',
        '{ customers(filter: {owner: {id: {in: "ME"}}}) { totalCount } }',
    ):
        assert (await northwind_client.query(query, key=key))["customers"]["totalCount"] == expected, query
    assert (await northwind_client.query(MINE, {"who": "ME"}, key=key))["customers"]["totalCount"] == expected


async def test_me_among_other_ids(northwind_client: HubClient, connection: asyncpg.Connection, nancy: Person) -> None:
    key, other = await _mint(northwind_client, nancy, more=True), await _person(connection, "2")
    query = (
        "query ($ids: [ID!]) { staffMembers(filter: {id: {in: $ids}}, orderBy: {field: NAME}) { nodes { number } } }"
    )
    data = await northwind_client.query(query, {"ids": [other.id, "ME"]}, key=key)
    assert data["staffMembers"]["nodes"] == [{"number": "2"}, {"number": "1"}]


async def test_me_in_a_live_document_of_changes(
    northwind_client: HubClient, connection: asyncpg.Connection, nancy: Person
) -> None:
    key = await _mint(northwind_client, nancy, more=True)
    query = """{ changes(filter: {customer: {owner: {id: {eq: "ME"}}}}) {
        ... on Change { node { ... on Customer { name stage } } } } }"""
    names = await connection.fetch(
        "update customers set stage = 'LOST' where name in (select min(name) from customers group by owner_id)"
        " returning name, owner_id"
    )
    await wait_until_sequenced(connection)
    changes = (await northwind_client.query(query, key=key))["changes"]
    assert [change["node"]["name"] for change in changes if change] == [
        row["name"] for row in names if row["owner_id"] == nancy.key
    ]


@pytest.mark.parametrize(
    "query",
    [
        '{ customers(filter: {owner: {id: {eq: "ME"}}}) { totalCount } }',
        '{ staffMembers(filter: {id: {in: ["ME"]}}) { nodes { name } } }',
        '{ customersGrouped(by: [{field: TIER}], filter: {owner: {id: {eq: "ME"}}}) { nodes { stats { count } } } }',
    ],
)
async def test_me_of_no_person_is_an_error(northwind_client: HubClient, query: str) -> None:
    error = await northwind_client.error(query)
    assert error["code"] == "PERSON_NEEDED"
    assert error["argument"].startswith("filter.")


async def test_a_webhook_of_no_person_cannot_say_me(northwind_client: HubClient) -> None:
    create = """mutation ($query: String!) { webhookCreate(input: {name: "a", url: "https://example.net", query: $query}) {
        webhook { id } } }"""
    document = """subscription { changes(filter: {customer: {owner: {id: {eq: "ME"}}}}) {
        ... on Change { node { ... on Customer { name } } } } }"""
    error = await northwind_client.error(create, {"query": document})
    assert error["code"] == "PERSON_NEEDED"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('{ customers(filter: {id: {eq: "ME"}}) { totalCount } }', "ID_MALFORMED"),
        ('{ staff(id: "ME") { name } }', "ID_MALFORMED"),
        ('{ customers(filter: {owner: {id: {eq: "me"}}}) { totalCount } }', "ID_MALFORMED"),
        ('{ customers(filter: {owner: {name: {eq: "ME"}}}) { totalCount } }', None),
    ],
)
async def test_me_is_no_other_id(northwind_client: HubClient, query: str, code: str | None) -> None:
    response = await northwind_client.execute(query)
    assert [error["extensions"]["code"] for error in response.get("errors", ())] == ([code] if code else [])


async def test_a_session_acts_as_the_person(connection: asyncpg.Connection, nancy: Person) -> None:
    now = datetime.now(UTC)
    new_key = api_keys.NewKey("person's", Role.READER, staff_id=nancy.key, follows_unit=True)
    key = await api_keys.create(connection, ADMIN, new_key, now)
    owner = await api_keys.find_key(connection, key[4:20])
    assert owner is not None
    session = await api_keys.create(
        connection,
        ADMIN,
        api_keys.NewKey("session", Role.READER, staff_id=nancy.key, follows_unit=True, session_of=owner.viewer.key_id),
        now,
    )
    stored_session = await api_keys.find_key(connection, session[4:20])
    assert stored_session is not None
    assert stored_session.viewer == owner.viewer
