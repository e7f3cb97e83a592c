"""Rows that trip a planner up: nulls, equal sort values, several currencies, scripts and accents, links across units.

Made from a seed, always the same, and added to whatever the database holds."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.customers.customers import normalize_identifier
from hub.domain.work import working_intervals
from hub.model.working_time import compiled_working_time
from hub.schema.customers import addresses, contacts, customers, identity_reviews, stage_moves
from hub.schema.engagement import interactions
from hub.schema.matching import match_candidates
from hub.schema.organisation import staff as staff_members
from hub.schema.organisation import units as org_units
from hub.schema.privacy import consents
from hub.schema.sales import orders, products
from hub.schema.scoring import score_models, scores
from oracle.edge_operations import ATTRIBUTES, CURRENCIES, IDENTIFIER_KINDS, NAMES, TEXTS, TIMESTAMPS, UNIT_PARENTS
from oracle.edge_row_builder import EdgeRowBuilder, EdgeRowValues
from oracle.identity_rows import add_identity_rows
from oracle.score_rows import add_score_models
from oracle.segment_rows import add_segment_rows
from oracle.work_edge_rows import add_work_rows


@dataclass(frozen=True, slots=True)
class ExistingKeys:
    """Keys of rows that the database holds already, to link to."""

    units: Sequence[UUID]
    staff: Sequence[UUID]
    products: Sequence[UUID]


def _organisation(builder: EdgeRowBuilder, existing: ExistingKeys) -> tuple[list[UUID], list[UUID]]:
    units: dict[str, EdgeRowValues] = {}
    for code, parent in UNIT_PARENTS.items():
        above = units[parent] if parent else None
        units[code] = builder.add(
            org_units.OrgUnit,
            code=code,
            name=builder.pick(("North", "North", "Süd", "中")),
            kind=builder.member(org_units.UnitKind),
            parent_id=above and above["id"],
            path=f"{above['path']}.{code}" if above else code,
        )
    keys = [unit["id"] for unit in units.values()]
    staff: list[UUID] = []
    for number in range(14):
        staff_member = builder.add(
            staff_members.Staff,
            number=f"AWK{number}",
            name=builder.pick(NAMES[:8]),
            title=builder.text(),
            email=builder.text(),
            hired_on=builder.maybe((date(1992, 8, 14), date(1992, 8, 14), date(1997, 12, 31), date(2000, 2, 29))),
            unit_id=builder.pick([*keys, *existing.units[:3]]),
            reports_to_id=builder.maybe([*staff, *existing.staff[:4]]),
        )
        staff.append(staff_member["id"])
    return keys, staff


def _annual_revenue(builder: EdgeRowBuilder) -> EdgeRowValues:
    currency = builder.maybe(CURRENCIES)
    return {
        "annual_revenue": None if currency is None else builder.amount(10**10),
        "annual_revenue_currency": currency,
        "unverified": [] if currency is None else builder.pick(([], ["annualRevenue", "annualRevenueCurrency"])),
    }


def _customer(builder: EdgeRowBuilder, number: int, units: Sequence[UUID], staff: Sequence[UUID]) -> UUID:
    customer = builder.add(
        customers.Customer,
        kind=builder.member(customers.CustomerKind),
        name=NAMES[number % len(NAMES)],
        status=builder.member(customers.CustomerStatus),
        stage=builder.member(customers.Stage),
        tier=builder.member(customers.Tier),
        unit_id=builder.pick(units),
        owner_id=builder.maybe(staff),
        born_on=builder.maybe((date(1952, 2, 29), date(1992, 8, 14), date(1992, 8, 14))),
        country=builder.maybe(("DE", "DE", "JP", "ES", "XK")),
        language=builder.maybe(("de", "ja", "zh-Hant")),
        currency=builder.maybe(CURRENCIES),
        **_annual_revenue(builder),
        attributes=json.dumps(builder.pick(ATTRIBUTES), ensure_ascii=False),
    )
    key: UUID = customer["id"]
    for identifier_kind in (IDENTIFIER_KINDS.EMAIL, IDENTIFIER_KINDS.PHONE, IDENTIFIER_KINDS.LOYALTY_ID):
        # Three customers share each value, told apart by source, so that the verified one and the oldest must be chosen.
        if builder.rng.random() < 0.7:
            value = {
                IDENTIFIER_KINDS.EMAIL: f"Shared{number // 3}@Example.org",
                IDENTIFIER_KINDS.PHONE: f"+49 30 {number // 3:06}",
            }.get(identifier_kind, f" L{number}")
            builder.add(
                customers.Identifier,
                customer_id=key,
                kind=identifier_kind.value,
                value=value,
                normalized=normalize_identifier(identifier_kind, value),
                verified=builder.pick((True, False)),
                source=f"s{number % 3}",
            )
    return key


def _people(builder: EdgeRowBuilder, customer: UUID) -> list[UUID]:
    people = []
    for _ in range(builder.rng.randint(0, 3)):
        contact = builder.add(
            contacts.Contact,
            customer_id=customer,
            name=builder.pick(NAMES),
            title=builder.text(),
            is_primary=builder.pick((True, False)),
            language=builder.maybe(("de", "en")),
        )
        people.append(contact["id"])
        for value, country in (("030 123456", "DE"), ("+81-3-1234-5678", None), ("not a number", "DE"), ("12", None)):
            if builder.rng.random() < 0.4:
                builder.add(
                    contacts.ContactPoint,
                    customer_id=customer,
                    contact_id=contact["id"],
                    kind=builder.member(contacts.PointKind),
                    value=value,
                    country=country,
                    verified=builder.pick((True, False)),
                    preferred=builder.pick((True, False)),
                )
    for _ in range(builder.rng.randint(0, 2)):
        builder.add(
            addresses.Address,
            customer_id=customer,
            contact_id=builder.maybe(people),
            kind=builder.member(addresses.AddressKind),
            street=builder.pick(TEXTS),
            city=builder.pick(("Köln", "koln", "東京", "Köln", "")),
            region=builder.text(),
            postal_code=builder.text(),
            country=builder.maybe(("DE", "JP")),
        )
    return people


def _orders(
    builder: EdgeRowBuilder, customer: UUID, people: list[UUID], staff: Sequence[UUID], existing: ExistingKeys
) -> list[UUID]:
    order_ids = []
    for _ in range(builder.pick((0, 0, 1, 2, 3, 5))):
        currency = builder.pick(CURRENCIES)
        order = builder.add(
            orders.Order,
            customer_id=customer,
            number=f"AWK{len(builder.rows_by_table.get(orders.Order.table, []))}",
            status=builder.member(orders.OrderStatus),
            placed_at=builder.pick(TIMESTAMPS),
            required_at=builder.maybe(TIMESTAMPS),
            shipped_at=builder.maybe(TIMESTAMPS),
            currency=currency,
            net=builder.amount(10**8),
            freight=builder.amount(10**5),
            ship_to=builder.text(),
            ship_city=builder.text(),
            ship_country=builder.maybe(("DE", "JP")),
            staff_id=builder.maybe(staff),
            contact_id=builder.maybe(people),
        )
        order_ids.append(order["id"])
        for line in range(builder.pick((0, 1, 2, 4))):
            builder.add(
                orders.OrderItem,
                customer_id=customer,
                order_id=order["id"],
                line=line + 1,
                product_id=builder.pick(existing.products),
                quantity=builder.rng.randint(1, 12),
                unit_price=builder.amount(10**6),
                discount=Decimal(builder.pick((0, 500, 2500, 10_000))).scaleb(-4),
                currency=currency,
            )
    return order_ids


def _history(
    builder: EdgeRowBuilder, customer: UUID, people: list[UUID], own_order_ids: list[UUID], staff: Sequence[UUID]
) -> None:
    all_order_ids = [order["id"] for order in builder.rows_by_table.get(orders.Order.table, [])]
    for _ in range(builder.rng.randint(0, 6)):
        mentioned = [*builder.rng.choices([*own_order_ids, *all_order_ids, builder.key()], k=builder.rng.randint(0, 4))]
        words = [
            builder.pick(NAMES),
            *(f"ord_{order_id.hex}" for order_id in [*mentioned, *mentioned[:1]]),
            "and",
            "that",
            "is",
            "all.",
        ]
        builder.add(
            interactions.Interaction,
            customer_id=customer,
            channel=builder.member(interactions.Channel),
            direction=builder.member(interactions.Direction),
            kind=builder.pick(("order.taken", "call", "visit")),
            subject=builder.pick(
                (None, *TEXTS, f"re ord_{builder.pick(own_order_ids).hex}" if own_order_ids else "re")
            ),
            body=builder.pick((None, "", " ".join(words), " ".join(words * 3))),
            occurred_at=builder.pick(TIMESTAMPS),
            staff_id=builder.maybe(staff),
            order_id=builder.maybe(own_order_ids),
            contact_id=builder.maybe(people),
        )
    _consents_and_reviews(builder, customer)
    for model in ("rfm.recency", "awkward"):
        for age in range(builder.rng.randint(0, 2)):
            builder.add(
                scores.Score,
                customer_id=customer,
                model=model,
                value=builder.amount(10**6) - 10,
                band=builder.maybe(("1", "5", "Ü")),
                reasons=json.dumps(builder.pick(([], [{"fact": "orders", "value": 3}], [1.5, None, "x"]))),
                computed_at=builder.pick(TIMESTAMPS),
                superseded_at=builder.pick(TIMESTAMPS) if age else None,
                audience=builder.member(score_models.ScoreAudience),
                score_model_id=builder.maybe(
                    [row["id"] for row in builder.rows_by_table[score_models.ScoreModel.table]]
                ),
                overridden_by_id=None,
                override_reason=None,
                expires_at=None,
            )


def _consents_and_reviews(builder: EdgeRowBuilder, customer: UUID) -> None:
    """What the customer allows, its moves between stages, and doubts whether it is another one."""
    for purpose in ("newsletter", "profiling"):
        for age in range(builder.rng.randint(0, 2)):
            builder.add(
                consents.Consent,
                customer_id=customer,
                purpose=purpose,
                channel=builder.pick((None, "EMAIL", "PHONE")) if age else "SMS",
                status=builder.member(consents.ConsentStatus),
                evidence=json.dumps(builder.pick(ATTRIBUTES)),
                source=builder.pick(("shop", "Shop", "")),
                given_at=builder.pick(TIMESTAMPS),
                expires_at=builder.maybe((datetime(2040, 1, 1, tzinfo=UTC),)),
                superseded_at=builder.pick(TIMESTAMPS) if age else None,
            )
    for _ in range(builder.rng.randint(0, 3)):
        builder.add(
            stage_moves.StageMove,
            customer_id=customer,
            from_stage=builder.member(customers.Stage),
            to_stage=builder.member(customers.Stage),
            reason=builder.pick(NAMES),
            moved_at=builder.pick(TIMESTAMPS),
        )
    others = [row["id"] for row in builder.rows_by_table[customers.Customer.table] if row["id"] != customer]
    for other in builder.rng.sample(others, min(len(others), builder.rng.randint(0, 2))):
        builder.add(
            identity_reviews.IdentityReview,
            customer_id=customer,
            other_id=other,
            reason=builder.pick(NAMES),
            status=builder.member(identity_reviews.ReviewStatus),
        )
        _match_candidate(builder, *sorted((customer, other)))


def _match_candidate(builder: EdgeRowBuilder, first: UUID, second: UUID) -> None:
    """A candidate, unless the pair is one already."""
    rows = builder.rows_by_table.get(match_candidates.MatchCandidate.table, [])
    if any((row["customer_id"], row["other_id"]) == (first, second) for row in rows):
        return
    status = builder.member(match_candidates.MatchStatus)
    builder.add(
        match_candidates.MatchCandidate,
        customer_id=first,
        other_id=second,
        score=Decimal(builder.rng.randint(0, 3000)).scaleb(-2),
        reasons=json.dumps([{"field": "EMAIL", "level": "EQUAL", "weight": builder.rng.randint(0, 20)}]),
        model_version=builder.rng.randint(0, 2),
        status=status,
        reminds_at=builder.pick(TIMESTAMPS) if status == match_candidates.MatchStatus.LATER else None,
        decided_at=builder.maybe(TIMESTAMPS),
        decided_by_id=None,
    )


def build_rows(seed: int, existing: ExistingKeys, count: int) -> dict[sa.Table, list[EdgeRowValues]]:
    """`count` customers with all that hangs on them, in units of their own and of those held."""
    builder = EdgeRowBuilder(random.Random(seed))
    units, staff = _organisation(builder, existing)
    add_score_models(builder)
    product_ids = [_product(builder, number) for number in range(12)]
    linkable = ExistingKeys(existing.units, existing.staff, [*product_ids, *existing.products])
    all_units, all_staff = [*units, *units, *existing.units[:4]], [*staff, *existing.staff]
    for number in range(count):
        customer = _customer(builder, number, all_units, all_staff)
        people = _people(builder, customer)
        order_ids = _orders(builder, customer, people, all_staff, linkable)
        _history(builder, customer, people, order_ids, all_staff)
        add_identity_rows(builder, customer, number)
        add_segment_rows(builder, customer)
    add_work_rows(builder, all_units, all_staff)
    return builder.rows_by_table


def _product(builder: EdgeRowBuilder, number: int) -> UUID:
    product = builder.add(
        products.Product,
        sku=f"AWK{number}",
        name=builder.pick(NAMES),
        category=builder.pick(("Beverages", "Getränke", "")),
        packaging=builder.text(),
        unit_price=builder.amount(10**6),
        currency=builder.pick(CURRENCIES),
        discontinued=builder.pick((True, False)),
    )
    key: UUID = product["id"]
    return key


async def _existing_ids(connection: Connection, table: sa.Table) -> list[UUID]:
    return [row["id"] for row in await connection.fetch(f'select id from "{table.name}" order by id')]


async def add(dsn: str, seed: int = 1, count: int = 78) -> None:
    """Makes the rows and stores them in one transaction."""
    connection: Connection = await asyncpg.connect(dsn)
    try:
        existing = ExistingKeys(
            *[
                await _existing_ids(connection, entity.table)
                for entity in (org_units.OrgUnit, staff_members.Staff, products.Product)
            ]
        )
        async with connection.transaction():
            for table, rows in build_rows(seed, existing, count).items():
                names = list(rows[0])
                placeholders = ", ".join(
                    f"${number}" + ("::text::ltree" if str(table.c[name].type) == "LTREE" else "")
                    for number, name in enumerate(names, 1)
                )
                columns = ", ".join(f'"{name}"' for name in names)
                statement = f'insert into "{table.name}" ({columns}) values ({placeholders})'
                await connection.executemany(statement, [[row[name] for name in names] for row in rows])
            await _store_working_intervals(connection)
        await connection.execute("analyze")
    finally:
        await connection.close()


async def _store_working_intervals(connection: Connection) -> None:
    """What SQL counts the working time of the calendars by."""
    columns = "id, timezone, weekly, exceptions, covers_from, covers_until"
    for row in await connection.fetch(f"select {columns} from calendars"):
        weekly, exceptions = json.loads(row["weekly"]), json.loads(row["exceptions"])
        hours = compiled_working_time(row["timezone"], weekly, exceptions, row["covers_from"], row["covers_until"])
        await working_intervals.store(connection, row["id"], hours)
