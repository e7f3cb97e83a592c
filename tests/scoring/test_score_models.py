"""Score models through the front door: values with reasons, crossings of bands, previews, overrides and who reads scores."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from conftest import CreateDatabase, create_api_key
from scoring_hub import ACTIVATE, CREATE, RECORD, ScoringHub, open_scoring_hub

from hub.viewer import Role

OVERRIDE = """mutation ($input: ScoreOverrideInput!) { scoreOverride(input: $input) {
    score { value band reasons overrideReason expiresAt }
} }"""
VISITS = {"name": "visits", "entity": "Interaction", "points": "5", "match": {"kind": {"eq": "visit"}}}
BANDS = [{"band": "LOW", "lower": "0"}, {"band": "HIGH", "lower": "10"}]
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[ScoringHub]:
    async with open_scoring_hub(await create_database("migrated")) as scoring_hub:
        yield scoring_hub


async def test_points_have_reasons_that_add_up_and_name_their_rows(hub: ScoringHub) -> None:
    orders = {"name": "spent", "entity": "Order", "measure": "SUM", "columnName": "net", "currency": "EUR"}
    rules = [{**VISITS, "maxPoints": "12"}, {**orders, "points": "0.01", "match": {"status": {"ne": "CANCELLED"}}}]
    await hub.activate("points.reasons", rules=rules, bands=BANDS)
    customer = await hub.create("Ada")
    visits = [await hub.interaction(customer, hub.now - DAY * age) for age in range(3)]
    await hub.interaction(customer, kind="call")
    spent = [await hub.order(customer, net, hub.now - DAY) for net in ("33.3333", "66.6667")]
    await hub.order(customer, "1000", currency="USD")
    (score,) = await hub.scores(customer, "points.reasons")
    assert (score["value"], score["band"], score["scoreModel"]) == ("13.0000", "HIGH", {"revision": 1})
    assert [(r["rule"], r["points"], r["count"]) for r in score["reasons"]] == [
        ("visits", "12.0000", 3),
        ("spent", "1.0000", 2),
    ]
    assert score["reasons"][1]["sum"] == "100.0000"
    assert [row["id"] for row in score["evidenceInteractions"]] == visits == score["reasons"][0]["evidence"]
    assert {row["id"] for row in score["evidenceOrders"]} == set(spent)


async def test_a_window_ends_at_its_moment_and_a_crossing_is_a_row(hub: ScoringHub) -> None:
    await hub.activate("points.window", rules=[{**VISITS, "points": "6", "windowDays": 10}], bands=BANDS)
    customer = await hub.create("Bea")
    first = hub.now - DAY
    await hub.interaction(customer, first)
    await hub.interaction(customer, first + DAY / 2)
    await hub.scores(customer, "points.window")
    await hub.advance(first + DAY * 10 - timedelta(microseconds=1))
    (score,) = await hub.scores(customer, "points.window")
    assert (score["value"], score["band"]) == ("12.0000", "HIGH")
    await hub.advance(first + DAY * 20)
    past = await hub.scores(customer, "points.window", past=True)
    assert [(s["value"], s["band"], s["supersededAt"] is None) for s in past[:2]] == [
        ("6.0000", "LOW", False),
        ("12.0000", "HIGH", False),
    ]
    assert past[0]["computedAt"] == (first + DAY * 10).isoformat() == past[1]["supersededAt"]
    assert past[0]["supersededAt"] == (first + DAY * 10.5).isoformat()


async def test_a_half_life_halves_points_by_whole_days(hub: ScoringHub) -> None:
    await hub.activate("points.decay", rules=[{**VISITS, "points": "8", "halfLifeDays": 2}])
    customer = await hub.create("Cleo")
    await hub.interaction(customer, hub.now)
    midnight = hub.now.replace(hour=0, minute=0, second=0, microsecond=0)
    values = []
    for day in (0, 1, 2, 4):
        if day:
            await hub.advance(midnight + DAY * day)
        values += [score["value"] for score in await hub.scores(customer, "points.decay")]
    assert values == ["8.0000", "5.6569", "4.0000", "2.0000"]


async def test_recorded_scores_make_satisfaction_and_loyalty(hub: ScoringHub) -> None:
    await hub.activate("csat.mean", template="SATISFACTION")
    await hub.activate("nps.share", template="LOYALTY")
    customer = await hub.create("Dora")
    for value in ("4", "5", "5"):
        await hub.record(customer, "csat", value)
    for value in ("9", "10", "3", "8"):
        await hub.record(customer, "nps", value)
    (satisfaction,) = await hub.scores(customer, "csat.mean")
    assert (satisfaction["value"], satisfaction["band"]) == ("4.6667", "GOOD")
    (loyalty,) = await hub.scores(customer, "nps.share")
    assert (loyalty["value"], loyalty["band"]) == ("25.0000", "PASSIVE")
    assert [(r["points"], r["count"], r["of"]) for r in loyalty["reasons"]] == [("50.0000", 2, 4), ("-25.0000", 1, 4)]


async def test_a_relationship_has_a_level_for_all_that_was_done(hub: ScoringHub) -> None:
    await hub.activate("relationship.level", template="RELATIONSHIP")
    customer = await hub.create("Edda", stage="ACTIVE")
    (score,) = await hub.scores(customer, "relationship.level")
    assert (score["value"], score["band"]) == ("2.0000", "2")
    await hub.interaction(customer)
    await hub.order(customer, "10")
    (score,) = await hub.scores(customer, "relationship.level")
    assert (score["value"], [reason["rule"] for reason in score["reasons"]]) == (
        "4.0000",
        ["known", "contact", "ordered", "active"],
    )


async def test_rfm_falls_by_time_alone_and_counts_no_cancelled_order(hub: ScoringHub) -> None:
    cuts = {"recencyDays": [100, 60, 30, 10], "frequency": [1, 2, 3, 4], "monetary": ["10", "50", "100", "500"]}
    await hub.activate("rfm.fixed", kind="RFM", currency="EUR", rfmCuts=cuts)
    customer = await hub.create("Frida")
    last = hub.now - DAY
    await hub.order(customer, "30", last - DAY * 9)
    await hub.order(customer, "40", last)
    await hub.order(customer, "900", hub.now, status="CANCELLED")
    (score,) = await hub.scores(customer, "rfm.fixed")
    assert (score["value"], score["band"]) == ("523.0000", "523")
    assert [(r["rule"], r["points"], r["band"]) for r in score["reasons"]] == [
        ("recency", "500.0000", 5),
        ("frequency", "20.0000", 2),
        ("monetary", "3.0000", 3),
    ]
    await hub.advance(last + DAY * 30)
    past = await hub.scores(customer, "rfm.fixed", past=True)
    assert [(s["band"], s["computedAt"]) for s in past[:2]] == [
        ("323", (last + DAY * 30).isoformat()),
        ("423", (last + DAY * 10).isoformat()),
    ]


async def test_a_preview_says_who_moves_and_what_is_wrong(hub: ScoringHub) -> None:
    customer = await hub.create("Greta")
    await hub.interaction(customer)
    share = {**VISITS, "name": "share", "shareOf": {"channel": {"eq": "EMAIL"}}}
    model = await hub.draft("points.preview", rules=[VISITS, share], bands=BANDS)
    preview = await hub.preview(model)
    assert preview["problems"] == []
    assert {"customer": customer, "before": None, "after": "HIGH", "value": "10.0000"} in preview["moves"]
    assert preview["customers"] > preview["scored"] > 0
    assert {"band": "HIGH", "before": 0, "after": sum(b["after"] for b in preview["bands"])} == preview["bands"][0]
    (note,) = preview["notes"]
    assert note["code"] == "DIVISION_BY_ZERO"
    assert await hub.scores(customer, "points.preview") == []


async def test_models_that_read_one_another_are_refused(hub: ScoringHub) -> None:
    def reading(code: str) -> dict[str, Any]:
        return {"rules": [{"name": "other", "entity": "Score", "points": "1", "match": {"model": {"eq": code}}}]}

    await hub.activate("cycle.one", **reading("cycle.two"))
    nested = {"scores": {"some": {"model": {"eq": "cycle.one"}}}}
    rule = {"name": "nested", "entity": "Customer", "points": "1", "match": nested}
    second = await hub.draft("cycle.two", rules=[rule])
    (problem,) = (await hub.preview(second))["problems"]
    assert problem["code"] == "CYCLE"
    assert "cycle.two reads cycle.one reads cycle.two" in problem["message"]
    error = await hub.client.error(ACTIVATE, {"id": second})
    assert (error["code"], error["problems"]) == ("SCORE_MODEL_REFUSED", [problem])


@pytest.mark.parametrize(
    ("definition", "argument", "code"),
    [
        pytest.param(
            {"rules": [{"name": "a", "entity": "Order", "points": "1", "measure": "SUM", "columnName": "net"}]},
            "input.rules[0].currency",
            "CURRENCY_REQUIRED",
            id="a sum of money without its currency",
        ),
        pytest.param({"kind": "RFM"}, "input.currency", "CURRENCY_REQUIRED", id="RFM without a currency"),
        pytest.param(
            {"rules": [{"name": "a", "entity": "Order", "points": "1", "match": {"colour": {"eq": "red"}}}]},
            "input.rules[0].match",
            "FILTER_INVALID",
            id="a filter by what is not there",
        ),
        pytest.param(
            {"rules": [{"name": "a", "entity": "Product", "points": "1"}]},
            "input.rules[0].entity",
            "SCORE_MODEL_INVALID",
            id="rows of nobody",
        ),
        pytest.param(
            {"rules": [{"name": "a", "entity": "Score", "points": "1"}]},
            "input.rules[0].match",
            "SCORE_MODEL_INVALID",
            id="scores of every model",
        ),
        pytest.param(
            {"rules": [VISITS], "bands": [{"band": "A", "lower": "2"}, {"band": "B", "lower": "1"}]},
            "input.bands[1].lower",
            "SCORE_MODEL_INVALID",
            id="bands in disorder",
        ),
        pytest.param(
            {"rules": [{**VISITS, "points": "0.00001"}]},
            "input.rules[0].points",
            "SCORE_MODEL_INVALID",
            id="more than four digits",
        ),
    ],
)
async def test_a_definition_that_cannot_be_is_refused(
    hub: ScoringHub, definition: dict[str, Any], argument: str, code: str
) -> None:
    error = await hub.client.error(CREATE, {"input": {"code": "points.wrong", "name": "Wrong", **definition}})
    assert (error["argument"], error["code"]) == (argument, code)


async def test_a_fit_that_does_not_converge_is_reported(hub: ScoringHub) -> None:
    purchases = {"figure": "EXPECTED_PURCHASES", "weeks": 10}
    model = await hub.draft("purchases.none", kind="PURCHASES", currency="CHF", purchases=purchases)
    (problem,) = (await hub.preview(model))["problems"]
    assert (problem["code"], "not fitted" in problem["message"]) == ("NOT_FITTED", True)


async def test_an_override_has_its_own_reason_and_ends(hub: ScoringHub) -> None:
    await hub.activate("points.override", rules=[VISITS], bands=BANDS)
    customer = await hub.create("Hanna")
    await hub.interaction(customer)
    await hub.scores(customer, "points.override")
    until = hub.now + DAY * 3
    override = {"customerId": customer, "model": "points.override", "value": "99", "reason": "A friend of the house."}
    data = await hub.client.query(OVERRIDE, {"input": {**override, "expiresAt": until.isoformat()}})
    assert data["scoreOverride"]["score"] == {
        "value": "99.0000",
        "band": "HIGH",
        "reasons": [{"rule": "override", "points": "99.0000"}],
        "overrideReason": "A friend of the house.",
        "expiresAt": until.isoformat(),
    }
    await hub.interaction(customer)
    assert [score["value"] for score in await hub.scores(customer, "points.override")] == ["99.0000"]
    await hub.advance(until)
    (score,) = await hub.scores(customer, "points.override")
    assert (score["value"], score["overrideReason"], score["computedAt"]) == ("10.0000", None, until.isoformat())
    error = await hub.client.error(OVERRIDE, {"input": override})
    assert (error["code"], error["argument"]) == ("ARGUMENT_MISSING", "input.expiresAt")


async def test_an_override_can_be_taken_back(hub: ScoringHub) -> None:
    await hub.activate("points.taken", rules=[VISITS])
    customer = await hub.create("Ida")
    override = {"customerId": customer, "model": "points.taken"}
    error = await hub.client.error(OVERRIDE, {"input": override})
    assert error["code"] == "NOT_FOUND"
    values = {"value": "1", "reason": "Why not.", "expiresAt": (hub.now + DAY * 900).isoformat()}
    await hub.client.query(OVERRIDE, {"input": {**override, **values}})
    assert (await hub.client.query(OVERRIDE, {"input": override}))["scoreOverride"] == {"score": None}
    assert await hub.scores(customer, "points.taken") == []


async def test_a_customer_reads_scores_of_public_models_alone(hub: ScoringHub) -> None:
    customer, other = await hub.create("Jana"), await hub.create("Karla")
    for somebody in (customer, other):
        await hub.interaction(somebody)
    await hub.activate("points.public", rules=[VISITS], audience="CUSTOMER")
    await hub.activate("points.inside", rules=[VISITS])
    key = await create_api_key(hub.client.dsn, Role.READER, customer_id=UUID(customer.removeprefix("cus_")))
    seen = await hub.client.query("{ scores { nodes { model value reasons } } }", key=key)
    (score,) = seen["scores"]["nodes"]
    assert (score["model"], score["value"], score["reasons"][0]["points"]) == ("points.public", "5.0000", "5.0000")
    for hidden in ("scoreModels", "scoreRules"):
        assert (await hub.client.execute(f"{{ {hidden} {{ totalCount }} }}", key=key))["data"] == {
            hidden: {"totalCount": 0}
        }


async def test_the_hub_records_what_it_computes_alone(hub: ScoringHub) -> None:
    await hub.activate("points.own", rules=[VISITS])
    customer = await hub.create("Lena")
    error = await hub.client.error(RECORD, {"input": {"customerId": customer, "model": "points.own", "value": "1"}})
    assert (error["code"], error["argument"]) == ("SCORE_COMPUTED", "input.model")
    await hub.record(customer, "churn.risk", "0.5")
    definition = {"code": "churn.risk", "name": "Churn", "rules": [VISITS]}
    error = await hub.client.error(CREATE, {"input": definition})
    assert (error["code"], error["argument"]) == ("SCORE_MODEL_INVALID", "input.code")


async def test_a_second_run_writes_nothing_and_a_revision_replaces(hub: ScoringHub) -> None:
    model = await hub.activate("points.twice", rules=[VISITS])
    customer = await hub.create("Mona")
    await hub.interaction(customer)
    await hub.settle()
    before = await hub.connection.fetchval("select count(*) from change_log where table_name = 'scores'")
    run_again = "update score_models set computes_at = $2 where id = $1"
    await hub.connection.execute(run_again, UUID(model.removeprefix("scm_")), hub.now)
    await hub.settle()
    assert before == await hub.connection.fetchval("select count(*) from change_log where table_name = 'scores'")
    await hub.activate("points.twice", rules=[{**VISITS, "points": "7"}])
    (score,) = await hub.scores(customer, "points.twice")
    assert (Decimal(score["value"]), score["scoreModel"]) == (7, {"revision": 2})
    assert await hub.stored() == await hub.computed()
