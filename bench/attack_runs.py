"""Measures how much one key can slow down the others: `python -m bench attacks`.

Another key asks for single customers, first alone and then beside each attack; the ratio of its latencies is what counts.
Attacks with a budget are sent by a key whose cost points run out; without pauses, as no honest client would."""

import asyncio
import http.client
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import load
from bench.children import GRAPHQL_PATH, HOST, BenchmarkError, child_process, free_port, http_request, wait_until_ready
from bench.hub_source import WORKING_TREE
from bench.streams import create_keys, customer_ids, resident_memory
from bench.workloads import hub_customer_id
from hub.client_limits import CostBudget
from hub.domain.access import api_keys
from hub.viewer import Role

CONNECTIONS = (1, 6, 20)
POINT_QUERY = "query ($id: ID!) { customer(id: $id) { id name stage } }"
POINT_CONNECTIONS = 2  # of the other key
WARM_UP = 1.0  # seconds of an attack before the other key is measured
READY = "sending"  # what an attack prints when it begins
PLANNING = "distinct documents"
POINTS, PAGES = "single customers", "large pages"
MEMORY = "memory"  # not an attack beside the other key: documents one after the other
SEARCH = "search for two letters"
PATIENT = "search within a budget, with pauses"  # from a client that comes back when it is told to
# From a key whose budget allows a tenth of a connection.
BUDGETED = {f"{name} within a budget": name for name in (SEARCH, PAGES, POINTS, PLANNING)} | {PATIENT: SEARCH}
BUDGET = CostBudget(500, 100)
BUDGET_SECONDS = 15.0  # a turn beside such an attack is at least this long: one search uses up the points of 12 seconds
RATIO, BUDGETED_RATIO, MEMORY_GROWTH = 2.0, 1.3, 0.1  # the aims: p95 beside an attack to alone, memory to memory
DOCUMENTS = (20_000, 60_000)  # after which the memory is read
# Statements that read much of the database. Some are refused (COST_LIMIT); the others must leave other keys their pace.
SCANS = {
    "chain of every and none": "{customers(filter:{orders:{every:{items:{every:{product:{items:{none:{order:{customer:"
    '{orders:{none:{freight:{gt:"999"}}}}}}}}}}}}},first:5){totalCount}}',
    "every of every": '{customers(filter:{orders:{every:{items:{every:{net:{gt:"1"}}}}}},first:5){totalCount}}',
    "contains on large texts": '{interactions(filter:{body:{contains:"qzx"}},first:5){totalCount}}',
    SEARCH: '{customers(search:"an",first:5){totalCount nodes{name}}}',
    "order by an aggregate": "{customers(orderBy:{interactions:{by:COUNT},direction:DESC},first:5){nodes{name}}}",
    "groups of everything": "{interactionsGrouped(by:{field:KIND},first:100){nodes{stats{count}}}}",
    "changes without a match": '{changes(filter:{types:[PRODUCT],product:{name:{eq:"none"}}},first:100){__typename}}',
}

READS = SCANS | {
    POINTS: "{customers(first:1){nodes{id name stage}}}",
    PAGES: "{customers(first:100){nodes{id name interactions(first:40){nodes{id kind subject body occurredAt}}}}}",
}
# What may refuse an attack; any other error would mean that the attack itself is wrong.
REFUSALS = {"COST_LIMIT", "STATEMENT_TIMEOUT", "OPERATION_LIMIT", "THROTTLED", "UNAVAILABLE", "REQUEST_TIMEOUT"}
ATTACKS = (*READS, PLANNING, *BUDGETED, MEMORY)


@dataclass(frozen=True)
class AttackResult:
    """The other key's latencies in ms, alone and beside an attack."""

    attack: str
    connections: int
    alone: tuple[float, float]
    beside: tuple[float, float]
    ratio: float  # of the p95, beside the attack to alone

    def __str__(self) -> str:
        alone, beside = (f"p50 {p50:.1f} p95 {p95:.1f}" for p50, p95 in (self.alone, self.beside))
        limit = BUDGETED_RATIO if self.attack in BUDGETED else RATIO
        return (
            f"{self.attack}, {self.connections} connections: alone {alone}, beside it {beside} ms;"
            f" p95 × {self.ratio:.2f} (less than {limit:g}: {'yes' if self.ratio < limit else 'NO'})"
        )


