"""Segments through the front door: who enters and leaves, by changes and by time, why, and what is refused."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from conftest import CreateDatabase, create_api_key
from segment_hub import ACTIVATE, ARCHIVE, CHANGE, CREATE, PREVIEW, SegmentHub, open_segment_hub

from hub.viewer import Role

DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
VISITED = {"interactions": {"some": {"kind": {"eq": "visit"}, "occurredAt": {"withinLast": "P10D"}}}}


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[SegmentHub]:
    async with open_segment_hub(await create_database("migrated")) as segment_hub:
        yield segment_hub


async def test_customers_enter_and_leave_as_their_rows_change(hub: SegmentHub) -> None:
    early = await hub.create("Ada", country="CH")
    filter_ = {"country": {"eq": "CH"}, "orders": {"count": {"gte": 2}, "where": {"status": {"ne": "CANCELLED"}}}}
    await hub.order(early, "10"), await hub.order(early, "20")
    await hub.activate("swiss.buyers", filter_)
    assert await hub.members("swiss.buyers") == {early}
    late = await hub.create("Bea", country="CH")
    await hub.order(late, "1")
    assert await hub.members("swiss.buyers") == {early}
    await hub.order(late, "1")
    assert await hub.members("swiss.buyers") == {early, late}
    await hub.update(late, country="DE")
    assert await hub.members("swiss.buyers") == {early}
    membership, *others = await hub.memberships("swiss.buyers")
    assert (membership["customer"], membership["member"], len(others)) == ({"id": late}, None, 1)
    because = {next(iter(reason["condition"])): reason for reason in membership["because"]}
    assert because == {
        "country": {"condition": {"country": {"eq": "CH"}}, "value": "CH"},
        "orders": {"condition": {"orders": filter_["orders"]}, "value": 2},
    }


async def test_time_alone_makes_customers_leave_and_enter_at_the_very_moment(hub: SegmentHub) -> None:
    await hub.activate("visited", VISITED)
    await hub.activate("lapsed", {"and": [{"interactions": {"some": {}}}, {"not": VISITED}]})
    customer, first = await hub.create("Cleo"), hub.now - DAY
    await hub.interaction(customer, first)
    await hub.advance(first + DAY * 10)
    assert await hub.members("visited") == {customer}
    await hub.advance(first + DAY * 30)
    (left,), (entered,) = await hub.memberships("visited"), await hub.memberships("lapsed")
    moment = (first + DAY * 10 + MICROSECOND).isoformat()
    assert (left["until"], entered["since"], entered["until"]) == (moment, moment, None)
    await hub.interaction(customer)
    assert await hub.members("visited") == {customer}
    assert await hub.members("lapsed") == set()


async def test_a_moment_that_came_while_no_hub_ran_has_its_own_time(hub: SegmentHub) -> None:
    await hub.activate("soon", {"createdAt": {"olderThan": "P2D"}, "name": {"eq": "Dora"}})
    customer, created = await hub.create("Dora"), hub.now
    await hub.settle()
    # The clock jumps as it does for a hub that was down.
    await hub.connection.execute("update test_clock set now = $1", created + DAY * 5)
    await hub.advance(created + DAY * 6)
    (entered,) = await hub.memberships("soon")
    assert (entered["customer"]["id"], entered["since"]) == (customer, (created + DAY * 2 + MICROSECOND).isoformat())


async def test_segments_of_segments_change_at_the_same_moment(hub: SegmentHub) -> None:
    inside = VISITED["interactions"]["some"] | {"kind": {"eq": "nest"}}
    await hub.activate("nest.a", {"interactions": {"some": inside}})
    await hub.activate("nest.b", {"segments": {"some": {"code": {"eq": "nest.a"}}}})
    await hub.activate("nest.c", {"segments": {"none": {"code": {"in": ["nest.b"]}}}, "name": {"eq": "Elif"}})
    customer = await hub.create("Elif")
    assert await hub.members("nest.c") == {customer}
    seen = hub.now
    await hub.interaction(customer, seen, kind="nest")
    assert [await hub.members(f"nest.{name}") for name in "abc"] == [{customer}, {customer}, set()]
    await hub.advance(seen + DAY * 11)
    ends = [(await hub.memberships(f"nest.{name}"))[0] for name in "abc"]
    moment = (seen + DAY * 10 + MICROSECOND).isoformat()
    assert [ends[0]["until"], ends[1]["until"], ends[2]["since"]] == [moment] * 3


async def test_segments_neither_contain_themselves_nor_nest_too_deep(hub: SegmentHub) -> None:
    first = await hub.draft("deep.1", {"country": {"eq": "AT"}})
    for depth in range(2, 6):
        await hub.draft(f"deep.{depth}", {"segments": {"some": {"code": {"eq": f"deep.{depth - 1}"}}}})
    error = await hub.client.error(
        CREATE,
        {"input": {"code": "deep.6", "name": "6", "filter": {"segments": {"some": {"code": {"eq": "deep.5"}}}}}},
    )
    assert (error["code"], error["argument"]) == ("SEGMENT_INVALID", "input.filter")
    assert "more than 5 deep in deep.6" in error["message"]
    cycle = {"id": first, "filter": {"segments": {"some": {"code": {"eq": "deep.3"}}}}}
    error = await hub.client.error(CHANGE, {"input": cycle})
    assert "deep.1 → deep.3 → deep.2 → deep.1" in error["message"]


@pytest.mark.parametrize(
    ("filter_", "argument", "code"),
    [
        pytest.param({"nme": {"eq": "x"}}, "input.filter", "FILTER_INVALID", id="unknown field"),
        pytest.param({"owner": {"id": {"eq": "$staff"}}}, "input.filter", "FILTER_INVALID", id="who asks"),
        pytest.param({"owner": {"name": {"eq": "x"}}}, "input.filter", "SEGMENT_INVALID", id="rows of others"),
        pytest.param(
            {"segments": {"some": {"since": {"withinLast": "P3D"}}}},
            "input.filter.segments.some",
            "SEGMENT_INVALID",
            id="unnamed segments",
        ),
        pytest.param(
            {"or": [{"segmentMemberships": {"some": {"code": {"eq": "x"}}}}]},
            "input.filter.or[0].segmentMemberships",
            "SEGMENT_INVALID",
            id="past memberships",
        ),
        pytest.param(
            {"segments": {"some": {"code": {"eq": "no.such"}}}}, "input.filter", "SEGMENT_INVALID", id="unknown segment"
        ),
    ],
)
async def test_a_filter_that_cannot_be_is_refused(hub: SegmentHub, filter_: Any, argument: str, code: str) -> None:
    error = await hub.client.error(CREATE, {"input": {"code": "wrong", "name": "Wrong", "filter": filter_}})
    assert (error["argument"], error["code"]) == (argument, code)


async def test_a_preview_says_who_would_enter_and_leave(hub: SegmentHub) -> None:
    italian, french = await hub.create("Fay", country="IT"), await hub.create("Gus", country="FR")
    segment = await hub.activate("latin", {"country": {"eq": "IT"}})
    result = await hub.preview(segment, filter={"country": {"eq": "FR"}})
    assert (result["enterCount"], result["leaveCount"]) == (1, 1)
    assert (result["entering"], result["leaving"], result["complete"]) == ([french], [italian], True)
    assert 0 < result["entriesRead"] < 100
    assert await hub.members("latin") == {italian}
    await hub.change(segment, filter={"country": {"eq": "FR"}})
    assert await hub.members("latin") == {french}


async def test_a_list_has_those_who_were_added(hub: SegmentHub) -> None:
    guest, other = await hub.create("Hanna"), await hub.create("Ines")
    segment = await hub.draft("guests")
    await hub.activate("guests.abroad", {"segments": {"some": {"code": {"eq": "guests"}}}, "country": {"eq": "PT"}})
    await hub.change(segment, add=[guest, other, guest])
    await hub.change(segment, add=[guest])
    assert await hub.members("guests") == {guest, other}
    await hub.update(guest, country="PT")
    assert await hub.members("guests.abroad") == {guest}
    await hub.change(segment, remove=[guest])
    assert (await hub.members("guests"), await hub.members("guests.abroad")) == ({other}, set())
    error = await hub.client.error(CHANGE, {"input": {"id": segment, "add": [f"cus_{'0' * 32}"]}})
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.add[0]")


async def test_an_archived_segment_is_left_by_all_unless_others_name_it(hub: SegmentHub) -> None:
    customer = await hub.create("Jana", country="NO")
    inner = await hub.activate("north", {"country": {"eq": "NO"}})
    outer = await hub.activate("north.all", {"segments": {"some": {"code": {"eq": "north"}}}})
    error = await hub.client.error(ARCHIVE, {"id": inner})
    assert (error["code"], error["usedBy"]) == ("SEGMENT_IN_USE", [outer])
    assert (await hub.preview(inner))["usedBy"] == [outer]
    for segment in (outer, inner):
        await hub.client.query(ARCHIVE, {"id": segment})
    assert await hub.members("north") == set()
    (membership,) = await hub.memberships("north")
    assert (membership["customer"]["id"], membership["until"]) == (customer, hub.now.isoformat())
    error = await hub.client.error(PREVIEW, {"input": {"id": inner}})
    assert error["code"] == "MOVE_INVALID"
    await hub.client.query(ACTIVATE, {"id": inner})
    assert await hub.members("north") == {customer}


async def test_a_filter_that_the_schema_broke_is_reported_and_moves_nobody(hub: SegmentHub) -> None:
    customer = await hub.create("Kim", country="FI")
    segment = await hub.activate("broken", {"country": {"eq": "FI"}})
    await hub.connection.execute(
        "update segments set filter = $1 where id = $2", '{"land": {"eq": "FI"}}', UUID(segment[4:])
    )
    await hub.update(customer, country="SE")
    assert await hub.members("broken") == {customer}
    (node,) = (await hub.client.query('{ segments(filter: {code: {eq: "broken"}}) { nodes { fault } } }'))["segments"][
        "nodes"
    ]
    assert "land" in node["fault"]
    error = await hub.client.error(PREVIEW, {"input": {"id": segment}})
    assert (error["code"], error["argument"]) == ("FILTER_INVALID", "input.filter")
    await hub.change(segment, filter={"country": {"eq": "SE"}})
    assert await hub.members("broken") == {customer}


async def test_who_reads_memberships(hub: SegmentHub) -> None:
    customer = await hub.create("Lena", country="IE")
    await hub.activate("irish", {"country": {"eq": "IE"}})
    own = await create_api_key(hub.client.dsn, Role.READER, customer_id=UUID(customer[4:]))
    elsewhere = await hub.client.query(
        'mutation { orgUnitCreate(input: {code: "west", name: "West", kind: GROUP}) { orgUnit { id } } }'
    )
    unit = UUID(elsewhere["orgUnitCreate"]["orgUnit"]["id"][4:])
    other, same = [await create_api_key(hub.client.dsn, Role.READER, unit_id=key) for key in (unit, UUID(hub.unit[4:]))]
    assert [len(await hub.memberships("irish", key=key)) for key in (own, other, same)] == [0, 0, 1]
    assert await hub.members("irish", key=other) == set()
    assert await hub.members("irish", key=same) == {customer}
    # The customer's own key asks for itself; what it cannot see does not count.
    assert await hub.members("irish", key=own) == set()


async def test_stored_memberships_equal_computed_ones(hub: SegmentHub) -> None:
    assert await hub.stored() == await hub.computed()
