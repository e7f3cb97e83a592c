"""The workloads, with one document per contender, and the comparable form of answers.

All documents of a workload request the same facts in the same order; only names and the syntax of lists differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from bench.facts import WorkloadInputs
from bench.load import IDEMPOTENCY_PREFIX

HUB, POSTGRAPHILE, STRAWBERRY = "hub", "PostGraphile 5", "Strawberry + ORM"
CUSTOMER_ID_PREFIX, ID_DIGITS = "cus_", 32
AMOUNTS = ("total", "unitPrice", "value")


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload: its documents by contender, and its variables, in which contenders write ids differently."""

    name: str
    title: str
    documents: Mapping[str, str]
    variables: Callable[[WorkloadInputs, str], list[dict[str, Any]]]
    writes: bool = False

    def bodies(self, inputs: WorkloadInputs, contender: str) -> list[bytes]:
        """The requests' bodies for one contender, in the same order for all contenders."""
        document = self.documents[contender]
        return [
            orjson.dumps({"query": document, "variables": variables}) for variables in self.variables(inputs, contender)
        ]


def hub_customer_id(customer_id: UUID) -> str:
    """A customer's id as the hub writes it."""
    return f"{CUSTOMER_ID_PREFIX}{customer_id.hex}"


def _ids(inputs: WorkloadInputs, contender: str) -> list[dict[str, Any]]:
    return [
        {"id": hub_customer_id(customer_id) if contender == HUB else str(customer_id)}
        for customer_id in inputs.customers
    ]


def _country_stages(inputs: WorkloadInputs, contender: str) -> list[dict[str, Any]]:
    return [{"country": country, "stage": stage} for country, stage in inputs.country_stages]


def _no_variables(inputs: WorkloadInputs, contender: str) -> list[dict[str, Any]]:
    return [{}]


W1 = Workload(
    "W1",
    "one customer by id",
    {
        HUB: """query W1($id: ID!) {
  customer(id: $id) { id name kind status stage tier country language currency createdAt }
}""",
        POSTGRAPHILE: """query W1($id: UUID!) {
  customer(rowId: $id) { id: rowId name kind status stage tier country language currency createdAt }
}""",
        STRAWBERRY: """query W1($id: ID!) {
  customer(id: $id) { id name kind status stage tier country language currency createdAt }
}""",
    },
    _ids,
)

W2 = Workload(
    "W2",
    "360° view of one customer",
    {
        HUB: """query W2($id: ID!) {
  customer(id: $id) {
    id name stage
    contacts(first: 10) { nodes { id name } }
    orders(first: 10) {
      nodes { id number placedAt total items(first: 20) { nodes { quantity unitPrice product { name } } } }
    }
    interactions(first: 20) { nodes { id kind occurredAt subject } }
    scores(first: 20, filter: {current: {eq: true}}) { nodes { model value band } }
  }
}""",
        POSTGRAPHILE: """query W2($id: UUID!) {
  customer(rowId: $id) {
    id: rowId name stage
    contacts(first: 10, orderBy: [NAME_ASC, ROW_ID_ASC]) { nodes { id: rowId name } }
    orders(first: 10, orderBy: [PLACED_AT_DESC, ROW_ID_DESC]) {
      nodes {
        id: rowId number placedAt total
        items(first: 20, orderBy: [LINE_ASC, ROW_ID_ASC]) { nodes { quantity unitPrice product { name } } }
      }
    }
    interactions(first: 20, orderBy: [OCCURRED_AT_DESC, ROW_ID_DESC]) { nodes { id: rowId kind occurredAt subject } }
    scores(first: 20, filter: {current: {equalTo: true}}, orderBy: [COMPUTED_AT_DESC, ROW_ID_DESC]) {
      nodes { model value band }
    }
  }
}""",
        STRAWBERRY: """query W2($id: ID!) {
  customer(id: $id) {
    id name stage
    contacts(first: 10) { id name }
    orders(first: 10) { id number placedAt total items(first: 20) { quantity unitPrice product { name } } }
    interactions(first: 20) { id kind occurredAt subject }
    scores(first: 20, current: true) { model value band }
  }
}""",
    },
    _ids,
)

W3 = Workload(
    "W3",
    "page of 50 customers, each with 3 orders and the latest score",
    {
        HUB: """query W3 {
  customers(first: 50, orderBy: [{field: NAME}]) {
    nodes {
      id name
      orders(first: 3) { nodes { number total placedAt } }
      scores(first: 1) { nodes { model value computedAt } }
    }
  }
}""",
        POSTGRAPHILE: """query W3 {
  customers(first: 50, orderBy: [NAME_ASC, ROW_ID_ASC]) {
    nodes {
      id: rowId name
      orders(first: 3, orderBy: [PLACED_AT_DESC, ROW_ID_DESC]) { nodes { number total placedAt } }
      scores(first: 1, orderBy: [COMPUTED_AT_DESC, ROW_ID_DESC]) { nodes { model value computedAt } }
    }
  }
}""",
        STRAWBERRY: """query W3 {
  customers(first: 50, orderBy: NAME) {
    nodes {
      id name
      orders(first: 3) { number total placedAt }
      scores(first: 1) { model value computedAt }
    }
  }
}""",
    },
    _no_variables,
)

