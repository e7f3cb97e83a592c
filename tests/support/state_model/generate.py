"""Inputs of mutations, made up from what is there: mostly sound, now and then with one fault, or at odds with the rows."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from state_model.customers import FAR_FUTURE, FAR_PAST, INVALID_IDENTIFIERS, NORMALIZED, RECENT_PAST
from state_model.world import PREFIXES, ModelRow, ModelState

T = TypeVar("T")
ValueChoices = Mapping[str, Sequence[Any]]
NAMES = ("Ada", "Bea", " Cid ")
INVALID_LINES = ("", " ", "a\nb", "\0", "x" * 201)
STAGES = ("PROSPECT", "QUALIFIED", "ACTIVE", "LOST")
PRICES = ("0", "1", "2.5", "0.3333", "1234.5678")
INVALID_AMOUNTS = ("-1", "1.23456", "100000000000000")
ANY_CUSTOMER: ValueChoices = {
    "kind": ("PERSON", "ORGANISATION"),
    "name": NAMES,
    "status": ("ACTIVE", "BLOCKED"),
    "tier": ("STANDARD", "GOLD"),
    "country": ("DE", "fr", None),
    "language": ("de", "FR", None),
    "currency": ("EUR", "usd", None),
    "attributes": ({}, {"a": 1}, {"a": [None, "x"]}, {"a": None, "b": True}),
}
BAD_CUSTOMER: ValueChoices = {
    "name": (*INVALID_LINES, None),
    "country": ("ZZ", "Germany"),
    "language": ("xx",),
    "currency": ("EURO",),
    "attributes": ([1], "x", 3),
    "status": (None,),
}
ANY_PRODUCT: ValueChoices = {
    "name": ("Nail", "Bolt"),
    "category": ("Iron", " Wood "),
    "unitPrice": PRICES,
    "currency": ("EUR", "usd"),
    "packaging": ("box", None),
    "discontinued": (True, False),
}
BAD_PRODUCT: ValueChoices = {
    "name": INVALID_LINES,
    "unitPrice": INVALID_AMOUNTS,
    "currency": ("???",),
    "discontinued": (None,),
}
ANY_ITEM: ValueChoices = {
    "quantity": (1, 2, 30),
    "unitPrice": PRICES,
    "line": (1, 2, 7),
    "discount": ("0", "0.5", "0.3333", "1"),
    "reason": ("Broken", None),
}
BAD_ITEM: ValueChoices = {
    "quantity": (0, -1, 1_000_001),
    "unitPrice": INVALID_AMOUNTS[:2],
    "discount": ("1.5", "-0.1", None),
}
SHIPPING: ValueChoices = {
    "freight": ("0", "4.5"),
    "shipTo": ("Ada", None),
    "shipCity": ("Ulm", None),
    "shipCountry": ("DE", "it", None),
    "requiredAt": (RECENT_PAST, None),
    "reason": ("Sent back", None),
}
BAD_SHIPPING: ValueChoices = {"freight": INVALID_AMOUNTS, "shipTo": INVALID_LINES, "shipCountry": ("ZZ",)}
SOURCES: Sequence[ModelRow] = ({}, {"source": "shop"}, {"source": None})
INTERACTION_TEXTS: ValueChoices = {"subject": ("Hello", None), "body": ("Hello!\nBye.", None)}
INVALID_ID_KINDS = ("1" * 32, "wrong type", "malformed", "gone")


class InputDraw:
    """Draws inputs for a world; what a row is called may have been deleted."""

    def __init__(self, data: st.DataObject, state: ModelState, deleted_ids: Mapping[str, Sequence[str]]) -> None:
        self._data, self._state, self._deleted_ids = data, state, deleted_ids

    def pick(self, values: Sequence[T]) -> T:
        return self._data.draw(st.sampled_from(values))

    def rarely(self, one_in: int = 12) -> bool:
        return self._data.draw(st.integers(1, one_in)) == one_in

    def fields(self, usual: ValueChoices, bad: ValueChoices, required: Sequence[str] = ()) -> ModelRow:
        """Some of the fields; seldom is one of them wrong."""
        optional = self._data.draw(st.sets(st.sampled_from(sorted(usual)), max_size=4))
        values = {name: self.pick(usual[name]) for name in usual if name in required or name in optional}
        if bad and self.rarely():
            name = self.pick(sorted(bad))
            values[name] = self.pick(bad[name])
        return values

    def id(self, table: str) -> str:
        """The id of a row; of none if there is none, and seldom even if there are."""
        prefix = PREFIXES[table]
        rows = [str(row["id"].value) for row in self._state.rows[table]]
        if rows and not self.rarely(16):
            return self.pick(rows)
        invalid_kind = self.pick(INVALID_ID_KINDS)
        if invalid_kind == "gone" and self._deleted_ids.get(table):
            return self.pick(self._deleted_ids[table])
        return {"wrong type": "unt_" + "1" * 32, "malformed": "Ada"}.get(invalid_kind, f"{prefix}_{'1' * 32}")

    def version(self, table: str, key: str) -> ModelRow:
        """Half of the time, the version that an edit is based on: that of the row, or one not far from it."""
        row = self._state.find(table, key)
        steps_back = self.pick((None, 0, 1, None, 2, 3, None, -1))
        return {} if steps_back is None else {"expectedVersion": (1 if row is None else row["version"]) - steps_back}

    def update_input(self, table: str, usual: ValueChoices, bad: ValueChoices) -> ModelRow:
        key = self.id(table)
        return {"id": key, **self.version(table, key), **self.fields(usual, bad)}

    def delete_input(self, table: str) -> ModelRow:
        key = self.id(table)
        return {"id": key, **self.version(table, key)}

    def identifier(self) -> ModelRow:
        identifier_kind, value = (
            self.pick(sorted(INVALID_IDENTIFIERS)) if self.rarely() else self.pick(sorted(NORMALIZED))
        )
        return {"kind": identifier_kind, "value": value}

    def unit(self) -> str:
        return "unt_" + "1" * 32 if self.rarely(16) else self.pick(self._state.units)

    def staff(self) -> str | None:
        return self.pick((self._state.staff, None, self._state.staff, "stf_" + "1" * 32))

    # -- customers ------------------------------------------------------------------------------------------------------

    def customerCreate(self) -> ModelRow:
        values = self.fields(ANY_CUSTOMER, {**BAD_CUSTOMER, "name": INVALID_LINES}, ("kind", "name"))
        if self.rarely(3):
            values |= {"stage": self.pick(STAGES), "ownerId": self.staff()}
        parts = [self.identifier() | {"source": self.pick(("shop", "erp"))} for _ in range(self.pick((0, 1, 2)))]
        for part in parts:
            part |= self.fields({"verified": (True, False)}, {})
        return {
            **values,
            **({} if self.rarely(4) else {"unitId": self.unit()}),
            **({"identifiers": parts} if parts else {}),
        }

    def customerUpdate(self) -> ModelRow:
        return self.update_input("customers", ANY_CUSTOMER, BAD_CUSTOMER)

    def customerUpsert(self) -> ModelRow:
        key_name = self.pick(("identifier", "external", "id", "identifier"))
        key = self.id("customers")
        by: ModelRow = {"id": key}
        if key_name == "identifier":
            by = {key_name: {**self.identifier(), **self.pick(SOURCES)}}
        elif key_name == "external":
            by = {key_name: {"source": "erp", "externalId": self.pick(("E-1", "E-2", "null"))}}
        if self.rarely():
            by = self.pick([{}, {"id": None}, {**by, "id": key, "external": {"source": "erp", "externalId": "E-1"}}])
        required = ("kind", "name") if not self.rarely(4) else ()
        return {"by": by, **self.version("customers", key), **self.fields(ANY_CUSTOMER, BAD_CUSTOMER, required)} | (
            {"unitId": self.unit()} if required else {}
        )

    def customerDelete(self) -> ModelRow:
        return self.delete_input("customers")

    def customerStageMove(self) -> ModelRow:
        reason = self.pick(INVALID_LINES) if self.rarely() else "Asked."
        return {"id": self.id("customers"), "stage": self.pick(STAGES), "reason": reason}

    def customerAssign(self) -> ModelRow:
        values: ModelRow = {"unitId": self.unit(), "ownerId": self.staff()}
        names = self.pick((("unitId",), ("ownerId",), (), ("unitId", "ownerId")))
        return {"id": self.id("customers"), **{name: values[name] for name in names}}

    def identifierUpdate(self) -> ModelRow:
        return self.update_input("identifiers", {"verified": (True, False)}, {"verified": (None,)})

    def identifierDelete(self) -> ModelRow:
        return self.delete_input("identifiers")

    def consentSet(self) -> ModelRow:
        usual = {
            "channel": ("EMAIL", "SMS", None),
            "givenAt": (RECENT_PAST, None),
            "expiresAt": ("2998-01-01T00:00:00+00:00", None),
            "evidence": ({"form": 3}, None),
        }
        bad = {
            "purpose": ("Two Words", ""),
            "source": INVALID_LINES,
            "givenAt": (FAR_FUTURE,),
            "expiresAt": (FAR_PAST,),
            "evidence": ([1],),
        }
        purpose, status = self.pick(("news", "news.daily")), self.pick(("GRANTED", "DENIED", "WITHDRAWN"))
        more = self.fields(usual, bad)
        return {"customerId": self.id("customers"), "purpose": purpose, "status": status, "source": "shop", **more}

    # -- trade ----------------------------------------------------------------------------------------------------------

    def productCreate(self) -> ModelRow:
        required = ("name", "category", "unitPrice", "currency")
        return {"sku": self.pick(("A", "B", " A ", "C", "D")), **self.fields(ANY_PRODUCT, BAD_PRODUCT, required)}

    def productUpdate(self) -> ModelRow:
        return self.update_input("products", ANY_PRODUCT, BAD_PRODUCT)

    def productUpsert(self) -> ModelRow:
        key = self.id("products")
        by: ModelRow = self.pick(({"sku": self.pick(("A", "B", "E"))}, {"id": key}, {"sku": " A"}))
        if self.rarely():
            by = self.pick(({}, {"sku": None}, {"sku": "A", "id": key}, {"sku": " "}))
        required = ("name", "category", "unitPrice", "currency") if not self.rarely(4) else ()
        return {"by": by, **self.version("products", key), **self.fields(ANY_PRODUCT, BAD_PRODUCT, required)}

    def productDelete(self) -> ModelRow:
        return self.delete_input("products")

    def orderCreate(self) -> ModelRow:
        values: ModelRow = {
            "number": self.pick(("N-1", "N-2", "N-3", "N-4", " N-1")),
            "currency": self.pick(("EUR", "usd")),
        }
        values |= self.fields({**SHIPPING, "status": ("DRAFT", "PLACED", "SHIPPED")}, BAD_SHIPPING)
        items = [self._item() for _ in range(self.pick((1, 2, 0, 3)))]
        if self.rarely(4):
            values |= {"staffId": self.staff()}
        if self.rarely(4):
            values |= {"placedAt": self.pick((RECENT_PAST, None))}
        if not items or self.rarely(16):
            values |= {"net": self.pick(("7.5", None, "-1"))}
        customer_input: ModelRow = {"customerId": self.id("customers")}
        if self.rarely(4):
            customer_input = {"identifier": self.identifier()} | (customer_input if self.rarely() else {})
        return {**({} if self.rarely(24) else customer_input), **values, **({"items": items} if items else {})}

    def _item(self) -> ModelRow:
        usual = {name: values for name, values in ANY_ITEM.items() if name != "line"}
        item = self.fields(usual, BAD_ITEM, ("quantity", "unitPrice"))
        return {"productId": self.id("products"), **item, **({"line": 2} if self.rarely() else {})}

    def orderUpdate(self) -> ModelRow:
        values = self.update_input("orders", SHIPPING, {**BAD_SHIPPING, "freight": (*INVALID_AMOUNTS, None)})
        if self.rarely(4):
            values |= {"number": self.pick(("N-1", "N-5", None)), "staffId": self.staff()}
        return values

    def orderDelete(self) -> ModelRow:
        return self.delete_input("orders")

    def orderStatusMove(self) -> ModelRow:
        status = self.pick(("PLACED", "SHIPPED", "CANCELLED", "RETURNED", "DRAFT"))
        return {"id": self.id("orders"), "status": status}

    def orderItemCreate(self) -> ModelRow:
        values = self.fields(ANY_ITEM, BAD_ITEM, ("quantity", "unitPrice", "line"))
        return {"orderId": self.id("orders"), "productId": self.id("products"), **values}

    def orderItemUpdate(self) -> ModelRow:
        values = self.update_input("orderItems", ANY_ITEM, BAD_ITEM)
        return values | ({"productId": self.id("products")} if self.rarely(4) else {})

    def orderItemDelete(self) -> ModelRow:
        return self.delete_input("orderItems")

    def interactionRecord(self) -> ModelRow:
        bad = {"kind": ("Page Seen",), "subject": INVALID_LINES, "occurredAt": (FAR_FUTURE,), "customerId": (None,)}
        customer_input: ModelRow = {"customerId": self.id("customers")}
        if self.rarely(3):
            customer_input = {"identifier": self.identifier()} | (customer_input if self.rarely() else {})
        if self.rarely(3):
            customer_input |= {"orderId": self.id("orders")}
        usual = {**INTERACTION_TEXTS, "occurredAt": (RECENT_PAST, None), "staffId": (self._state.staff, None)}
        return {
            "channel": "WEB",
            "direction": "INBOUND",
            "kind": "page.seen",
            **customer_input,
            **self.fields(usual, bad),
        }

    def interactionUpdate(self) -> ModelRow:
        return self.update_input("interactions", INTERACTION_TEXTS, {"subject": INVALID_LINES})

    def interactionDelete(self) -> ModelRow:
        return self.delete_input("interactions")
