"""What the hub tells of itself: health, readiness, metrics, log lines."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import orjson
import pytest
from fake_engine_hub import BEARER, FakeEngineHub, capture_events

from hub.event_log import Log
from hub.observability import ChangesSequenced, InternalFailure, LeadershipAcquired, RequestDone, WorkerStarted
from hub.settings import Settings
from hub.web.metrics import WORKER_FILES, Metrics


@pytest.fixture
async def fake_hub() -> AsyncIterator[FakeEngineHub]:
    fake_hub = FakeEngineHub(Settings())
    with capture_events(fake_hub):
        yield fake_hub


@pytest.fixture
async def fake_hub_client(fake_hub: FakeEngineHub) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(fake_hub.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub", headers=BEARER) as opened:
        yield opened


async def test_health_and_readiness(fake_hub_client: httpx2.AsyncClient, fake_hub: FakeEngineHub) -> None:
    del fake_hub_client.headers["authorization"]
    healthy, ready = await fake_hub_client.get("/healthz"), await fake_hub_client.get("/readyz")
    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})
    assert healthy.headers["cache-control"] == "no-store"
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    refused = await fake_hub_client.post("/healthz")
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]) == (405, {"code": "METHOD_NOT_ALLOWED"})


async def test_a_hub_without_its_database_is_healthy_and_not_ready(
    fake_hub_client: httpx2.AsyncClient, fake_hub: FakeEngineHub
) -> None:
    fake_hub.not_ready_reason = "the database is not at revision 7"
    assert (await fake_hub_client.get("/healthz")).status_code == 200
    answer = await fake_hub_client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unready", "reason": fake_hub.not_ready_reason})


def saved_counts(folder: Path) -> Path:
    """The one file of counts in a folder."""
    (file,) = folder.iterdir()
    return file


async def test_a_hub_without_its_worker_is_ready_and_says_so(tmp_path: Path) -> None:
    fake_hub = FakeEngineHub(Settings(), metrics=Metrics(tmp_path, has_worker=True))
    worker = Metrics(tmp_path, WORKER_FILES)
    worker(WorkerStarted())
    worker.save()
    saved = saved_counts(tmp_path)
    transport = httpx2.ASGITransport(fake_hub.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        lines = (await client.get("/metrics")).text.splitlines()
        assert {"hub_worker_up 1.0", "hub_worker_starts_total 1.0"} <= set(lines)
        os.utime(saved, (0, 0))  # it has not saved its counts for long
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "worker": "down"})
        assert "hub_worker_up 0.0" in (await client.get("/metrics")).text.splitlines()


async def test_metrics_count_what_was_answered(fake_hub_client: httpx2.AsyncClient) -> None:
    await fake_hub_client.post("/graphql", json={"query": "{ echo }"})
    await fake_hub_client.post("/graphql", json={"query": "{ nothing }"})
    lines = (await fake_hub_client.get("/metrics")).text.splitlines()
    assert 'hub_requests_total{code="",operation="query",status="200"} 1.0' in lines
    assert 'hub_requests_total{code="GRAPHQL_INVALID",operation="none",status="200"} 1.0' in lines
    assert 'hub_request_seconds_count{operation="query"} 1.0' in lines
    assert 'hub_stage_seconds_total{stage="sql"} 0.0015' in lines
    assert "hub_statements_total 1.0" in lines


def test_metrics_count_sequenced_changes(fake_hub: FakeEngineHub) -> None:
    fake_hub.metrics(LeadershipAcquired(0))
    fake_hub.metrics(ChangesSequenced(3, 0.5))
    fake_hub.metrics(ChangesSequenced(1, 0.25))
    lines = fake_hub.metrics.exposition().decode().splitlines()
    assert "hub_leadership_acquired_total 1.0" in lines
    assert "hub_changes_sequenced_total 4.0" in lines
    assert "hub_change_lag_seconds_total 0.75" in lines


def test_labels_are_a_closed_set(fake_hub: FakeEngineHub) -> None:
    before = 0
    for n in range(50):
        fake_hub.metrics(RequestDone("", f"o{n}", f"n{n}", 200, f"C{n}", f"k{n}", 0.1, 1, ((f"s{n}", 1.0),)))
        before = before or len(fake_hub.metrics.exposition())
    assert len(fake_hub.metrics.exposition()) - before < 50


async def test_metrics_can_be_switched_off() -> None:
    fake_hub = FakeEngineHub(Settings(metrics=False))
    transport = httpx2.ASGITransport(fake_hub.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
        assert (await client.get("/metrics")).status_code == 404


async def test_a_request_emits_one_complete_event(fake_hub_client: httpx2.AsyncClient, fake_hub: FakeEngineHub) -> None:
    await fake_hub_client.post("/graphql", json={"query": "query Find { echo }"}, headers={"x-request-id": "abc"})
    (done,) = fake_hub.requests
    assert 0 < done.seconds < 1
    assert done._replace(seconds=0.0) == RequestDone(
        "abc", "query", "Find", 200, "", "00000001", 0.0, 1, (("parse", 0.25), ("sql", 1.5))
    )


async def test_a_log_line_is_json_without_the_key(
    fake_hub_client: httpx2.AsyncClient, fake_hub: FakeEngineHub, capfd: pytest.CaptureFixture[str]
) -> None:
    log = Log()
    await fake_hub_client.post("/graphql", json={"query": "query Find { echo }"}, headers={"x-request-id": "abc"})
    log(fake_hub.requests[0])
    log(InternalFailure("abc", "here", ValueError("bad")))
    request_line, failure_line = map(orjson.loads, capfd.readouterr().err.splitlines())
    request_line.pop("timestamp"), request_line.pop("ms")
    assert request_line == {
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
    assert failure_line["level"] == "error"
    assert "ValueError: bad" in failure_line["exception"]
