"""Mutations of Northwind that fail: by error code, named argument, root field and input."""

from typing import Any, NamedTuple

from bad_requests import CUS, ORD

PRODUCT = {"name": "Nail", "category": "Iron", "unitPrice": "1", "currency": "EUR"}
INTERACTION = {"channel": "WEB", "direction": "INBOUND", "kind": "page.seen"}
ORDER = {"customerId": CUS, "number": "N-1", "currency": "EUR"}
ABSENT_CUSTOMER = "cus_" + "0" * 32
FAR_FUTURE = "2999-01-01T00:00:00Z"


class BadWrite(NamedTuple):
    """A mutation, the code of its only error and the argument that it names."""

    code: str
    argument: str | None
    root: str
    input: dict[str, Any]
    key: str | None = None

    @property
    def document(self) -> str:
        """Returns the mutation, with its input and idempotency key as variables."""
        name = self.root[0].upper() + self.root[1:]
        return (
            f"mutation ($input: {name}Input!, $key: String)"
            f" {{ {self.root}(input: $input, idempotencyKey: $key) {{ __typename }} }}"
        )


def update(code: str, argument: str, **values: Any) -> BadWrite:
    return BadWrite(code, f"input.{argument}", "customerUpdate", {"id": CUS, **values})


def identify(code: str, argument: str, *identifiers: tuple[str, str]) -> BadWrite:
    identifier_inputs = [{"kind": identifier_kind, "value": value} for identifier_kind, value in identifiers]
    return BadWrite(code, f"input.{argument}", "identify", {"source": "shop", "identifiers": identifier_inputs})


BAD_WRITES = [
    BadWrite("ALREADY_EXISTS", "input.number", "orderCreate", {**ORDER, "number": "10248"}),
    BadWrite("ARGUMENT_MISSING", "input.name", "productUpsert", {"by": {"sku": "none"}}),
    BadWrite("ARGUMENT_MISSING", "input.customerId", "interactionRecord", INTERACTION),
    BadWrite("ARGUMENT_MISSING", "input.unitId", "customerAssign", {"id": CUS}),
    BadWrite("BULK_LIMIT", "input.rows", "productsCreate", {"rows": [{**PRODUCT, "sku": "x"}] * 501}),
    BadWrite("BULK_REJECTED", "input.rows[1].sku", "productsCreate", {"rows": [{**PRODUCT, "sku": "x"}] * 2}),
    BadWrite("ID_WRONG_TYPE", "input.id", "customerUpdate", {"id": ORD}),
    BadWrite("ID_MALFORMED", "input.id", "customerUpdate", {"id": "ALFKI"}),
    BadWrite("IDEMPOTENCY_KEY_INVALID", "idempotencyKey", "customerUpdate", {"id": CUS}, ""),
    BadWrite("NOT_FOUND", "input.id", "customerUpdate", {"id": ABSENT_CUSTOMER, "name": "x"}),
    BadWrite("NOT_FOUND", "input.by.id", "customerUpsert", {"by": {"id": ABSENT_CUSTOMER}, "name": "x"}),
    BadWrite("NOT_FOUND", "input.customerId", "interactionRecord", {**INTERACTION, "customerId": ABSENT_CUSTOMER}),
    BadWrite(
        "NOT_FOUND",
        "input.orderId",
        "interactionRecord",
        {**INTERACTION, "customerId": CUS, "orderId": "ord_" + "1" * 32},
    ),
    BadWrite("NOT_FOUND", "input.customerId", "customerKeyMint", {"customerId": ABSENT_CUSTOMER}),
    BadWrite("KEY_INVALID", "input.minutes", "customerKeyMint", {"customerId": CUS, "minutes": 0}),
    BadWrite("STAGE_MOVE_INVALID", "input.stage", "customerStageMove", {"id": CUS, "stage": "LOYAL", "reason": "x"}),
    BadWrite("STATUS_MOVE_INVALID", "input.status", "orderStatusMove", {"id": ORD, "status": "DRAFT"}),
    BadWrite("UPSERT_AMBIGUOUS", "input.by", "productUpsert", {"by": {}}),
    BadWrite("UPSERT_AMBIGUOUS", "input.by", "orderUpsert", {"by": {"id": ORD, "number": "10248"}}),
    BadWrite(
        "VALUE_INVALID",
        "input.items[0].quantity",
        "orderCreate",
        {**ORDER, "items": [{"productId": "prd_" + "0" * 32, "quantity": 0, "unitPrice": "1"}]},
    ),
    BadWrite(
        "VALUE_INVALID",
        "input.items[0].discount",
        "orderCreate",
        {**ORDER, "items": [{"productId": "prd_" + "0" * 32, "quantity": 1, "unitPrice": "1", "discount": "0.12345"}]},
    ),
    BadWrite("VALUE_INVALID", "input.freight", "orderCreate", {**ORDER, "freight": "1.23456"}),
    BadWrite(
        "VALUE_INVALID",
        "input.occurredAt",
        "interactionRecord",
        {**INTERACTION, "customerId": CUS, "occurredAt": FAR_FUTURE},
    ),
    BadWrite(
        "VALUE_INVALID", "input.kind", "interactionRecord", {**INTERACTION, "customerId": CUS, "kind": "Page Seen"}
    ),
    BadWrite("VALUE_INVALID", "input.reason", "customerStageMove", {"id": CUS, "stage": "LOST", "reason": " "}),
    BadWrite(
        "VALUE_INVALID",
        "input.computedAt",
        "scoreRecord",
        {"customerId": CUS, "model": "a.b", "value": 1, "computedAt": FAR_FUTURE},
    ),
    BadWrite(
        "VALUE_INVALID",
        "input.expiresAt",
        "consentSet",
        {"customerId": CUS, "purpose": "a.b", "status": "GRANTED", "source": "x", "expiresAt": "1999-01-01T00:00:00Z"},
    ),
    update("VALUE_INVALID", "name", name="a\nb"),
    update("VALUE_INVALID", "name", name="\0"),
    update("VERSION_CONFLICT", "expectedVersion", name="x", expectedVersion=0),
    identify("IDENTIFIER_LIMIT", "identifiers"),
    identify("IDENTIFIER_JUNK", "identifiers[0].value", ("EXTERNAL_ID", "null")),
    identify("VALUE_INVALID", "identifiers[0].value", ("EMAIL", "nobody")),
]