W4 = Workload(
    "W4",
    "filtered count and the first 20",
    {
        HUB: """query W4($country: String!, $stage: Stage!) {
  customers(
    filter: {country: {eq: $country}, stage: {eq: $stage}}, first: 20, orderBy: [{field: CREATED_AT, direction: DESC}]
  ) { totalCount nodes { id name country stage createdAt } }
}""",
        POSTGRAPHILE: """query W4($country: String!, $stage: String!) {
  customers(
    filter: {country: {equalTo: $country}, stage: {equalTo: $stage}}, first: 20, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]
  ) { totalCount nodes { id: rowId name country stage createdAt } }
}""",
        STRAWBERRY: """query W4($country: String!, $stage: String!) {
  customers(country: $country, stage: $stage, first: 20, orderBy: NEWEST) {
    totalCount nodes { id name country stage createdAt }
  }
}""",
    },
    _country_stages,
)


def _interactions(inputs: WorkloadInputs, contender: str) -> list[dict[str, Any]]:
    """One interaction per customer; the load generator replaces the digits of every idempotency key."""
    if contender == HUB:
        return [
            {
                "input": {"customerId": hub_customer_id(customer_id), **INTERACTION_VALUES},
                "key": f"{IDEMPOTENCY_PREFIX}{number:016x}",
            }
            for number, customer_id in enumerate(inputs.customers)
        ]
    return [{"input": {"customerId": str(customer_id), **INTERACTION_VALUES}} for customer_id in inputs.customers]


INTERACTION_KIND, INTERACTION_TIME = "bench.seen", "2026-01-31T12:00:00Z"  # of the rows that W5 writes
INTERACTION_VALUES = {
    "channel": "WEB",
    "direction": "INBOUND",
    "kind": INTERACTION_KIND,
    "subject": "A page was seen",
    "occurredAt": INTERACTION_TIME,
}

W5 = Workload(
    "W5",
    "one interaction recorded and returned",
    {
        HUB: """mutation W5($input: InteractionRecordInput!, $key: String) {
  recorded: interactionRecord(input: $input, idempotencyKey: $key) {
    interaction { kind channel direction subject occurredAt }
  }
}""",
        POSTGRAPHILE: """mutation W5($input: InteractionInput!) {
  recorded: createInteraction(input: {interaction: $input}) {
    interaction { kind channel direction subject occurredAt }
  }
}""",
        STRAWBERRY: """mutation W5($input: InteractionInput!) {
  recorded: recordInteraction(input: $input) {
    interaction { kind channel direction subject occurredAt }
  }
}""",
    },
    _interactions,
    writes=True,
)

W6 = Workload(
    "W6",
    "page of the newest 50 orders with their customers",
    {
        HUB: """query W6 {
  orders(first: 50) { nodes { id number placedAt total customer { name } } }
}""",
        POSTGRAPHILE: """query W6 {
  orders(first: 50, orderBy: [PLACED_AT_DESC, ROW_ID_DESC]) {
    nodes { id: rowId number placedAt total customer { name } }
  }
}""",
        STRAWBERRY: """query W6 {
  orders(first: 50) { id number placedAt total customer { name } }
}""",
    },
    _no_variables,
)


def _new_names(inputs: WorkloadInputs, contender: str) -> list[dict[str, Any]]:
    """Each customer gets a second family name, then the old name back: every update changes a name."""
    names = inputs.names[:RENAMED_CUSTOMERS]
    ids = _ids(inputs, contender)[: len(names)]
    return [
        {**id_, "name": name + ending} for ending in (SECOND_NAME, "") for id_, name in zip(ids, names, strict=True)
    ]


RENAMED_CUSTOMERS = 250  # so few that a turn reaches all of them
SECOND_NAME = " Benchworth"  # which no customer of the data set has

W7 = Workload(
    "W7",
    "one customer renamed and returned",
    {
        HUB: """mutation W7($id: ID!, $name: String!) {
  updated: customerUpdate(input: {id: $id, name: $name}) { customer { name kind country language } }
}""",
        POSTGRAPHILE: """mutation W7($id: UUID!, $name: String!) {
  updated: updateCustomer(input: {rowId: $id, patch: {name: $name}}) { customer { name kind country language } }
}""",
        STRAWBERRY: """mutation W7($id: ID!, $name: String!) {
  updated: renameCustomer(id: $id, name: $name) { customer { name kind country language } }
}""",
    },
    _new_names,
    writes=True,
)

WORKLOADS = (W1, W2, W3, W4, W5, W6, W7)


def normalized_data(answer: bytes) -> Any:
    """An answer's data with ids, times and amounts parsed and Relay's `nodes` unwrapped."""
    payload = orjson.loads(answer)
    if payload.get("errors") or not payload.get("data"):
        raise ValueError(f"an answer without data or with errors: {answer[:600]!r}")
    return _normalized(payload["data"], "")


def _normalized(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return (
            _normalized(value["nodes"], name)
            if value.keys() == {"nodes"}
            else {key: _normalized(item_value, key) for key, item_value in value.items()}
        )
    if isinstance(value, list):
        return [_normalized(item, name) for item in value]
    if value is None:
        return None
    if name == "id":
        return UUID(value.replace("-", "")[-ID_DIGITS:])
    if name.endswith("At"):
        return datetime.fromisoformat(value)
    if name in AMOUNTS:
        return Decimal(value)
    return value
