"""Which mutations run as one statement, and that the command of every other one runs once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import asyncpg
import pytest
from writer_client import HubClient

from hub import graph
from hub.db.pool import Connection
from hub.db.transaction import execute_single_statement
from hub.engine.execution import mutations
from hub.engine.graphql_types.mutation_types import CommandResult, MutationField
from hub.viewer import Viewer

NUMBERS = count()  # no two documents are equal, since plans of mutations are cached
CUSTOMER = '{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { id } }'
IDENTIFIER = {"kind": "EXTERNAL_ID", "value": "QUICK", "source": "northwind"}
CALL = {"channel": "PHONE", "direction": "INBOUND", "kind": "call.taken"}
PRODUCT = {"name": "Tea", "category": "Beverages", "unitPrice": "4", "currency": "EUR"}


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each command ran, and how many operations ran as one statement."""
    counted: Counter[str] = Counter()
    fields = graph.build().mutations
    assert isinstance(fields, dict)
    for name, field in fields.items():
        monkeypatch.setitem(fields, name, _counting(field, counted))

    async def counting(*arguments: Any) -> bytes | None:
        counted["single statement"] += 1
        return await execute_single_statement(*arguments)

    monkeypatch.setattr(mutations, "execute_single_statement", counting)
    return counted


def _counting(field: MutationField, counted: Counter[str]) -> MutationField:
    async def call(tx: Connection, viewer: Viewer, arguments: Mapping[str, Any], now: datetime) -> CommandResult:
        counted[field.name] += 1
        return await field.call(tx, viewer, arguments, now)

    return replace(field, call=call)


@pytest.mark.parametrize(
    ("mutation", "row", "values"),
    [
        ("interactionRecord", "interaction", CALL),
        ("contactCreate", "contact", {"name": "Ada"}),
        ("addressCreate", "address", {"kind": "MAIN", "street": "1 High Street", "city": "London"}),
        ("orderCreate", "order", {"number": "S1", "currency": "EUR"}),
    ],
)
async def test_a_single_insert_is_one_statement(
    northwind_client: HubClient, counts: Counter[str], mutation: str, row: str, values: dict[str, Any]
) -> None:
    customer = (await northwind_client.query(CUSTOMER))["customerBy"]["id"]
    await _run(northwind_client, mutation, row, {"customerId": customer, **values})
    assert counts == {mutation: 1, "single statement": 1}


@pytest.mark.parametrize(
    ("mutation", "row", "values"),
    [
        ("interactionRecord", "interaction", {"identifier": IDENTIFIER, **CALL}),
        ("contactCreate", "contact", {"name": "Ada", "points": [{"kind": "EMAIL", "value": "ada@example.net"}]}),
        ("orderCreate", "order", {"number": "S2", "currency": "EUR", "identifier": IDENTIFIER}),
        ("productUpsert", "product", {"by": {"sku": "S3"}, **PRODUCT}),
        ("customerUpdate", "customer", {"tier": "GOLD"}),
        ("customerStageMove", "customer", {"stage": "LOST", "reason": "Moved away."}),
    ],
)
async def test_the_command_of_any_other_mutation_runs_once(
    northwind_client: HubClient, counts: Counter[str], mutation: str, row: str, values: dict[str, Any]
) -> None:
    customer = (await northwind_client.query(CUSTOMER))["customerBy"]["id"]
    key = {"customerUpdate": "id", "customerStageMove": "id", "contactCreate": "customerId"}.get(mutation)
    await _run(northwind_client, mutation, row, {**({} if key is None else {key: customer}), **values})
    assert counts == {mutation: 1}


async def test_a_refused_insert_runs_once_more_to_name_its_argument(
    northwind_client: HubClient, counts: Counter[str]
) -> None:
    document = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
    contact = {"customerId": f"cus_{0:032x}", "name": "Ada"}
    error = await northwind_client.error(document, {"input": contact})
    assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.customerId")
    assert counts == {"contactCreate": 2, "single statement": 1}


RECORD = """mutation Long($input: InteractionRecordInput!, $key: String) {
    interactionRecord(input: $input, idempotencyKey: $key) { interaction { body } } }"""


async def test_a_statement_learns_how_much_keystream_its_answers_need(
    northwind_client: HubClient, counts: Counter[str], connection: asyncpg.Connection
) -> None:
    customer = (await northwind_client.query(CUSTOMER))["customerBy"]["id"]
    runs = []
    for number, length in enumerate((100, 400, 700, 5_000, 700, 40_000, 5_000)):
        body = "Nägel " + "x" * length
        variables = {"input": {"customerId": customer, **CALL, "body": body}, "key": f"long {number}"}
        before = counts["interactionRecord"]
        first = await northwind_client.execute(RECORD, variables)
        runs.append(counts["interactionRecord"] - before)
        assert first["data"]["interactionRecord"]["interaction"]["body"] == body
        assert await northwind_client.execute(RECORD, variables) == first
    assert runs == [1, 1, 2, 2, 1, 2, 1]
    stored = [row["answer"] for row in await connection.fetch("select answer from idempotency_records")]
    assert not any(b"xxxxx" in answer for answer in stored)
    assert len({answer[:12] for answer in stored}) == len(stored) == 7  # each has a nonce of its own


async def _run(client: HubClient, mutation: str, row: str, values: dict[str, Any]) -> None:
    name = f"{mutation[0].upper()}{mutation[1:]}Input"
    document = (
        f"mutation Run{next(NUMBERS)} ($input: {name}!) {{ {mutation}(input: $input) {{ {row} {{ id version }} }} }}"
    )
    await client.query(document, {"input": values})
