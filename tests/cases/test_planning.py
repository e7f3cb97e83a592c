"""Checking and planning documents: it leaves others their turn, and nothing behind for the garbage collector."""

import asyncio
import gc
import threading
from functools import partial

import pytest
from conftest import create_api_key
from writer_client import HubClient

from hub import graph
from hub.engine.document.documents import Document, DocumentStore, InvalidDocument
from hub.engine.document.limits import Limits
from hub.engine.execution.queries import CompiledQuery, compile_query
from hub.engine.plan.operations import OperationPlanner
from hub.engine.planning_turns import BURST, RATE, Budget, PlanningTurns
from hub.rights import rights_of

CACHED = "{ orgUnits(first: 1) { totalCount } }"
DISTINCT = "query Distinct%d { customers(first: 1) { nodes { id name } } }"


# -- X3 ---------------------------------------------------------------------------------------------------------------------


def document_text(number: int) -> str:
    return f"query Q{number} {{ customers {{ nodes {{ id n{number}: name orders {{ nodes {{ net }} }} }} }} }}"


def invalid_text(number: int) -> str:
    return f"query Q{number} {{ customers {{ nodes {{ nome n{number}: id }} }} }}"


def syntax_error_text(number: int) -> str:
    return document_text(number)[:-1]


def test_x3_documents_and_plans_that_are_evicted_leave_no_cycles() -> None:
    schema = graph.build()
    documents = DocumentStore(schema.core, Limits(), 0)

    def compiled(number: int) -> tuple[Document | InvalidDocument | CompiledQuery, ...]:
        document = documents.check(document_text(number))
        assert isinstance(document, Document)
        operation = document.operation(None)
        planner = OperationPlanner(schema, {}, operation.fragments, Limits(), rights_of("unrestricted"))
        query = compile_query(
            planner.plan_query(operation.node.selection_set), rights_of("unrestricted"), schema.catalog.customer_type
        )
        refused = documents.check(invalid_text(number)), documents.check(syntax_error_text(number))
        return document, query, *refused

    compiled(0)
    gc.collect()
    gc.disable()
    try:
        cached = [compiled(number) for number in range(1, 11)]
        gc.collect()  # what lived only as long as a document was checked
        cached.clear()
        assert gc.collect() == 0
    finally:
        gc.enable()


# -- X10 --------------------------------------------------------------------------------------------------------------------


async def test_x10_documents_of_one_key_leave_others_the_event_loop(
    northwind_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await create_api_key(northwind_client.dsn), await create_api_key(northwind_client.dsn)
    await northwind_client.query(CACHED, key=other)
    check, reached, gate = DocumentStore.check, threading.Event(), threading.Event()

    def held_up(documents: DocumentStore, text: str) -> Document | InvalidDocument:
        reached.set()
        assert gate.wait(30)
        return check(documents, text)

    monkeypatch.setattr(DocumentStore, "check", held_up)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(northwind_client.query(DISTINCT % number, key=one)) for number in range(4)]
        await asyncio.to_thread(reached.wait, 30)
        assert await northwind_client.query(CACHED, key=other)
        assert not any(task.done() for task in tasks)
        gate.set()


async def test_x10_flows_take_turns_and_every_document_is_planned_once() -> None:
    turns, gate, order = PlanningTurns(), threading.Event(), list[str]()
    stored: dict[str, str] = {}

    def create(name: str) -> str:
        assert gate.wait(30)
        order.append(name)
        return name

    def requested(flow: str, name: str) -> asyncio.Task[str]:
        store = partial(stored.__setitem__, name)
        return asyncio.create_task(turns.create(flow, lambda: stored.get(name), lambda: create(name), store))

    tasks = [requested("a", "a1"), requested("a", "a2"), requested("a", "a3"), requested("b", "b1")]
    tasks += [requested("c", "a2"), requested("c", "c2")]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*tasks) == ["a1", "a2", "a3", "b1", "a2", "c2"]
    assert order[:2] == ["a1", "b1"]
    assert sorted(order) == ["a1", "a2", "a3", "b1", "c2"]


async def test_x10_what_is_cancelled_holds_its_turn_until_the_thread_is_free() -> None:
    turns, started, gate, order = PlanningTurns(), threading.Event(), threading.Event(), list[str]()

    def create(name: str) -> str:
        started.set()
        assert gate.wait(30)
        order.append(name)
        return name

    stored = list[str]()
    first = asyncio.create_task(turns.create("a", lambda: None, lambda: create("a"), stored.append))
    await asyncio.to_thread(started.wait, 30)
    first.cancel()
    second = asyncio.create_task(turns.create("b", lambda: None, lambda: create("b"), stored.append))
    with pytest.raises(asyncio.CancelledError):
        await first
    assert order == []
    gate.set()
    assert await second == "b"
    assert (order, stored) == (["a", "b"], ["a", "b"])


def test_x10_a_flow_that_has_spent_its_budget_waits_as_long_as_it_takes_to_refill() -> None:
    budget = Budget(BURST, 0.0)
    budget.seconds -= BURST + 0.1
    assert budget.refill(0.0) == pytest.approx(0.1 / RATE)
    assert budget.refill(1.0) == pytest.approx(0.1 / RATE - 1.0)
    assert budget.refill(1_000.0) == 0.0
    assert budget.seconds == BURST