def run(dsn: str, folder: Path, rounds: int, seconds: float, attacks: Sequence[str] = ATTACKS) -> Iterator[str]:
    """The result of each attack as medians of rounds, then the memory after many distinct documents."""
    new_keys = [api_keys.NewKey(name, Role.READER) for name in ("other", "attacker", "budgeted")]
    other, attacker, budgeted = asyncio.run(create_keys(dsn, new_keys))
    WORKING_TREE.run(
        dsn,
        "key",
        "limit",
        budgeted.split("_")[1],
        f"--capacity={BUDGET.capacity}",
        f"--refill={BUDGET.refill_per_second}",
    )
    customers = asyncio.run(customer_ids(dsn, 500))
    bodies = [json.dumps({"query": POINT_QUERY, "variables": {"id": hub_customer_id(key)}}) for key in customers]
    requests = [http_request(GRAPHQL_PATH, body.encode(), other) for body in bodies]
    port, log = free_port(), folder / "attacks-hub.log"
    command = WORKING_TREE.command("serve", "--port", str(port))
    with child_process(command, WORKING_TREE.environment(dsn), log, WORKING_TREE.root) as process:
        wait_until_ready(process, (HOST, port), GRAPHQL_PATH, other, log)
        _latencies(port, requests, seconds)
        for attack, connections in itertools.product([name for name in attacks if name != MEMORY], CONNECTIONS):
            key, turn = (budgeted, max(seconds, BUDGET_SECONDS)) if attack in BUDGETED else (attacker, seconds)
            alone, beside = [], []
            for _ in range(rounds):
                alone.append(_latencies(port, requests, seconds))
                with _attacking(folder, dsn, _attack_command(port, key, attack, connections)):
                    beside.append(_latencies(port, requests, turn))
            ratio = median(after[1] / before[1] for before, after in zip(alone, beside, strict=True))
            yield str(AttackResult(attack, connections, _medians(alone), _medians(beside), ratio))
        if MEMORY in attacks:
            yield from _memory(process.pid, port, attacker)


@contextmanager
def _attacking(folder: Path, dsn: str, command: list[str]) -> Iterator[None]:
    """Runs an attack during the block; raises BenchmarkError if it ends by itself."""
    log = folder / "attacks-client.log"
    with child_process(command, WORKING_TREE.environment(dsn), log, WORKING_TREE.root) as client:
        while READY not in log.read_text() and client.poll() is None:
            time.sleep(0.05)
        time.sleep(WARM_UP)
        yield
        if client.poll() is not None:
            raise BenchmarkError(f"an attack ended: {log.read_text()[-2000:]}")


def _medians(latencies: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return median(p50 for p50, _ in latencies), median(p95 for _, p95 in latencies)


def _memory(pid: int, port: int, key: str) -> Iterator[str]:
    """The hub's memory after so many distinct documents, and how much it differs."""
    sizes, sent = [], 0
    for total in DOCUMENTS:
        _send_documents(port, key, sent, total)
        sent = total
        sizes.append(resident_memory(pid))
        yield f"{total:,} distinct documents: {sizes[-1]:.0f} MiB"
    growth = sizes[-1] / sizes[0] - 1
    yield f"difference: {growth:+.1%} (less than {MEMORY_GROWTH:.0%}: {'yes' if abs(growth) < MEMORY_GROWTH else 'NO'})"


def _latencies(port: int, requests: list[bytes], seconds: float) -> tuple[float, float]:
    """Median and 95th percentile of the other key's latencies, in ms."""
    result = load.run((HOST, port), requests, seconds, POINT_CONNECTIONS)
    return result.percentile(0.5), result.percentile(0.95)


def _attack_command(port: int, key: str, attack: str, connections: int) -> list[str]:
    return [sys.executable, "-m", "bench.attack_runs", str(port), key, attack, str(connections)]


def _send_documents(port: int, key: str, first: int, last: int) -> None:
    """Send distinct documents, one after the other: small ones, because their number counts and each is planned anew."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    for number in range(first, last):
        _post(connection, key, _distinct_document(number, fields=12))
    connection.close()


def _distinct_document(number: int, fields: int = 450) -> str:
    """A document near the limits, different for each number, that the hub has to check and to plan."""
    lists = "customers(first: 1) {{ nodes {{ {} }} }}"
    columns = ("id", "name", "stage", "kind", "status", "tier", "country", "createdAt", "updatedAt", "version")
    per_list = len(columns) + 2
    return (
        f"query Q{number} {{"
        + " ".join(
            f"l{n}_{number}: {lists.format(' '.join(columns))}" for n in range(min(18, max(1, fields // per_list)))
        )
        + "}"
    )


def _post(connection: http.client.HTTPConnection, key: str, query: str) -> float:
    """Sends one operation; returns the seconds after which the answer says to come back, 0 if it does not say.

    Raises BenchmarkError if the hub refuses it for a reason that is not in REFUSALS."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", GRAPHQL_PATH, json.dumps({"query": query}), headers)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        connection.close()
        return 0.0
    if "errors" not in answer:
        return 0.0
    extensions = answer["errors"][0]["extensions"]
    if extensions["code"] not in REFUSALS:
        raise BenchmarkError(f"the hub refuses an attack: {answer['errors'][0]['message']}")
    return float(extensions.get("retryAfter", 0))


def _attack(port: int, key: str, attack: str, connections: int) -> None:
    """Keep connections busy until the process is stopped; what is refused is sent again."""
    numbers, read = itertools.count(time.time_ns() % 10**9 * 1_000), BUDGETED.get(attack, attack)

    def keep_busy() -> None:
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        while True:
            query = _distinct_document(next(numbers)) if read == PLANNING else READS[read]
            seconds = _post(connection, key, query)
            if attack == PATIENT:
                time.sleep(seconds)

    with ThreadPoolExecutor(connections) as threads:
        busy = [threads.submit(keep_busy) for _ in range(connections)]
        print(READY, flush=True)
        for thread in as_completed(busy):
            try:
                thread.result()
            except BenchmarkError as error:
                print(error, flush=True)
            os._exit(1)


if __name__ == "__main__":
    _attack(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
