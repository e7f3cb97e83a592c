"""Inputs of mutations, made up from what is there: mostly sound, now and then with one fault, or at odds with the rows."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from state_model.customers import AHEAD, JUNK, LATELY, LONG_AGO, NORMALIZED
from state_model.world import PREFIXES, Row, World

T = TypeVar("T")
Values = Mapping[str, Sequence[Any]]
NAMES = ("Ada", "Bea", " Cid ")
LINES = ("", " ", "a\nb", "\0", "x" * 201)
STAGES = ("PROSPECT", "QUALIFIED", "ACTIVE", "LOST")
PRICES = ("0", "1", "2.5", "0.3333", "1234.5678")
BAD_SUMS = ("-1", "1.23456", "100000000000000")
ANY_CUSTOMER: Values = {
    "kind": ("PERSON", "ORGANISATION"),
    "name": NAMES,
    "status": ("ACTIVE", "BLOCKED"),
    "tier": ("STANDARD", "GOLD"),
    "country": ("DE", "fr", None),
    "language": ("de", "FR", None),
    "currency": ("EUR", "usd", None),
    "attributes": ({}, {"a": 1}, {"a": [None, "x"]}),
}
BAD_CUSTOMER: Values = {
    "name": (*LINES, None),
    "country": ("ZZ", "Germany"),
    "language": ("xx",),
    "currency": ("EURO",),
    "attributes": ([1], "x", 3),
    "status": (None,),
}
ANY_PRODUCT: Values = {
    "name": ("Nail", "Bolt"),
    "category": ("Iron", " Wood "),
    "unitPrice": PRICES,
    "currency": ("EUR", "usd"),
    "packaging": ("box", None),
    "discontinued": (True, False),
}
BAD_PRODUCT: Values = {"name": LINES, "unitPrice": BAD_SUMS, "currency": ("???",), "discontinued": (None,)}
ANY_ITEM: Values = {
    "quantity": (1, 2, 30),
    "unitPrice": PRICES,
    "line": (1, 2, 7),
    "discount": ("0", "0.5", "0.3333", "1"),
}
BAD_ITEM: Values = {"quantity": (0, -1, 1_000_001), "unitPrice": BAD_SUMS[:2], "discount": ("1.5", "-0.1", None)}
SHIPPING: Values = {
    "freight": ("0", "4.5"),
    "shipTo": ("Ada", None),
    "shipCity": ("Ulm", None),
    "shipCountry": ("DE", "it", None),
    "requiredAt": (LATELY, None),
}
BAD_SHIPPING: Values = {"freight": BAD_SUMS, "shipTo": LINES, "shipCountry": ("ZZ",)}
SOURCES: Sequence[Row] = ({}, {"source": "shop"}, {"source": None})
TALK: Values = {"subject": ("Hello", None), "body": ("Hello!\nBye.", None)}
STRANGE = ("1" * 32, "wrong type", "malformed", "gone")


class Draw:
    """Draws inputs for a world; what a row is called may have been deleted."""

    def __init__(self, data: st.DataObject, world: World, gone: Mapping[str, Sequence[str]]) -> None:
        self._data, self._world, self._gone = data, world, gone

    def one(self, values: Sequence[T]) -> T:
        return self._data.draw(st.sampled_from(values))

    def seldom(self, of: int = 12) -> bool:
        return self._data.draw(st.integers(1, of)) == of

    def fields(self, usual: Values, bad: Values, must: Sequence[str] = ()) -> Row:
        """Some of the fields; seldom is one of them wrong."""
        more = self._data.draw(st.sets(st.sampled_from(sorted(usual)), max_size=4))
        given = {name: self.one(usual[name]) for name in usual if name in must or name in more}
        if bad and self.seldom():
            name = self.one(sorted(bad))
            given[name] = self.one(bad[name])
        return given

    def id(self, table: str) -> str:
        """The id of a row; of none if there is none, and seldom even if there are."""
        prefix = PREFIXES[table]
        rows = [str(row["id"].value) for row in self._world.rows[table]]
        if rows and not self.seldom(16):
            return self.one(rows)
        kind = self.one(STRANGE)
        if kind == "gone" and self._gone.get(table):
            return self.one(self._gone[table])
        return {"wrong type": "unt_" + "1" * 32, "malformed": "Ada"}.get(kind, f"{prefix}_{'1' * 32}")

    def version(self, table: str, key: str) -> Row:
        """Half of the time, the version that an edit is based on: that of the row, or one not far from it."""
        row = self._world.find(table, key)
        back = self.one((None, 0, 1, None, 2, 3, None, -1))
        return {} if back is None else {"expectedVersion": (1 if row is None else row["version"]) - back}

    def edited(self, table: str, usual: Values, bad: Values) -> Row:
        key = self.id(table)
        return {"id": key, **self.version(table, key), **self.fields(usual, bad)}

    def removed(self, table: str) -> Row:
        key = self.id(table)
        return {"id": key, **self.version(table, key)}

    def identifier(self) -> Row:
        kind, value = self.one(sorted(JUNK)) if self.seldom() else self.one(sorted(NORMALIZED))
        return {"kind": kind, "value": value}

    def unit(self) -> str:
        return "unt_" + "1" * 32 if self.seldom(16) else self.one(self._world.units)

    def staff(self) -> str | None:
        return self.one((self._world.staff, None, self._world.staff, "stf_" + "1" * 32))

    # -- customers ------------------------------------------------------------------------------------------------------

    def customerCreate(self) -> Row:
        given = self.fields(ANY_CUSTOMER, {**BAD_CUSTOMER, "name": LINES}, ("kind", "name"))
        if self.seldom(3):
            given |= {"stage": self.one(STAGES), "ownerId": self.staff()}
        parts = [self.identifier() | {"source": self.one(("shop", "erp"))} for _ in range(self.one((0, 1, 2)))]
        for part in parts:
            part |= self.fields({"verified": (True, False)}, {})
        return {
            **given,
            **({} if self.seldom(4) else {"unitId": self.unit()}),
            **({"identifiers": parts} if parts else {}),
        }

    def customerUpdate(self) -> Row:
        return self.edited("customers", ANY_CUSTOMER, BAD_CUSTOMER)

    def customerUpsert(self) -> Row:
        way = self.one(("identifier", "external", "id", "identifier"))
        key = self.id("customers")
        by: Row = {"id": key}
        if way == "identifier":
            by = {way: {**self.identifier(), **self.one(SOURCES)}}
        elif way == "external":
            by = {way: {"source": "erp", "externalId": self.one(("E-1", "E-2", "null"))}}
        if self.seldom():
            by = self.one([{}, {"id": None}, {**by, "id": key, "external": {"source": "erp", "externalId": "E-1"}}])
        must = ("kind", "name") if not self.seldom(4) else ()
        return {"by": by, **self.version("customers", key), **self.fields(ANY_CUSTOMER, BAD_CUSTOMER, must)} | (
            {"unitId": self.unit()} if must else {}
        )

    def customerDelete(self) -> Row:
        return self.removed("customers")

    def customerStageMove(self) -> Row:
        reason = self.one(LINES) if self.seldom() else "Asked."
        return {"id": self.id("customers"), "stage": self.one(STAGES), "reason": reason}

    def customerAssign(self) -> Row:
        given: Row = {"unitId": self.unit(), "ownerId": self.staff()}
        names = self.one((("unitId",), ("ownerId",), (), ("unitId", "ownerId")))
        return {"id": self.id("customers"), **{name: given[name] for name in names}}

    def identifierUpdate(self) -> Row:
        return self.edited("identifiers", {"verified": (True, False)}, {"verified": (None,)})

    def identifierDelete(self) -> Row:
        return self.removed("identifiers")

    def consentSet(self) -> Row:
        usual = {
            "channel": ("EMAIL", "SMS", None),
            "givenAt": (LATELY, None),
            "expiresAt": ("2998-01-01T00:00:00+00:00", None),
            "evidence": ({"form": 3}, None),
        }
        bad = {
            "purpose": ("Two Words", ""),
            "source": LINES,
            "givenAt": (AHEAD,),
            "expiresAt": (LONG_AGO,),
            "evidence": ([1],),
        }
        purpose, status = self.one(("news", "news.daily")), self.one(("GRANTED", "DENIED", "WITHDRAWN"))
        more = self.fields(usual, bad)
        return {"customerId": self.id("customers"), "purpose": purpose, "status": status, "source": "shop", **more}

    # -- trade ----------------------------------------------------------------------------------------------------------

    def productCreate(self) -> Row:
        must = ("name", "category", "unitPrice", "currency")
        return {"sku": self.one(("A", "B", " A ", "C", "D")), **self.fields(ANY_PRODUCT, BAD_PRODUCT, must)}

    def productUpdate(self) -> Row:
        return self.edited("products", ANY_PRODUCT, BAD_PRODUCT)

    def productUpsert(self) -> Row:
        key = self.id("products")
        by: Row = self.one(({"sku": self.one(("A", "B", "E"))}, {"id": key}, {"sku": " A"}))
        if self.seldom():
            by = self.one(({}, {"sku": None}, {"sku": "A", "id": key}, {"sku": " "}))
        must = ("name", "category", "unitPrice", "currency") if not self.seldom(4) else ()
        return {"by": by, **self.version("products", key), **self.fields(ANY_PRODUCT, BAD_PRODUCT, must)}

    def productDelete(self) -> Row:
        return self.removed("products")

    def orderCreate(self) -> Row:
        given: Row = {"number": self.one(("N-1", "N-2", "N-3", "N-4", " N-1")), "currency": self.one(("EUR", "usd"))}
        given |= self.fields({**SHIPPING, "status": ("DRAFT", "PLACED", "SHIPPED")}, BAD_SHIPPING)
        items = [self._item() for _ in range(self.one((1, 2, 0, 3)))]
        if self.seldom(4):
            given |= {"staffId": self.staff()}
        if self.seldom(4):
            given |= {"placedAt": self.one((LATELY, None))}
        if not items or self.seldom(16):
            given |= {"net": self.one(("7.5", None, "-1"))}
        who: Row = {"customerId": self.id("customers")}
        if self.seldom(4):
            who = {"identifier": self.identifier()} | (who if self.seldom() else {})
        return {**({} if self.seldom(24) else who), **given, **({"items": items} if items else {})}

    def _item(self) -> Row:
        usual = {name: values for name, values in ANY_ITEM.items() if name != "line"}
        given = self.fields(usual, BAD_ITEM, ("quantity", "unitPrice"))
        return {"productId": self.id("products"), **given, **({"line": 2} if self.seldom() else {})}

    def orderUpdate(self) -> Row:
        given = self.edited("orders", SHIPPING, {**BAD_SHIPPING, "freight": (*BAD_SUMS, None)})
        if self.seldom(4):
            given |= {"number": self.one(("N-1", "N-5", None)), "staffId": self.staff()}
        return given

    def orderDelete(self) -> Row:
        return self.removed("orders")

    def orderStatusMove(self) -> Row:
        status = self.one(("PLACED", "SHIPPED", "CANCELLED", "RETURNED", "DRAFT"))
        return {"id": self.id("orders"), "status": status}

    def orderItemCreate(self) -> Row:
        given = self.fields(ANY_ITEM, BAD_ITEM, ("quantity", "unitPrice", "line"))
        return {"orderId": self.id("orders"), "productId": self.id("products"), **given}

    def orderItemUpdate(self) -> Row:
        given = self.edited("orderItems", ANY_ITEM, BAD_ITEM)
        return given | ({"productId": self.id("products")} if self.seldom(4) else {})

    def orderItemDelete(self) -> Row:
        return self.removed("orderItems")

    def interactionRecord(self) -> Row:
        bad = {"kind": ("Page Seen",), "subject": LINES, "occurredAt": (AHEAD,), "customerId": (None,)}
        who: Row = {"customerId": self.id("customers")}
        if self.seldom(3):
            who = {"identifier": self.identifier()} | (who if self.seldom() else {})
        if self.seldom(3):
            who |= {"orderId": self.id("orders")}
        usual = {**TALK, "occurredAt": (LATELY, None), "staffId": (self._world.staff, None)}
        return {"channel": "WEB", "direction": "INBOUND", "kind": "page.seen", **who, **self.fields(usual, bad)}

    def interactionUpdate(self) -> Row:
        return self.edited("interactions", TALK, {"subject": LINES})

    def interactionDelete(self) -> Row:
        return self.removed("interactions")
