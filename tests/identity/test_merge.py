"""Two customers become one, and two again: every row, every column, whatever was edited meanwhile."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from conftest import create_api_key
from merges import MERGE, UNDO, merge, planned, public_id, rows_of, undo, without_stamps
from writer_client import HubClient

from hub.viewer import Role

FILL = """
with unit as (select id from org_units order by path limit 1), person as (select id from staff order by id limit 1),
c as (select $1::uuid as id, $2::text as tag),
customer as (
    insert into customers (id, name, unit_id, country, attributes, owner_id)
    select c.id, 'Customer ' || tag, unit.id, case when tag = 'b' then 'DE' end,
        jsonb_build_object(tag, 1, 'both', tag), case when tag = 'b' then person.id end from c, unit, person returning id, unit_id
), contact as (
    insert into contacts (customer_id, name, is_primary) select id, 'Person', true from customer returning id, customer_id
), point as (
    insert into contact_points (contact_id, customer_id, kind, value) select id, customer_id, 'EMAIL', 'x@y.example' from contact
), address as (
    insert into addresses (customer_id, contact_id, kind, street, city, country)
    select customer_id, id, 'BILLING', 'Street 1', 'Town', 'DE' from contact
), ordered as (
    insert into orders (customer_id, unit_id, number, status, placed_at, currency, net, contact_id)
    select contact.customer_id, customer.unit_id, 'N-' || $3, 'DRAFT', now(), 'EUR', 6, contact.id from contact, customer
    returning id, customer_id
), item as (
    insert into order_items (order_id, customer_id, line, product_id, quantity, unit_price, currency)
    select o.id, o.customer_id, 1, p.id, 2, 3, 'EUR' from ordered as o, (select id from products limit 1) as p
), talk as (
    insert into interactions (customer_id, unit_id, channel, direction, kind, subject, occurred_at, order_id, contact_id)
    select o.customer_id, customer.unit_id, 'EMAIL', 'INBOUND', 'message', 'Hello', now(), o.id, contact.id
    from ordered as o, customer, contact
), known as (
    insert into identifiers (customer_id, kind, value, normalized, source, verified)
    select c.id, v.kind, v.value, v.value, 'shop', v.verified from c, (values
        ('EMAIL', 'own-' || $3 || '@y.example', false), ('EMAIL', 'shared-' || $4 || '@y.example', $2 = 'b')
    ) as v (kind, value, verified)
), scored as (
    insert into scores (customer_id, model, value, computed_at, superseded_at)
    select c.id, 'rfm', v.value, v.at, v.until from c, (values
        (1, timestamptz '2026-01-01' + $5 * interval '1 day', timestamptz '2026-02-01' + $5 * interval '1 day'),
        (2, timestamptz '2026-02-01' + $5 * interval '1 day', null)
    ) as v (value, at, until)
), consent as (
    insert into consents (customer_id, purpose, status, source, given_at)
    select id, 'news', 'GRANTED', 'shop', timestamptz '2026-03-01' - $5 * interval '1 day' from c
), assigned as (
    insert into assignments (customer_id, staff_id, role, from_at, origin)
    select c.id, person.id, r.role, '2026-01-01', 'LEGACY' from c, person, (values ('PRIMARY'), ('DEPUTY')) as r (role)
    where c.tag = 'b' or r.role = 'DEPUTY'
), moved as (
    insert into stage_moves (customer_id, from_stage, to_stage, reason, moved_at)
    select id, 'PROSPECT', 'ACTIVE', 'x', now() from c
), clock as (
    insert into clocks (customer_id, unit_id, audience, entity, row_id, name, status, goal_seconds, started_at)
    select id, unit_id, 'INSIDE', 'Customer', id, 'CONTACT', 'PAUSED', 60, now() from customer
), order_clock as (
    insert into clocks (customer_id, unit_id, audience, entity, row_id, name, status, goal_seconds, started_at)
    select o.customer_id, customer.unit_id, 'INSIDE', 'Order', o.id, 'SHIP', 'PAUSED', 60, now() from ordered as o, customer
), key as (
    insert into api_keys (public_id, hash, name, role, customer_id)
    select $3, sha256($3::bytea), 'app', 'customer', id from customer
), task as (
    insert into tasks (type, category, title, status, origin, customer_id, staff_id, unit_id)
    select 'CALL', 'SALES', 'Call', 'OPEN', 'PERSON', customer.id, person.id, customer.unit_id from customer, person
), notice as (
    insert into notifications (staff_id, type, text, notified_at, entity, row_id, customer_id, unit_id)
    select person.id, 'DUE', 'Look', now(), 'Customer', customer.id, customer.id, customer.unit_id from customer, person
)
select id from customer
"""


@pytest.fixture
async def pair(northwind_client: HubClient, connection: asyncpg.Connection) -> tuple[UUID, UUID]:
    """Two customers with a row in nearly every table; some of their rows are twins."""
    one, other, shared = uuid4(), uuid4(), uuid4().hex[:8]
    for key, tag, days in ((one, "a", 0), (other, "b", 5)):
        await connection.execute(FILL, key, tag, key.hex[:12], shared, days)
    return one, other


def ids(pair: tuple[UUID, UUID]) -> tuple[str, str]:
    return public_id("cus", pair[0]), public_id("cus", pair[1])


async def test_every_row_becomes_the_survivors_and_comes_back_byte_for_byte(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID]
) -> None:
    before = await rows_of(connection, *pair)
    plan = await planned(northwind_client, *ids(pair))
    assert await rows_of(connection, *pair) == before
    done = await merge(northwind_client, *ids(pair))
    counted = (table for table in plan["tables"] if table["type"] != "MatchCandidate")  # the hub derives these
    assert {table["type"]: (table["moved"], table["dropped"]) for table in counted} == {
        "Identifier": (1, 1),
        "Contact": (1, 0),
        "Address": (1, 0),
        "ContactPoint": (1, 0),
        "Order": (1, 0),
        "OrderItem": (1, 0),
        "Interaction": (1, 0),
        "Score": (2, 0),
        "Consent": (1, 0),
        "StageMove": (1, 0),
        "Clock": (2, 0),
        "Notification": (1, 0),
        "Assignment": (1, 1),
        "Task": (1, 0),
        "ApiKey": (1, 0),
        "IdentityReview": (0, 1),
        "SourceRecord": (0, 1),
    }
    assert done["merge"] == {
        "id": done["merge"]["id"],
        "status": "DONE",
        "survivorId": ids(pair)[0],
        "mergedId": ids(pair)[1],
    }
    assert done["fields"] == ["country", "attributes", "ownerId"]
    after = await rows_of(connection, *pair)
    assert {key[1] for key in after if key[0] == "customers"} == {pair[0]}
    assert all(image.get("customer_id", str(pair[0])) == str(pair[0]) for image in after.values())
    customer = after["customers", pair[0]]
    assert (customer["country"], customer["attributes"]) == ("DE", {"a": 1, "b": 1, "both": "a"})
    assert [i["verified"] for (table, _), i in after.items() if table == "identifiers" and "shared" in i["value"]] == [
        True
    ]
    assert [i["model"] for (t, _), i in after.items() if t == "scores" and i["superseded_at"] is None] == ["rfm"]
    assert [i["purpose"] for (t, _), i in after.items() if t == "consents" and i["superseded_at"] is None] == ["news"]
    revoked = [i["revoked_at"] is not None for (t, _), i in after.items() if t == "api_keys"]
    assert sorted(revoked) == [False, True]
    undone = await undo(northwind_client, done["merge"]["id"])
    assert (undone["customer"], undone["report"]["edited"], undone["report"]["gone"]) == ({"id": ids(pair)[1]}, 0, 0)
    assert without_stamps(await rows_of(connection, *pair)) == without_stamps(before)


async def test_later_edits_stay_and_are_reported_and_new_rows_stay_with_the_survivor(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID]
) -> None:
    before = await rows_of(connection, *pair)
    keys = {
        (table, image["customer_id"] == str(pair[1])): key
        for (table, key), image in before.items()
        if "customer_id" in image
    }
    order, contact, own_contact = keys["orders", True], keys["contacts", True], keys["contacts", False]
    done = await merge(northwind_client, *ids(pair))
    await connection.execute("update orders set reason = 'edited', contact_id = $2 where id = $1", order, own_contact)
    await connection.execute("update customers set country = 'FR' where id = $1", pair[0])
    await connection.execute("delete from tasks where id = $1", keys["tasks", True])
    new = await connection.fetchrow(
        "insert into addresses (customer_id, contact_id, kind, street, city, country)"
        " values ($1, $2, 'BILLING', 'New', 'Town', 'DE') returning id",
        pair[0],
        contact,
    )
    item = await connection.fetchrow(
        "insert into order_items (order_id, customer_id, line, product_id, quantity, unit_price, currency)"
        " select $1, $2, 2, id, 1, 1, 'EUR' from products limit 1 returning id",
        order,
        pair[0],
    )
    assert new is not None
    assert item is not None
    report = (await undo(northwind_client, done["merge"]["id"]))["report"]
    after = await rows_of(connection, *pair)
    assert (report["gone"], {row["fate"] for row in report["rows"]}) == (1, {"edited", "gone"})
    listed = {row["id"] for row in report["rows"]}
    assert listed >= {public_id("ord", order), public_id("cus", pair[0]), public_id("tsk", keys["tasks", True])}
    returned = after["orders", order]
    assert (returned["customer_id"], returned["reason"], returned["contact_id"]) == (str(pair[1]), "edited", None)
    assert after["customers", pair[0]]["country"] == "FR"
    assert after["customers", pair[1]]["country"] == "DE"
    address = after["addresses", new["id"]]
    assert (address["customer_id"], address["contact_id"]) == (str(pair[0]), None)
    assert after["order_items", item["id"]]["customer_id"] == str(pair[1])
    edited = {("orders", order), ("customers", pair[0]), ("tasks", keys["tasks", True])}
    unedited = {key: image for key, image in without_stamps(before).items() if key not in edited}
    assert {key: image for key, image in without_stamps(after).items() if key in unedited} == unedited


async def test_a_newer_score_supersedes_what_an_undo_gives_back(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID]
) -> None:
    done = await merge(northwind_client, *ids(pair))
    add = "mutation ($input: ScoreRecordInput!) { scoreRecord(input: $input) { score { id } } }"
    score = {"customerId": ids(pair)[0], "model": "rfm", "value": "9", "computedAt": "2026-06-01T00:00:00Z"}
    await northwind_client.query(add, {"input": score})
    await undo(northwind_client, done["merge"]["id"])
    sql = "select customer_id, value from scores where superseded_at is null and customer_id = any($1)"
    assert {row["customer_id"]: int(row["value"]) for row in await connection.fetch(sql, list(pair))} == {pair[0]: 9}


async def test_only_the_latest_merge_can_be_undone(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID]
) -> None:
    third = uuid4()
    await connection.execute(FILL, third, "c", third.hex[:12], uuid4().hex[:8], 9)
    before = await rows_of(connection, *pair, third)
    first = (await merge(northwind_client, *ids(pair)))["merge"]["id"]
    second = (await merge(northwind_client, public_id("cus", third), ids(pair)[0]))["merge"]["id"]
    redirects = await connection.fetch(
        "select merged_id, customer_id from customer_redirects where customer_id = $1", third
    )
    assert {row["merged_id"] for row in redirects} == set(pair)
    error = await northwind_client.error(UNDO, {"input": {"id": first}})
    assert (error["code"], error["merge"], error["argument"]) == ("MERGE_SUPERSEDED", second, "input.id")
    await undo(northwind_client, second)
    assert (
        await connection.fetchval("select customer_id from customer_redirects where merged_id = $1", pair[1]) == pair[0]
    )
    await undo(northwind_client, first)
    assert without_stamps(await rows_of(connection, *pair, third)) == without_stamps(before)
    for table, column in (("customer_redirects", "merge_id"), ("merge_rows", "merge_id")):
        query = f"select count(*) from {table} where {column} = any($1)"
        assert await connection.fetchval(query, [UUID(key[4:]) for key in (first, second)]) == 0
    error = await northwind_client.error(UNDO, {"input": {"id": first}})
    assert error["code"] == "MERGE_EXPIRED"


async def test_a_merge_is_a_change_of_its_own_before_those_of_the_rows(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID]
) -> None:
    done = await merge(northwind_client, *ids(pair))
    sql = """
    select l.table_name, l.operation, l.customer_id from change_log as l
    where l.transaction_id = (select transaction_id from change_log where row_id = $1 and operation = 'CREATE') order by l.id
    """
    changes = await connection.fetch(sql, UUID(done["merge"]["id"].removeprefix("mrg_")))
    assert tuple(changes[0]) == ("merges", "CREATE", pair[0])
    assert tuple(changes[-1]) == ("customers", "DELETE", pair[1])


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("update customers set kind = 'ORGANISATION' where id = $2 and $1::uuid is not null", "KIND_DIFFERS"),
        ("update customers set status = 'BLOCKED' where id = $2 and $1::uuid is not null", "BLOCKED"),
        (
            "update identity_reviews set status = 'NOT_SAME' where customer_id in ($1, $2) and other_id in ($1, $2)",
            "DECIDED_NOT_SAME",
        ),
    ],
)
async def test_what_speaks_against_a_merge(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID], sql: str, code: str
) -> None:
    await connection.execute(sql, *pair)
    plan = await planned(northwind_client, *ids(pair))
    assert [reason["code"] for reason in plan["reasons"]] == [code]
    variables = {"survivorId": ids(pair)[0], "mergedId": ids(pair)[1], "fingerprint": plan["fingerprint"]}
    error = await northwind_client.error(MERGE, {"input": variables})
    assert (error["code"], error["argument"], error["reasons"]) == ("MERGE_BLOCKED", "input.mergedId", plan["reasons"])


async def test_a_merge_repeats_the_fingerprint_of_customers_as_they_are(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID]
) -> None:
    plan = await planned(northwind_client, *ids(pair))
    variables: dict[str, Any] = {"survivorId": ids(pair)[0], "mergedId": ids(pair)[1]}
    error = await northwind_client.error(MERGE, {"input": variables})
    assert (error["code"], error["argument"]) == ("ARGUMENT_MISSING", "input.fingerprint")
    await connection.execute("update customers set language = 'fr' where id = $1", pair[1])
    stale = variables | {"fingerprint": plan["fingerprint"]}
    assert (await northwind_client.error(MERGE, {"input": stale}))["code"] == "MERGE_CHANGED"
    versions = stale | {"expectedVersions": {"merged": 1}}
    error = await northwind_client.error(MERGE, {"input": versions})
    assert (error["code"], error["argument"]) == ("VERSION_CONFLICT", "input.expectedVersions.merged")
    error = await northwind_client.error(MERGE, {"input": variables | {"mergedId": ids(pair)[0], "dryRun": True}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.mergedId")


async def test_somebody_chooses_fields(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID]
) -> None:
    fields = [{"field": "name", "side": "MERGED"}, {"field": "country", "side": "SURVIVOR"}]
    done = await merge(northwind_client, *ids(pair), fields=fields)
    assert done["fields"] == ["name", "attributes", "ownerId"]
    row = await connection.fetchrow("select name, country from customers where id = $1", pair[0])
    assert tuple(row or ()) == ("Customer b", None)
    wrong = {"survivorId": ids(pair)[0], "mergedId": ids(pair)[1], "fields": [{"field": "version", "side": "MERGED"}]}
    error = await northwind_client.error(MERGE, {"input": wrong})
    assert error["argument"] in ("input.mergedId", "input.fields[0].field")


@pytest.mark.parametrize("role", [Role.READER, Role.WRITER])
async def test_who_may_not_write_or_see_both_does_not_merge(
    northwind_client: HubClient, connection: asyncpg.Connection, pair: tuple[UUID, UUID], role: Role
) -> None:
    unit = await connection.fetchval(
        "insert into org_units (code, name, kind, path, parent_id)"
        " select $1::text, $1::text, 'BRANCH', path || $1::text::ltree, id from org_units"
        " where parent_id is null order by path limit 1"
        " returning id",
        f"u{uuid4().hex[:8]}",
    )
    key = await create_api_key(northwind_client.dsn, role, unit_id=unit if role is Role.WRITER else None)
    variables = {"survivorId": ids(pair)[0], "mergedId": ids(pair)[1], "dryRun": True}
    error = await northwind_client.error(MERGE, {"input": variables}, key=key)
    assert error["code"] == ("FORBIDDEN" if role is Role.READER else "NOT_FOUND")
