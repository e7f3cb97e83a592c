"""Candidates: who may be one customer, why, and what people decide; what look alike and are two stays apart."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from change_workload import wait_until
from conftest import CreateDatabase, create_api_key
from matching_hub import (
    ANY_CANDIDATE,
    CANDIDATES,
    CREATE,
    DECIDE,
    START,
    MatchingHub,
    decide,
    identified,
    open_matching_hub,
    pair,
)

from hub.domain.identity.merge_commands import MergeLimits
from hub.domain.matching.automatic import merge_next
from hub.domain.matching.decisions import reopen_abandoned
from hub.viewer import Role

UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
UNDO = "mutation ($id: ID!) { mergeUndo(input: {id: $id}) { customer { id } } }"
MERGES = "query ($id: ID!) { customer(id: $id) { merges { nodes { id } } } }"
ONE_CANDIDATE = "query ($id: ID!) { matchCandidate(id: $id) { id } }"
TWO = "query ($a: ID!, $b: ID!) { a: customer(id: $a) { id } b: customer(id: $b) { id } }"
ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { fired } }"
ERASE = "mutation ($id: ID!) { customerErase(input: {id: $id}) { entries } }"
HISTORY = "query ($id: ID!) { matchCandidate(id: $id) { history(first: 9) { nodes { operation changedFields } } } }"


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[MatchingHub]:
    async with open_matching_hub(await create_database("migrated")) as matching_hub:
        yield matching_hub


async def test_two_records_of_one_person_are_a_candidate_whose_weights_add_up(hub: MatchingHub) -> None:
    shared = {"email": "robert.mueller@mueller-online.net", "bornOn": "1971-03-09"}
    first = await hub.create("Robert Müller", street="Hauptstraße 5", **shared)
    second = await hub.create("Mueller, Bob", street="Hauptstr. 5", **shared)
    (candidate,) = await hub.candidates(first, second)
    assert {candidate["customer"]["id"], candidate["other"]["id"]} == {first, second}
    assert candidate["status"] == "OPEN"
    levels = {reason["field"]: reason["level"] for reason in candidate["reasons"]}
    assert levels["FIRST_NAME"] == "SHORT_FORM"
    assert levels["FAMILY_NAME"] == "NEAR"
    assert (levels["BORN_ON"], levels["EMAIL"], levels["STREET"]) == ("EQUAL", "EQUAL", "EQUAL")
    weights = [Decimal(str(reason["weight"])) for reason in candidate["reasons"]]
    assert sum(weights) == Decimal(candidate["score"]) > 0
    history = await hub.client.query(HISTORY, {"id": candidate["id"]})
    assert [entry["operation"] for entry in history["matchCandidate"]["history"]["nodes"]] == ["CREATE"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            {"name": "Emil Abendroth", "bornOn": "1960-01-05", "email": "abendroth@abendroth-online.net"},
            {"name": "Ruth Abendroth", "bornOn": "1963-07-11", "email": "abendroth@abendroth-online.net"},
            id="spouses",
        ),
        pytest.param(
            {"name": "Klara Brinkhoff", "bornOn": "1999-05-05"},
            {"name": "Jonas Brinkhoff", "bornOn": "1999-05-05"},
            id="twins",
        ),
        pytest.param(
            {"name": "Otto Castrop", "bornOn": "1950-08-30"},
            {"name": "Otto Castrop", "bornOn": "1981-02-17"},
            id="father and son",
        ),
        pytest.param(
            {"name": "Paul Dinkel", "phone": "+49 421 5550117", "street": ""},
            {"name": "Fatma Erdem", "phone": "+49 421 5550117", "street": ""},
            id="a number that was assigned again",
        ),
        pytest.param(
            {"name": "Maria Fuchs", "street": "Alter Wall 4", "email": "maria.fuchs1@fuchs-online.net"},
            {"name": "Maria Fuchs", "street": "Neuer Weg 90", "email": "maria.fuchs2@fuchs-online.net"},
            id="one name in one city, and addresses that differ in digits",
        ),
    ],
)
async def test_look_alikes_are_no_candidates(hub: MatchingHub, first: dict[str, Any], second: dict[str, Any]) -> None:
    family = str(first["name"]).split()[1]
    a = await hub.create(**{"street": f"{family}weg 1", "phone": "+49 421 5550116", **first})
    b = await hub.create(**{"street": f"{family}weg 1", **second})
    both = {a, b}
    assert not [c for c in await hub.candidates(a, b) if {c["customer"]["id"], c["other"]["id"]} == both]


async def test_a_candidate_follows_the_two_customers(hub: MatchingHub) -> None:
    first, second = await pair(hub, "Grundmann")
    (before,) = await hub.candidates(first)
    await hub.client.query(UPDATE, {"input": {"id": second, "bornOn": "1959-09-17"}})
    (after,) = await hub.candidates(first)
    assert after["id"] == before["id"]
    assert Decimal(after["score"]) < Decimal(before["score"])
    await hub.client.query(UPDATE, {"input": {"id": second, "bornOn": "2007-10-30"}})
    assert await hub.candidates(first) == []


async def test_the_feed_keeps_candidates_current(hub: MatchingHub) -> None:
    first, second = await pair(hub, "Winterhalder")

    async def stored() -> list[Any]:
        filter_ = {"customer": {"id": {"in": [first, second]}}}
        nodes: list[Any] = (await hub.client.query(CANDIDATES, {"filter": filter_}))["matchCandidates"]["nodes"]
        return nodes

    async def is_gone() -> bool:
        return not await stored()

    await wait_until(stored)
    await hub.client.query(UPDATE, {"input": {"id": second, "bornOn": "2001-01-30"}})
    await wait_until(is_gone)


async def test_not_same_never_comes_back(hub: MatchingHub) -> None:
    first, second = await pair(hub, "Habermas")
    (candidate,) = await hub.candidates(first)
    decided = (await decide(hub, candidate, "NOT_SAME"))["matchCandidate"]
    assert decided["status"] == "NOT_SAME"
    assert decided["decidedAt"] is not None
    for name in ("Eve Other", "Haba Habermas"):
        await hub.client.query(UPDATE, {"input": {"id": second, "name": name}})
        (stored,) = await hub.candidates(first)
        assert (stored["id"], stored["status"], stored["score"]) == (candidate["id"], "NOT_SAME", candidate["score"])


async def test_not_same_holds_for_whoever_takes_the_customers_place(hub: MatchingHub) -> None:
    first, second = await pair(hub, "Hagenbeck")
    third = await hub.create("Haga Hagenbeck", bornOn="1959-09-17", street="Hagenbeckweg 1")

    async def statuses() -> dict[frozenset[str], str]:
        return {
            frozenset((c["customer"]["id"], c["other"]["id"])): c["status"]
            for c in await hub.candidates(first, second, third)
        }

    (candidate,) = [c for c in await hub.candidates(second) if third in (c["customer"]["id"], c["other"]["id"])]
    await decide(hub, candidate, "NOT_SAME")
    before = {
        frozenset((first, second)): "OPEN",
        frozenset((first, third)): "OPEN",
        frozenset((second, third)): "NOT_SAME",
    }
    assert await statuses() == before
    (candidate,) = [c for c in await hub.candidates(first) if second in (c["customer"]["id"], c["other"]["id"])]
    merged = await decide(hub, candidate, "SAME", survivorId=first)
    assert await statuses() == {frozenset((first, third)): "NOT_SAME"}
    await hub.client.query(UNDO, {"id": merged["merge"]["id"]})
    assert await statuses() == before


async def test_later_comes_back_at_its_time(hub: MatchingHub) -> None:
    first, _ = await pair(hub, "Immendorf")
    (candidate,) = await hub.candidates(first)
    decision = await decide(hub, candidate, "LATER", remindsAt="2026-03-01T08:00:00Z")
    decided = decision["matchCandidate"]
    assert (decided["status"], decided["remindsAt"]) == ("LATER", "2026-03-01T08:00:00+00:00")
    assert [c["status"] for c in await hub.candidates(first)] == ["LATER"]
    await hub.client.query(ADVANCE, {"to": "2026-03-01T08:00:00Z"})
    (reopened,) = await hub.candidates(first)
    assert (reopened["status"], reopened["remindsAt"]) == ("OPEN", None)


async def test_same_merges_the_two_and_the_merge_can_be_undone(hub: MatchingHub) -> None:
    first, second = await pair(hub, "Quandt")
    (candidate,) = await hub.candidates(first)
    decided = await decide(hub, candidate, "SAME", survivorId=second)
    assert (decided["matchCandidate"], decided["job"]) == (None, None)
    assert decided["customer"]["id"] == second
    assert decided["merge"]["status"] == "DONE"
    assert await hub.candidates(second) == []
    undone = await hub.client.query(UNDO, {"id": decided["merge"]["id"]})
    assert undone["mergeUndo"]["customer"]["id"] == first
    (again,) = await hub.candidates(first)
    assert (again["id"], again["status"]) == (candidate["id"], "OPEN")


async def test_a_pair_whose_job_came_to_nothing_is_open_again(hub: MatchingHub) -> None:
    first, _ = await pair(hub, "Zacharias")
    (candidate,) = await hub.candidates(first)
    key = UUID(candidate["id"].partition("_")[2])
    connection = await asyncpg.connect(hub.client.dsn)
    try:
        await connection.execute("update match_candidates set status = 'SAME' where id = $1", key)
        await reopen_abandoned(connection, START)
    finally:
        await connection.close()
    assert [c["status"] for c in await hub.candidates(first)] == ["OPEN"]


async def test_a_decision_names_what_is_wrong(hub: MatchingHub) -> None:
    first, _ = await pair(hub, "Jansen")
    (candidate,) = await hub.candidates(first)

    async def fault(key: str | None = None, **fields: Any) -> tuple[str, str | None]:
        error = await hub.client.error(
            DECIDE, {"input": {"id": candidate["id"], "decision": "SAME", **fields}}, key=key
        )
        return error["code"], error.get("argument")

    assert await fault(survivorId=await hub.create("Nobody")) == ("VALUE_INVALID", "input.survivorId")
    assert await fault(decision="NOT_SAME", survivorId=first) == ("VALUE_INVALID", "input.survivorId")
    assert await fault(remindsAt="2030-01-01T00:00:00Z") == ("VALUE_INVALID", "input.remindsAt")
    assert await fault(decision="LATER", remindsAt="2020-01-01T00:00:00Z") == ("VALUE_INVALID", "input.remindsAt")
    assert await fault(id="mtc_019f0000000070008000000000000000") == ("NOT_FOUND", "input.id")
    reader = await create_api_key(hub.client.dsn, Role.READER)
    assert (await fault(key=reader))[0] == "FORBIDDEN"
    await decide(hub, candidate, "NOT_SAME", expectedVersion=candidate["version"])
    assert await fault(expectedVersion=candidate["version"]) == ("VERSION_CONFLICT", "input.expectedVersion")


async def test_only_those_who_see_both_customers_see_the_candidate(hub: MatchingHub) -> None:
    shared = {"bornOn": "1948-11-28", "street": "Kolbestieg 1"}
    first, second = await hub.create("Kea Kolbe", **shared), await hub.create("Kea Kolbe", unit="west", **shared)
    unit = UUID(hub.units["east"].partition("_")[2])
    east = await create_api_key(hub.client.dsn, Role.WRITER, unit_id=unit)
    assert await hub.candidates(first, second, key=east) == []
    (candidate,) = await hub.candidates(first, second)
    error = await hub.client.error(DECIDE, {"input": {"id": candidate["id"], "decision": "SAME"}}, key=east)
    assert error["code"] == "NOT_FOUND"
    customer = await create_api_key(hub.client.dsn, Role.WRITER, customer_id=UUID(first.partition("_")[2]))
    assert await hub.candidates(first, second, key=customer) == []


async def test_an_erased_customer_leaves_neither_keys_nor_candidates(hub: MatchingHub) -> None:
    first, second = await pair(hub, "Lohmann")
    (candidate,) = await hub.candidates(first)
    await hub.client.query(ERASE, {"id": second})
    assert await hub.candidates(first) == []
    connection = await asyncpg.connect(hub.client.dsn)
    try:
        key = UUID(second.partition("_")[2])
        assert await connection.fetchval("select count(*) from match_keys where customer_id = $1", key) == 0
        traces = "select count(*) from change_log where table_name = 'match_candidates' and after::text like $1"
        assert await connection.fetchval(traces, f"%{key}%weight%") == 0
        row_id = UUID(candidate["id"].partition("_")[2])
        images = "select coalesce(after, before) from change_log where table_name = 'match_candidates' and row_id = $1"
        assert {"reasons", "score"}.isdisjoint(str(await connection.fetch(images, row_id)).split('"'))
    finally:
        await connection.close()


async def key_of_role(
    hub: MatchingHub, name: str, customers: dict[str, Any], pairs: dict[str, Any] | None = None
) -> str:
    """A key of a role that reads everything that is compared, but for what the rules of customers and candidates say."""
    special = {"Customer": customers, "MatchCandidate": pairs or {}}
    entities = (*special, "Identifier", "Contact", "ContactPoint", "Address")
    rules = [{"entity": entity, "verbs": ["READ"], **special.get(entity, {})} for entity in entities]
    await hub.client.query(ROLE, {"input": {"name": name, "rules": rules}})
    return await create_api_key(hub.client.dsn, name)


async def test_a_role_that_does_not_read_what_is_compared_reads_no_weights(hub: MatchingHub) -> None:
    first, _ = await pair(hub, "Quedlinburg")
    (candidate,) = await hub.candidates(first)
    reader = await key_of_role(hub, "reader_of_all", {})
    assert [c["score"] for c in await hub.candidates(first, key=reader)] == [candidate["score"]]
    masked = await key_of_role(hub, "without_birth_year", {"masks": [{"field": "bornOn", "mask": "YEAR"}]})
    hidden = await key_of_role(hub, "without_birth", {"fields": ["id", "name"]})
    for key in (masked, hidden):
        for field in ("score", "reasons"):
            error = await hub.client.error(f"{{ matchCandidates(first: 1) {{ nodes {{ {field} }} }} }}", key=key)
            assert field in error["message"]
        sorted_by_score = "{ matchCandidates(first: 1, orderBy: [{score: DESC}]) { nodes { id } } }"
        assert (await hub.client.error(sorted_by_score, key=key))["code"] == "ARGUMENT_UNKNOWN"
        nodes = (await hub.client.query(ANY_CANDIDATE, key=key))["matchCandidates"]["nodes"]
        assert candidate["id"] in [node["id"] for node in nodes]


async def test_a_role_that_hides_one_of_the_two_hides_the_candidate(hub: MatchingHub) -> None:
    first, second = await pair(hub, "Rosenheimer")
    (candidate,) = await hub.candidates(first)
    await hub.client.query(UPDATE, {"input": {"id": second, "country": "AT"}})
    abroad = {"rowFilter": {"country": {"eq": "AT"}}}
    key = await key_of_role(hub, "abroad", abroad)  # whatever its rule of candidates says
    assert await hub.candidates(first, second, key=key) == []
    assert (await hub.client.query(ONE_CANDIDATE, {"id": candidate["id"]}, key=key))["matchCandidate"] is None
    await hub.client.query(UPDATE, {"input": {"id": first, "country": "AT"}})
    assert [c["id"] for c in await hub.candidates(first, second, key=key)] == [candidate["id"]]


async def test_identify_stores_a_day_of_birth_and_leaves_out_one_that_is_to_come(hub: MatchingHub) -> None:
    address = {"kind": "EMAIL", "value": "sara@sara-online.net"}
    first = await identified(hub, "shop", address, name="Sara", bornOn="2999-01-01")
    assert first["customer"]["bornOn"] is None
    assert first["reasons"] == ["traits.bornOn was not taken: the day is yet to come; give a past one"]
    again = await identified(hub, "shop", address, bornOn="1990-05-17")
    assert again["customer"] == {"id": first["customer"]["id"], "name": "Sara", "bornOn": "1990-05-17"}
    other = await identified(hub, "shop", address, bornOn="1991-05-17")
    assert other["customer"]["bornOn"] == "1990-05-17"


async def test_identify_keeps_father_and_son_of_one_address_apart(hub: MatchingHub) -> None:
    address = {"kind": "EMAIL", "value": "thomas@tiefenbach-online.net", "verified": True}
    father = await identified(hub, "shop", address, name="Thomas Tiefenbach", bornOn="1950-01-30")
    son = await identified(hub, "app", address, name="Thomas Tiefenbach", bornOn="1984-06-02")
    assert (son["outcome"], son["customer"]["bornOn"]) == ("QUEUED_FOR_REVIEW", "1984-06-02")
    assert son["customer"]["id"] != father["customer"]["id"]
    misspelt = await identified(hub, "till", address, bornOn="1950-01-31")
    assert misspelt["customer"]["id"] == father["customer"]["id"]


@pytest.mark.parametrize("day", ["2999-12-31", "1879-12-31"])
async def test_a_customer_is_born_in_living_memory(hub: MatchingHub, day: str) -> None:
    values = {"name": "Uwe", "unitId": hub.units["east"], "bornOn": day}
    error = await hub.client.error(CREATE, {"input": values})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.bornOn")


async def test_certain_pairs_are_merged_without_a_person_where_a_setting_allows_it(hub: MatchingHub) -> None:
    sure = {"email": "{}@xaver-online.net", "phone": "+49 421 55501{}", "tax_id": "DE1234567{}", "bornOn": "1977-07-07"}

    def shared(number: str) -> dict[str, str]:
        return {name: value.format(number) for name, value in sure.items()}

    first, second = [await hub.create("Xaver Xanten", **shared("31")) for _ in range(2)]
    third, fourth = await hub.create("Yorick Yps", **shared("42")), await hub.create("Zoe Yps", **shared("42"))
    await hub.refresh()

    async def merge_all() -> None:
        connection = await asyncpg.connect(hub.client.dsn)
        try:
            more = True
            while more:
                async with connection.transaction():
                    more = await merge_next(connection, Decimal(12), MergeLimits(1_000, timedelta(days=30)), START)
        finally:
            await connection.close()

    await merge_all()
    merged = await hub.client.query(TWO, {"a": first, "b": second})
    assert merged["a"]["id"] == merged["b"]["id"] == first
    merges = (await hub.client.query(MERGES, {"id": first}))["customer"]["merges"]["nodes"]
    await hub.client.query(UNDO, {"id": merges[0]["id"]})
    await merge_all()
    assert (await hub.client.query(TWO, {"a": first, "b": second}))["b"]["id"] == second
    apart = await hub.client.query(TWO, {"a": third, "b": fourth})
    assert (apart["a"]["id"], apart["b"]["id"]) == (third, fourth)
