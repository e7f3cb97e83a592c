"""Random writes and live queries while hubs restart: in the end each live query equals a query of the same list."""

import asyncio
import signal
from datetime import UTC, datetime
from itertools import islice

import pytest
from change_workload import open_connections, wait_until_sequenced
from conftest import create_api_key
from hub_process import HubProcesses, run_hubs
from live_query_workload import LiveListSubscriber, RandomWriter, generate_live_queries, live_query_differences
from oracle.data import load
from reconnecting_subscriber import run_subscribers
from socket_hub import run_socket_hub

from hub.engine.execution import subscriptions
from hub.engine.plan.dependencies import TableDependencies
from hub.graph import build as build_graph

WRITES = 60  # statements between two restarts, and at the end
COST_LIMIT = 100_000  # the cost limit: lists are generated within a budget of rows, not of estimated cost
TERM, KILL = signal.SIGTERM, signal.SIGKILL
RESTARTS = {"graceful": [TERM], "brutal": [KILL], "rolling": [TERM, TERM], "mixed": [TERM, KILL]}


async def restart_hubs(processes: HubProcesses, how: str) -> None:
    """Restarts hubs one after the other, or several at once."""
    restarts = [processes.restart(port, number) for port, number in zip(processes.ports, RESTARTS[how], strict=False)]
    if how == "mixed":
        await asyncio.gather(*restarts)
        return
    for restart in restarts:
        await restart


@pytest.mark.parametrize(
    ("lists", "ways"),
    [(30, ["mixed"]), pytest.param(90, [*RESTARTS] * 10, marks=pytest.mark.soak)],
    ids=["short", "long"],
)
async def test_every_live_query_ends_with_the_answer_of_its_query(
    northwind_dsn: str, seed: int, lists: int, ways: list[str]
) -> None:
    graph, key = build_graph(), await create_api_key(northwind_dsn)
    data = await load(northwind_dsn, graph.catalog)
    live_queries = islice(generate_live_queries(graph, data, datetime.now(UTC), str(seed)), lists)
    async with (
        run_hubs(northwind_dsn, 2, cost_limit=COST_LIMIT) as processes,
        open_connections(northwind_dsn, 1) as (connection,),
    ):
        ports = processes.ports
        subscribers = [
            LiveListSubscriber([ports[n % 2], ports[1 - n % 2]], key, live_query=live_list)
            for n, live_list in enumerate(live_queries)
        ]
        random_writer = RandomWriter(connection, graph.catalog, str(seed))
        async with run_subscribers(subscribers):
            before = [live_list.latest for live_list in subscribers]
            for how in [*ways, "end"]:
                restarting = asyncio.create_task(restart_hubs(processes, how) if how in RESTARTS else asyncio.sleep(0))
                for _ in range(WRITES):
                    await random_writer.write_once()
                    await asyncio.sleep(0.01)
                await restarting
            async with asyncio.timeout(30):
                while (
                    sum(live_list.latest != answer for live_list, answer in zip(subscribers, before, strict=True))
                    < lists // 4
                ):
                    await random_writer.write_once()
                    await asyncio.sleep(0.01)
            await wait_until_sequenced(connection)
            different = await live_query_differences(subscribers, processes.ports[0], key)
    assert different == []


async def test_wrong_table_dependencies_are_detected(
    northwind_dsn: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        subscriptions, "table_dependencies", lambda _: TableDependencies(frozenset({"staff"}), frozenset())
    )
    async with run_socket_hub(northwind_dsn, cost_limit=COST_LIMIT) as hub:
        graph = build_graph()
        live_queries = islice(
            generate_live_queries(graph, await load(northwind_dsn, graph.catalog), datetime.now(UTC), str(seed)), 10
        )
        subscribers = [LiveListSubscriber([hub.port], hub.key, live_query=live_query) for live_query in live_queries]
        random_writer = RandomWriter(hub.connection, graph.catalog, str(seed))
        async with run_subscribers(subscribers), asyncio.timeout(60):
            # Random writes may not affect the lists: repeat until one does.
            different = False
            while not different:
                for _ in range(WRITES):
                    await random_writer.write_once()
                await wait_until_sequenced(hub.connection)
                different = bool(await live_query_differences(subscribers, hub.port, hub.key, seconds=2))
