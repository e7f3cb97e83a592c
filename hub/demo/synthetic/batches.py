"""The synthetic set step by step: first its orders are summed up, then everything is written in the order of time."""

from collections.abc import Generator, Iterator, Sequence
from decimal import Decimal

from hub.demo.northwind.organisation import Organisation
from hub.demo.northwind.source import Facts
from hub.demo.rows import Batch, Chunk, batch, ident, moment
from hub.demo.synthetic.countries import mail, markets
from hub.demo.synthetic.customers import BEGIN, PRESENT, STAFF_PER_OUTLET, YEAR_BEFORE, Accounts, person_in
from hub.demo.synthetic.order_totals import Ledger
from hub.demo.synthetic.orders import Deals
from hub.demo.synthetic.people import People
from hub.demo.synthetic.random_draws import draw
from hub.demo.synthetic.trade import SCORES, Helper, Trade, score_rows
from hub.domain.organisation.organisation import Staff
from hub.domain.scoring.scores import Score

MOST = 9_999_999  # the numbers have seven digits

SUMMED_AT_ONCE = 50_000
ORDERS_AT_ONCE = 5_000
CUSTOMERS_AT_ONCE = 1_000
SCORED_AT_ONCE = 10_000
HISTORY_STEP = 10  # every tenth customer has scores of a year before as well

Summed = tuple[Ledger, Ledger]


def chunks(customers: int, facts: Facts) -> Iterator[Chunk]:
    """So many customers and all that is theirs. They share Northwind's units, products and superiors."""
    organisation = Organisation(facts)
    territories = [territory["territory_id"] for territory in facts.territories]
    prices = [int(Decimal(product["unit_price"]) * 100) for product in facts.products]
    deals = Deals(Accounts(customers, len(territories)), prices)
    ledger, ledger_before = yield from _summed(deals)
    cuts = ledger.cuts()
    helpers = [_helper(index) for index in range(len(territories) * STAFF_PER_OUTLET)]
    yield Chunk("staff", len(helpers), len(helpers), [batch(Staff, [*_staff(helpers, organisation, territories)])])
    units = [organisation.unit_id(territory) for territory in territories]
    people = People(deals.accounts, ledger, cuts, units, [helper.id for helper in helpers])
    products = [organisation.product_id(product["product_id"]) for product in facts.products]
    yield from _written(people, Trade(deals, products, units, helpers))
    numbers = range(0, deals.accounts.known(YEAR_BEFORE), HISTORY_STEP)
    yield from _scored("scores of a year before", ledger_before, numbers, PRESENT)
    yield from _scored("scores", ledger, range(customers), None)


def _summed(deals: Deals) -> Generator[Chunk, None, Summed]:
    """The ledger at the present, and as it stood a year before."""
    ledger = Ledger.empty(deals.accounts, PRESENT)
    before = None
    for start in range(0, deals.size, SUMMED_AT_ONCE):
        stop = min(start + SUMMED_AT_ONCE, deals.size)
        for deal in deals.between(start, stop):
            if before is None and deal.placed > YEAR_BEFORE:
                before = ledger.as_of(YEAR_BEFORE)
            ledger.enter(deal)
        yield Chunk("orders drawn", stop, deals.size, [])
    return ledger, before or ledger.as_of(YEAR_BEFORE)


def _written(people: People, trade: Trade) -> Iterator[Chunk]:
    """Orders, some at once, and before them the customers who came meanwhile."""
    deals, written = trade.deals, 0
    for start in range(0, deals.size, ORDERS_AT_ONCE):
        stop = min(start + ORDERS_AT_ONCE, deals.size)
        known = deals.accounts.known(deals.placed(stop - 1))
        for first in range(written, known, CUSTOMERS_AT_ONCE):
            some = people.batches(first, min(first + CUSTOMERS_AT_ONCE, known))
            yield Chunk("orders", start, deals.size, some)
        yield Chunk("orders", stop, deals.size, trade.batches(start, stop))
        written = known


def _scored(stage: str, ledger: Ledger, numbers: range, superseded: int | None) -> Iterator[Chunk]:
    cuts = ledger.cuts()
    for start in range(0, len(numbers), SCORED_AT_ONCE):
        some = numbers[start : start + SCORED_AT_ONCE]
        rows = list(score_rows(ledger, cuts, some, superseded))
        yield Chunk(stage, start + len(some), len(numbers), [Batch(Score, SCORES, rows)])


def _helper(index: int) -> Helper:
    number = f"S{index + 1:03d}"
    name = person_in(markets()[index % len(markets())], draw(f"staff:{index}")[1])
    return Helper(ident(Staff, number, BEGIN), number, name.text, mail(name.words, number.lower()))


def _staff(
    helpers: list[Helper], organisation: Organisation, territories: Sequence[str]
) -> Iterator[dict[str, object]]:
    """Some for each territory, who report to the employee of Northwind who looks after it, or to the head."""
    superiors = {each: number for number, found in organisation.facts.territories_of.items() for each in found}
    begin = moment(BEGIN)
    for index, helper in enumerate(helpers):
        territory = territories[index // STAFF_PER_OUTLET]
        yield {
            "id": helper.id,
            "number": helper.number,
            "name": helper.name,
            "title": "Sales Representative",
            "email": helper.email,
            "hired_on": begin.date(),
            "unit_id": organisation.unit_id(territory),
            "reports_to_id": organisation.staff_id(superiors.get(territory, organisation.head)),
            "created_at": begin,
            "updated_at": begin,
        }
