"""Rows that trip a planner up: nulls, equal sort values, several currencies, scripts and accents, links across units.

Made from a seed, always the same, and added to whatever the database holds."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.domain.customers import contacts, customers, identify, lifecycle
from hub.domain.engagement import interactions
from hub.domain.organisation import organisation
from hub.domain.privacy import consents
from hub.domain.sales import orders, products
from hub.domain.scoring import scores
from oracle.edge_operations import ATTRIBUTES, CURRENCIES, KINDS, MOMENTS, NAMES, TEXTS, UNITS

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Values = dict[str, Any]


@dataclass(slots=True)
class Rows:
    """Rows to be, by table, in the order in which they can be stored."""

    chance: random.Random
    made: dict[sa.Table, list[Values]] = field(default_factory=dict)

    def key(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128))

    def add(self, table: sa.Table, **values: Any) -> Values:
        row = {"id": self.key(), **values, "created_at": self.pick(MOMENTS), "updated_at": self.pick(MOMENTS)}
        row["version"] = self.chance.randint(1, 3)
        self.made.setdefault(table, []).append(row)
        return row

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.chance.choice(choices)

    def maybe(self, choices: Sequence[Any]) -> Any:
        return self.pick(choices) if choices and self.chance.random() < 0.6 else None

    def text(self) -> str | None:
        found: str | None = self.maybe(TEXTS)
        return found

    def amount(self, most: int) -> Decimal:
        return Decimal(self.chance.choice((0, 10_000, 12_345, self.chance.randint(0, most)))).scaleb(-4)

    def member(self, choices: type[Enum]) -> str:
        return str(self.pick([each.value for each in choices]))


@dataclass(frozen=True, slots=True)
class Held:
    """Keys of rows that the database holds already, to link to."""

    units: Sequence[UUID]
    staff: Sequence[UUID]
    products: Sequence[UUID]


def _organisation(rows: Rows, held: Held) -> tuple[list[UUID], list[UUID]]:
    units: dict[str, Values] = {}
    for code, parent in UNITS.items():
        above = units[parent] if parent else None
        units[code] = rows.add(
            organisation.OrgUnit,
            code=code,
            name=rows.pick(("North", "North", "Süd", "中")),
            kind=rows.member(organisation.UnitKind),
            parent_id=above and above["id"],
            path=f"{above['path']}.{code}" if above else code,
        )
    keys = [each["id"] for each in units.values()]
    staff: list[UUID] = []
    for number in range(14):
        made = rows.add(
            organisation.Staff,
            number=f"AWK{number}",
            name=rows.pick(NAMES[:8]),
            title=rows.text(),
            email=rows.text(),
            hired_on=rows.maybe((date(1992, 8, 14), date(1992, 8, 14), date(1997, 12, 31), date(2000, 2, 29))),
            unit_id=rows.pick([*keys, *held.units[:3]]),
            reports_to_id=rows.maybe([*staff, *held.staff[:4]]),
        )
        staff.append(made["id"])
    return keys, staff


def _customer(rows: Rows, number: int, units: Sequence[UUID], staff: Sequence[UUID]) -> UUID:
    made = rows.add(
        customers.Customer,
        kind=rows.member(customers.CustomerKind),
        name=NAMES[number % len(NAMES)],
        status=rows.member(customers.CustomerStatus),
        stage=rows.member(customers.Stage),
        tier=rows.member(customers.Tier),
        unit_id=rows.pick(units),
        owner_id=rows.maybe(staff),
        country=rows.maybe(("DE", "DE", "JP", "ES", "ZZ")),
        language=rows.maybe(("de", "ja", "")),
        currency=rows.maybe(CURRENCIES),
        attributes=json.dumps(rows.pick(ATTRIBUTES), ensure_ascii=False),
    )
    key: UUID = made["id"]
    for kind in (KINDS.EMAIL, KINDS.PHONE, KINDS.LOYALTY_ID):
        # Three customers share each value, told apart by source, so that the verified one and the oldest must be chosen.
        if rows.chance.random() < 0.7:
            value = {KINDS.EMAIL: f"Shared{number // 3}@Example.org", KINDS.PHONE: f"+49 30 {number // 3:06}"}.get(
                kind, f" L{number}"
            )
            rows.add(
                customers.Identifier,
                customer_id=key,
                kind=kind.value,
                value=value,
                normalized=customers.normalized(kind, value),
                verified=rows.pick((True, False)),
                source=f"s{number % 3}",
            )
    return key


def _people(rows: Rows, customer: UUID) -> list[UUID]:
    people = []
    for _ in range(rows.chance.randint(0, 3)):
        made = rows.add(
            contacts.Contact,
            customer_id=customer,
            name=rows.pick(NAMES),
            title=rows.text(),
            is_primary=rows.pick((True, False)),
            language=rows.maybe(("de", "en")),
        )
        people.append(made["id"])
        for value, country in (("030 123456", "DE"), ("+81-3-1234-5678", None), ("not a number", "DE"), ("12", None)):
            if rows.chance.random() < 0.4:
                rows.add(
                    contacts.ContactPoint,
                    customer_id=customer,
                    contact_id=made["id"],
                    kind=rows.member(contacts.PointKind),
                    value=value,
                    country=country,
                    verified=rows.pick((True, False)),
                    preferred=rows.pick((True, False)),
                )
    for _ in range(rows.chance.randint(0, 2)):
        rows.add(
            contacts.Address,
            customer_id=customer,
            contact_id=rows.maybe(people),
            kind=rows.member(contacts.AddressKind),
            street=rows.pick(TEXTS),
            city=rows.pick(("Köln", "koln", "東京", "Köln", "")),
            region=rows.text(),
            postal_code=rows.text(),
            country=rows.maybe(("DE", "JP")),
        )
    return people


def _trade(rows: Rows, customer: UUID, people: list[UUID], staff: Sequence[UUID], held: Held) -> list[UUID]:
    made = []
    for _ in range(rows.pick((0, 0, 1, 2, 3, 5))):
        currency = rows.pick(CURRENCIES)
        order = rows.add(
            orders.Order,
            customer_id=customer,
            number=f"AWK{len(rows.made.get(orders.Order, []))}",
            status=rows.member(orders.OrderStatus),
            placed_at=rows.pick(MOMENTS),
            required_at=rows.maybe(MOMENTS),
            shipped_at=rows.maybe(MOMENTS),
            currency=currency,
            net=rows.amount(10**8),
            freight=rows.amount(10**5),
            ship_to=rows.text(),
            ship_city=rows.text(),
            ship_country=rows.maybe(("DE", "JP")),
            staff_id=rows.maybe(staff),
            contact_id=rows.maybe(people),
        )
        made.append(order["id"])
        for line in range(rows.pick((0, 1, 2, 4))):
            rows.add(
                orders.OrderItem,
                customer_id=customer,
                order_id=order["id"],
                line=line + 1,
                product_id=rows.pick(held.products),
                quantity=rows.chance.randint(1, 12),
                unit_price=rows.amount(10**6),
                discount=Decimal(rows.pick((0, 500, 2500, 10_000))).scaleb(-4),
                currency=currency,
            )
    return made


def _history(rows: Rows, customer: UUID, people: list[UUID], own: list[UUID], staff: Sequence[UUID]) -> None:
    every = [each["id"] for each in rows.made.get(orders.Order, [])]
    for _ in range(rows.chance.randint(0, 6)):
        mentioned = [*rows.chance.choices([*own, *every, rows.key()], k=rows.chance.randint(0, 4))]
        words = [
            rows.pick(NAMES),
            *(f"ord_{each.hex}" for each in [*mentioned, *mentioned[:1]]),
            "and",
            "that",
            "is",
            "all.",
        ]
        rows.add(
            interactions.Interaction,
            customer_id=customer,
            channel=rows.member(interactions.Channel),
            direction=rows.member(interactions.Direction),
            kind=rows.pick(("order.taken", "call", "visit")),
            subject=rows.pick((None, *TEXTS, f"re ord_{rows.pick(own).hex}" if own else "re")),
            body=rows.pick((None, "", " ".join(words), " ".join(words * 3))),
            occurred_at=rows.pick(MOMENTS),
            staff_id=rows.maybe(staff),
            order_id=rows.maybe(own),
            contact_id=rows.maybe(people),
        )
    _answers(rows, customer)
    for model in ("rfm.recency", "awkward"):
        for age in range(rows.chance.randint(0, 2)):
            rows.add(
                scores.Score,
                customer_id=customer,
                model=model,
                value=rows.amount(10**6) - 10,
                band=rows.maybe(("1", "5", "Ü")),
                reasons=json.dumps(rows.pick(([], [{"fact": "orders", "value": 3}], [1.5, None, "x"]))),
                computed_at=rows.pick(MOMENTS),
                superseded_at=rows.pick(MOMENTS) if age else None,
            )


def _answers(rows: Rows, customer: UUID) -> None:
    """What the customer allows, its moves between stages, and doubts whether it is another one."""
    for purpose in ("newsletter", "profiling"):
        for age in range(rows.chance.randint(0, 2)):
            rows.add(
                consents.Consent,
                customer_id=customer,
                purpose=purpose,
                channel=rows.pick((None, "EMAIL", "PHONE")) if age else "SMS",
                status=rows.member(consents.ConsentStatus),
                evidence=json.dumps(rows.pick(ATTRIBUTES)),
                source=rows.pick(("shop", "Shop", "")),
                given_at=rows.pick(MOMENTS),
                expires_at=rows.maybe((datetime(2040, 1, 1, tzinfo=UTC),)),
                superseded_at=rows.pick(MOMENTS) if age else None,
            )
    for _ in range(rows.chance.randint(0, 3)):
        rows.add(
            lifecycle.StageMove,
            customer_id=customer,
            from_stage=rows.member(customers.Stage),
            to_stage=rows.member(customers.Stage),
            reason=rows.pick(NAMES),
            moved_at=rows.pick(MOMENTS),
        )
    others = [each["id"] for each in rows.made[customers.Customer] if each["id"] != customer]
    for other in rows.chance.sample(others, min(len(others), rows.chance.randint(0, 2))):
        rows.add(
            identify.Review,
            customer_id=customer,
            other_id=other,
            reason=rows.pick(NAMES),
            status=rows.member(identify.ReviewStatus),
        )


def make(seed: int, held: Held, count: int) -> dict[sa.Table, list[Values]]:
    """`count` customers with all that hangs on them, in units of their own and of those held."""
    rows = Rows(random.Random(seed))
    units, staff = _organisation(rows, held)
    sold = [_product(rows, number) for number in range(12)]
    both = Held(held.units, held.staff, [*sold, *held.products])
    all_units, all_staff = [*units, *units, *held.units[:4]], [*staff, *held.staff]
    for number in range(count):
        customer = _customer(rows, number, all_units, all_staff)
        people = _people(rows, customer)
        own = _trade(rows, customer, people, all_staff, both)
        _history(rows, customer, people, own, all_staff)
    return rows.made


def _product(rows: Rows, number: int) -> UUID:
    made = rows.add(
        products.Product,
        sku=f"AWK{number}",
        name=rows.pick(NAMES),
        category=rows.pick(("Beverages", "Getränke", "")),
        packaging=rows.text(),
        unit_price=rows.amount(10**6),
        currency=rows.pick(CURRENCIES),
        discontinued=rows.pick((True, False)),
    )
    key: UUID = made["id"]
    return key


async def _keys(connection: Connection, table: sa.Table) -> list[UUID]:
    return [each["id"] for each in await connection.fetch(f'select id from "{table.name}" order by id')]


async def add(dsn: str, seed: int = 1, count: int = 78) -> None:
    """Makes the rows and stores them in one transaction."""
    connection: Connection = await asyncpg.connect(dsn)
    try:
        held = Held(
            *[await _keys(connection, table) for table in (organisation.OrgUnit, organisation.Staff, products.Product)]
        )
        async with connection.transaction():
            for table, rows in make(seed, held, count).items():
                names = list(rows[0])
                places = ", ".join(
                    f"${place}" + ("::text::ltree" if str(table.c[name].type) == "LTREE" else "")
                    for place, name in enumerate(names, 1)
                )
                statement = f'insert into "{table.name}" ({", ".join(names)}) values ({places})'
                await connection.executemany(statement, [[row[name] for name in names] for row in rows])
        await connection.execute("analyze")
    finally:
        await connection.close()
