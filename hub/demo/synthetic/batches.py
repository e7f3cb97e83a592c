"""The steps of the synthetic set: order totals first, then all rows in order of time."""

from collections.abc import Generator, Iterator, Sequence
from decimal import Decimal

from hub.demo.northwind.organisation import NorthwindOrganisation
from hub.demo.northwind.source import NorthwindSource
from hub.demo.rows import Batch, LoadStep, batch, sample_id, to_datetime
from hub.demo.synthetic.countries import build_email, markets
from hub.demo.synthetic.customers import BEGIN, PRESENT, STAFF_PER_OUTLET, YEAR_BEFORE, CustomerGenerator, person_name
from hub.demo.synthetic.order_totals import OrderTotals
from hub.demo.synthetic.orders import OrderGenerator
from hub.demo.synthetic.people import SyntheticCustomers
from hub.demo.synthetic.random_draws import draw
from hub.demo.synthetic.trade import SCORES, GeneratedStaff, SyntheticOrders, score_rows
from hub.schema.organisation.staff import Staff
from hub.schema.scoring.scores import Score

MAX_CUSTOMERS = 9_999_999  # the numbers have seven digits

SUM_BATCH = 50_000
ORDER_BATCH = 5_000
CUSTOMER_BATCH = 1_000
SCORE_BATCH = 10_000
HISTORY_STEP = 10  # every tenth customer also has scores from one year before

TotalsPair = tuple[OrderTotals, OrderTotals]


def load_steps(customers: int, source: NorthwindSource) -> Iterator[LoadStep]:
    """Yields the steps for a number of customers. They share Northwind's units, products and managers."""
    organisation = NorthwindOrganisation(source)
    territories = [territory["territory_id"] for territory in source.territories]
    prices = [int(Decimal(product["unit_price"]) * 100) for product in source.products]
    order_generator = OrderGenerator(CustomerGenerator(customers, len(territories)), prices)
    totals, totals_before = yield from _sum_orders(order_generator)
    cuts = totals.quintile_cuts()
    staff = [_generate_staff(index) for index in range(len(territories) * STAFF_PER_OUTLET)]
    yield LoadStep("staff", len(staff), len(staff), [batch(Staff, [*_staff_rows(staff, organisation, territories)])])
    units = [organisation.unit_id(territory) for territory in territories]
    people = SyntheticCustomers(
        order_generator.customers, totals, cuts, units, [staff_member.id for staff_member in staff]
    )
    products = [organisation.product_id(product["product_id"]) for product in source.products]
    yield from _write_steps(people, SyntheticOrders(order_generator, products, units, staff))
    numbers = range(0, order_generator.customers.count_at(YEAR_BEFORE), HISTORY_STEP)
    yield from _score_steps("scores of a year before", totals_before, numbers, PRESENT)
    yield from _score_steps("scores", totals, range(customers), None)


def _sum_orders(order_generator: OrderGenerator) -> Generator[LoadStep, None, TotalsPair]:
    """Computes the order totals at the present and one year before."""
    totals = OrderTotals.empty(order_generator.customers, PRESENT)
    before = None
    for start in range(0, order_generator.size, SUM_BATCH):
        stop = min(start + SUM_BATCH, order_generator.size)
        for order in order_generator.orders_between(start, stop):
            if before is None and order.placed_at > YEAR_BEFORE:
                before = totals.as_of(YEAR_BEFORE)
            totals.add(order)
        yield LoadStep("orders drawn", stop, order_generator.size, [])
    return totals, before or totals.as_of(YEAR_BEFORE)


def _write_steps(customers: SyntheticCustomers, orders: SyntheticOrders) -> Iterator[LoadStep]:
    """Yields batches of orders, each preceded by the customers created since the previous batch."""
    order_generator, written = orders.order_generator, 0
    for start in range(0, order_generator.size, ORDER_BATCH):
        stop = min(start + ORDER_BATCH, order_generator.size)
        customer_count = order_generator.customers.count_at(order_generator.placed_at(stop - 1))
        for first in range(written, customer_count, CUSTOMER_BATCH):
            customer_batches = customers.batches(first, min(first + CUSTOMER_BATCH, customer_count))
            yield LoadStep("orders", start, order_generator.size, customer_batches)
        yield LoadStep("orders", stop, order_generator.size, orders.batches(start, stop))
        written = customer_count


def _score_steps(stage: str, totals: OrderTotals, numbers: range, superseded: int | None) -> Iterator[LoadStep]:
    cuts = totals.quintile_cuts()
    for start in range(0, len(numbers), SCORE_BATCH):
        batch_numbers = numbers[start : start + SCORE_BATCH]
        rows = list(score_rows(totals, cuts, batch_numbers, superseded))
        yield LoadStep(stage, start + len(batch_numbers), len(numbers), [Batch(Score, SCORES, rows)])


def _generate_staff(index: int) -> GeneratedStaff:
    number = f"S{index + 1:03d}"
    name = person_name(markets()[index % len(markets())], draw(f"staff:{index}")[1])
    return GeneratedStaff(sample_id(Staff, number, BEGIN), number, name.text, build_email(name.words, number.lower()))


def _staff_rows(
    staff: list[GeneratedStaff], organisation: NorthwindOrganisation, territories: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Returns staff for each territory; they report to its employee of Northwind, or to the head."""
    superiors = {
        territory_id: number
        for number, territory_ids in organisation.source.territories_by_employee.items()
        for territory_id in territory_ids
    }
    begin = to_datetime(BEGIN)
    for index, staff_member in enumerate(staff):
        territory = territories[index // STAFF_PER_OUTLET]
        yield {
            "id": staff_member.id,
            "number": staff_member.number,
            "name": staff_member.name,
            "title": "Sales Representative",
            "email": staff_member.email,
            "hired_on": begin.date(),
            "unit_id": organisation.unit_id(territory),
            "reports_to_id": organisation.staff_id(superiors.get(territory, organisation.top_employee)),
            "created_at": begin,
            "updated_at": begin,
        }
