"""What the hub tells of itself: health, readiness, metrics, log lines."""

from collections.abc import AsyncIterator

import httpx2
import orjson
import pytest
from fake_engine_hub import BEARER, Hub, heard

from hub.observability import Failed, LeadTaken, Log, Placed, RequestDone
from hub.settings import Settings


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    made = Hub(Settings())
    with heard(made):
        yield made


@pytest.fixture
async def client(hub: Hub) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(hub.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=BEARER) as opened:
        yield opened


async def test_health_and_readiness(client: httpx2.AsyncClient, hub: Hub) -> None:
    del client.headers["authorization"]
    healthy, ready = await client.get("/healthz"), await client.get("/readyz")
    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})
    assert healthy.headers["cache-control"] == "no-store"
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    refused = await client.post("/healthz")
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]) == (405, {"code": "METHOD_NOT_ALLOWED"})


async def test_a_hub_without_its_database_is_healthy_and_not_ready(client: httpx2.AsyncClient, hub: Hub) -> None:
    hub.unready = "the database is not at revision 7"
    assert (await client.get("/healthz")).status_code == 200
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unready", "reason": hub.unready})


async def test_metrics_count_what_was_answered(client: httpx2.AsyncClient) -> None:
    await client.post("/graphql", json={"query": "{ echo }"})
    await client.post("/graphql", json={"query": "{ nothing }"})
    lines = (await client.get("/metrics")).text.splitlines()
    assert 'hub_requests_total{code="",operation="query",status="200"} 1.0' in lines
    assert 'hub_requests_total{code="GRAPHQL_INVALID",operation="none",status="200"} 1.0' in lines
    assert 'hub_request_seconds_count{operation="query"} 1.0' in lines
    assert 'hub_stage_seconds_total{stage="sql"} 0.0015' in lines
    assert "hub_statements_total 1.0" in lines


def test_metrics_tell_of_positions(hub: Hub) -> None:
    hub.metrics(LeadTaken(0))
    hub.metrics(Placed(3, 0.5))
    hub.metrics(Placed(1, 0.25))
    lines = hub.metrics.text().decode().splitlines()
    assert "hub_leads_taken_total 1.0" in lines
    assert "hub_changes_placed_total 4.0" in lines
    assert "hub_change_lag_seconds_total 0.75" in lines


def test_labels_are_a_closed_set(hub: Hub) -> None:
    before = 0
    for n in range(50):
        hub.metrics(RequestDone("", f"o{n}", f"n{n}", 200, f"C{n}", f"k{n}", 0.1, 1, ((f"s{n}", 1.0),)))
        before = before or len(hub.metrics.text())
    assert len(hub.metrics.text()) - before < 50


async def test_metrics_can_be_switched_off() -> None:
    made = Hub(Settings(metrics=False))
    transport = httpx2.ASGITransport(made.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
        assert (await client.get("/metrics")).status_code == 404


async def test_a_request_is_told_once_with_all_that_matters(client: httpx2.AsyncClient, hub: Hub) -> None:
    await client.post("/graphql", json={"query": "query Find { echo }"}, headers={"x-request-id": "abc"})
    (done,) = hub.requests
    assert 0 < done.seconds < 1
    assert done._replace(seconds=0.0) == RequestDone(
        "abc", "query", "Find", 200, "", "00000001", 0.0, 1, (("parse", 0.25), ("sql", 1.5))
    )


async def test_a_log_line_is_json_without_the_key(
    client: httpx2.AsyncClient, hub: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    log = Log()
    await client.post("/graphql", json={"query": "query Find { echo }"}, headers={"x-request-id": "abc"})
    log(hub.requests[0])
    log(Failed("abc", "here", ValueError("bad")))
    told, failed = map(orjson.loads, capfd.readouterr().err.splitlines())
    told.pop("timestamp"), told.pop("ms")
    assert told == {
        "event": "request",
        "level": "info",
        "request_id": "abc",
        "operation": "query",
        "name": "Find",
        "status": 200,
        "code": "",
        "key": "00000001",
        "statements": 1,
    }
    assert failed["level"] == "error"
    assert "ValueError: bad" in failed["exception"]
