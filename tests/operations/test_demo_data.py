"""The sample data: the rules that derive rows from Northwind, and the properties of the synthetic set."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase

from hub.db.pool import Connection
from hub.demo.load import load
from hub.domain.scoring.rfm import OrderSummary, band, quintiles, rfm, rfm_cuts, summarize_orders
from hub.errors import BadInput, Misconfigured

QUICK = UUID("00c36468-9c00-7d7d-8745-b0e028f79e31")
NOW = datetime(1998, 5, 6, tzinfo=UTC)
SYNTHETIC_CUSTOMERS = 300
NORTHWIND = {
    "org_units": 58,
    "staff": 9,
    "products": 77,
    "customers": 91,
    "identifiers": 206,
    "contacts": 91,
    "contact_points": 115,
    "addresses": 91,
    "scores": 515,
    "orders": 830,
    "order_items": 2155,
    "interactions": 1676,
}


@pytest.fixture
async def northwind_connection(demo_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(demo_dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def synthetic_dsn(create_database: CreateDatabase, empty_dsn: str) -> str:
    dsn = await create_database("migrated")
    await load(dsn, SYNTHETIC_CUSTOMERS)
    return dsn


@pytest.fixture
async def synthetic_connection(synthetic_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(synthetic_dsn)
    yield connection
    await connection.close()


async def counts(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    try:
        return {table: await connection.fetchval(f"select count(*) from {table}") for table in NORTHWIND}
    finally:
        await connection.close()


async def fingerprint(dsn: str) -> dict[str, str]:
    """Returns a hash of all rows of each table."""
    connection = await asyncpg.connect(dsn)
    try:
        text = "select md5(string_agg(t::text, '|' order by id)) from {} as t"
        return {table: await connection.fetchval(text.format(table)) for table in NORTHWIND}
    finally:
        await connection.close()


async def test_loading_tells_what_it_added_and_adds_nothing_again(database_dsn: str) -> None:
    assert (await load(database_dsn)).rows == NORTHWIND
    assert await counts(database_dsn) == NORTHWIND
    before = await fingerprint(database_dsn)
    assert (await load(database_dsn)).rows == {}
    assert await fingerprint(database_dsn) == before


async def test_ids_are_the_same_everywhere(northwind_connection: Connection) -> None:
    customer_id = await northwind_connection.fetchval("select customer_id from identifiers where normalized = 'QUICK'")
    assert customer_id == QUICK


async def test_an_owner_took_most_of_the_customers_orders(northwind_connection: Connection) -> None:
    rows = await northwind_connection.fetch(
        """select c.id from customers c join orders o on o.customer_id = c.id
        group by c.id, c.owner_id
        having count(*) filter (where o.staff_id = c.owner_id)
            < (select max(n) from (select count(*) n from orders where customer_id = c.id group by staff_id) taken)"""
    )
    assert rows == []


async def test_who_has_no_orders_has_no_owner_and_belongs_to_the_root(northwind_connection: Connection) -> None:
    rows = await northwind_connection.fetch(
        """select c.name, u.path::text, c.stage from customers c join org_units u on u.id = c.unit_id
        where c.owner_id is null order by c.name"""
    )
    assert [tuple(row) for row in rows] == [
        ("FISSA Fabrica Inter. Salchichas S.A.", "northwind", "PROSPECT"),
        ("Paris spécialités", "northwind", "PROSPECT"),
    ]


async def test_customers_live_in_territories_of_their_owners_region(northwind_connection: Connection) -> None:
    rows = await northwind_connection.fetch(
        """select count(distinct c.unit_id) units, bool_and(u.kind = 'OUTLET') outlets, bool_and(u.path <@ w.path) below
        from customers c join org_units u on u.id = c.unit_id
        join staff s on s.id = c.owner_id join org_units w on w.id = s.unit_id"""
    )
    assert [tuple(row) for row in rows] == [(34, True, True)]


async def test_shipments_after_the_required_date_are_recorded_as_late(northwind_connection: Connection) -> None:
    rows = await northwind_connection.fetch("select kind, count(*) from interactions group by kind order by kind")
    assert [tuple(row) for row in rows] == [("order.taken", 830), ("shipment.late", 37), ("shipment.sent", 809)]
    subject = await northwind_connection.fetchval(
        "select i.subject from interactions i join orders o on o.id = i.order_id where i.kind = 'shipment.late'"
        " and o.number = '10264'"
    )
    assert subject == "Order 10264 sent 2 days late"


async def test_every_word_about_an_order_names_it_as_the_api_does(
    northwind_connection: Connection, synthetic_connection: Connection
) -> None:
    text = """select count(*) from interactions where order_id is not null
        and body not like '%ord\\_' || replace(order_id::text, '-', '') || '%'"""
    assert [await northwind_connection.fetchval(text), await synthetic_connection.fetchval(text)] == [0, 0]


async def test_scores_of_the_present_replace_those_of_a_year_before(northwind_connection: Connection) -> None:
    rows = await northwind_connection.fetch(
        "select model, value, band, computed_at, superseded_at from scores where customer_id = $1"
        " order by model, computed_at",
        QUICK,
    )
    before, now = datetime(1997, 5, 6, tzinfo=UTC), NOW
    assert [tuple(row) for row in rows] == [
        ("rfm.frequency", Decimal(10), "5", before, now),
        ("rfm.frequency", Decimal(28), "5", now, None),
        ("rfm.monetary", Decimal("29038.8400"), "5", before, now),
        ("rfm.monetary", Decimal("110277.3050"), "5", now, None),
        ("rfm.recency", Decimal(1), "5", before, now),
        ("rfm.recency", Decimal(22), "3", now, None),
    ]


def test_equal_figures_get_equal_bands() -> None:
    cuts = quintiles([1, 1, 1, 1, 1, 1, 2, 3, 3, 9])
    assert cuts == (1, 1, 1, 3)
    assert [band(figure, cuts) for figure in (0, 1, 2, 3, 9)] == [1, 1, 4, 4, 5]


def test_a_customer_without_orders_has_no_recency() -> None:
    someone = summarize_orders(
        [(NOW - timedelta(days=3), Decimal("9.5000")), (NOW + timedelta(days=1), Decimal(1))], "USD", NOW
    )
    nobody = summarize_orders([], "USD", NOW)
    assert someone == OrderSummary(1, NOW - timedelta(days=3), Decimal("9.5000"), "USD")
    cuts = rfm_cuts([someone, nobody], NOW)
    assert [(score.model, score.value) for score in rfm(someone, cuts, NOW)] == [
        ("rfm.recency", 3),
        ("rfm.frequency", 1),
        ("rfm.monetary", Decimal("9.5000")),
    ]
    nothing = [("rfm.frequency", Decimal(0)), ("rfm.monetary", Decimal(0))]
    assert [(score.model, score.value) for score in rfm(nobody, cuts, NOW)] == nothing


async def test_the_synthetic_set_is_the_same_everywhere(database_dsn: str, synthetic_dsn: str) -> None:
    await load(database_dsn, SYNTHETIC_CUSTOMERS)
    assert await fingerprint(database_dsn) == await fingerprint(synthetic_dsn)


async def test_a_synthetic_order_is_worth_its_items_and_shipped_to_its_customer(
    synthetic_connection: Connection,
) -> None:
    assert (
        await synthetic_connection.fetchval("select count(*) from orders where number like 'S%'")
        == 5 * SYNTHETIC_CUSTOMERS
    )
    wrong = await synthetic_connection.fetch(
        """select o.id from orders o join customers c on c.id = o.customer_id
        join order_items i on i.order_id = o.id where o.number like 'S%'
        group by o.id, c.id having sum(i.net) <> o.net or o.ship_to <> c.name or o.placed_at < c.created_at"""
    )
    assert wrong == []


async def test_synthetic_rows_lie_in_the_order_of_time(synthetic_connection: Connection) -> None:
    text = "select count(*) from (select created_at < lag(created_at) over (order by ctid) as back from {}) as t where back"
    assert [await synthetic_connection.fetchval(text.format(table)) for table in ("orders", "order_items")] == [0, 0]


async def test_synthetic_scores_follow_from_the_rows(synthetic_connection: Connection) -> None:
    wrong = await synthetic_connection.fetch(
        """select c.id from customers c
        join scores n on n.customer_id = c.id and n.model = 'rfm.frequency' and n.current
        join scores m on m.customer_id = c.id and m.model = 'rfm.monetary' and m.current
        left join orders o on o.customer_id = c.id and o.status not in ('DRAFT', 'CANCELLED')
        where c.attributes ? 'synthetic' group by c.id, n.value, m.value
        having n.value <> count(o.id) or m.value <> coalesce(sum(o.net) filter (where o.currency = c.currency), 0)"""
    )
    assert wrong == []


@pytest.mark.parametrize("name", ["王小明", "José García", "Mary Johnson"])
async def test_every_set_has_the_names_that_searches_look_for(synthetic_connection: Connection, name: str) -> None:
    assert await synthetic_connection.fetchval("select count(*) from customers where name = $1", name) == 1


async def test_a_set_does_not_grow(synthetic_dsn: str) -> None:
    before = await counts(synthetic_dsn)
    with pytest.raises(BadInput, match=r"--customers 400: .* holds a synthetic set of 300 customers") as refused:
        await load(synthetic_dsn, 400)
    assert refused.value.argument == "customers"
    assert (await load(synthetic_dsn)).rows == {}
    assert (await load(synthetic_dsn, SYNTHETIC_CUSTOMERS)).rows == {}
    assert await counts(synthetic_dsn) == before


@pytest.mark.parametrize("customers", [-1, 10_000_000])
async def test_a_size_out_of_bounds_is_refused(demo_dsn: str, customers: int) -> None:
    with pytest.raises(BadInput, match="0 to 9,999,999 customers"):
        await load(demo_dsn, customers)


async def test_a_load_that_ends_midway_leaves_nothing_half_written(database_dsn: str) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "scores":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await load(database_dsn, 20, stop)
    assert await counts(database_dsn) == NORTHWIND
    assert (await load(database_dsn, 20)).rows["customers"] == 20


async def test_two_loads_at_once_add_one_set(database_dsn: str) -> None:
    first, second = await asyncio.gather(load(database_dsn, 20), load(database_dsn, 20))
    assert sorted([dict(first.rows), dict(second.rows)], key=len)[0] == {}
    assert (await counts(database_dsn))["customers"] == 91 + 20


async def test_conflicting_rows_are_reported(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    await connection.execute(
        "insert into products (sku, name, category, unit_price, currency) values ('NW-001', 'Chai', 'Tea', 1, 'EUR')"
    )
    await connection.close()
    with pytest.raises(Misconfigured, match=r"products\.csv, line 2: sku: a row with it exists") as refused:
        await load(database_dsn)
    assert refused.value.code == "DATABASE_UNFIT"
    assert (await counts(database_dsn))["customers"] == 0
