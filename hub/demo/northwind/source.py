"""Reads Northwind's files once, and derives facts that several kinds of rows need. Writes no rows.

The data ends on 1998-05-06, which is its present. Dates are midnights in UTC; all amounts are in US dollars."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from importlib import resources

from hub.domain.scoring.rfm import OrderSummary, summarize_orders

CsvRecord = Mapping[str, str]

CURRENCY = "USD"
BEGIN = datetime(1996, 7, 1, tzinfo=UTC)  # start of the month of the first order
PRESENT = datetime(1998, 5, 6, tzinfo=UTC)
YEAR_BEFORE = datetime(1997, 5, 6, tzinfo=UTC)

# Country name in the files: ISO codes of country, language and today's currency.
COUNTRIES = {
    "Argentina": ("AR", "es", "ARS"),
    "Austria": ("AT", "de", "EUR"),
    "Belgium": ("BE", "nl", "EUR"),
    "Brazil": ("BR", "pt", "BRL"),
    "Canada": ("CA", "en", "CAD"),
    "Denmark": ("DK", "da", "DKK"),
    "Finland": ("FI", "fi", "EUR"),
    "France": ("FR", "fr", "EUR"),
    "Germany": ("DE", "de", "EUR"),
    "Ireland": ("IE", "en", "EUR"),
    "Italy": ("IT", "it", "EUR"),
    "Mexico": ("MX", "es", "MXN"),
    "Norway": ("NO", "nb", "NOK"),
    "Poland": ("PL", "pl", "PLN"),
    "Portugal": ("PT", "pt", "EUR"),
    "Spain": ("ES", "es", "EUR"),
    "Sweden": ("SE", "sv", "SEK"),
    "Switzerland": ("CH", "de", "CHF"),
    "UK": ("GB", "en", "GBP"),
    "USA": ("US", "en", "USD"),
    "Venezuela": ("VE", "es", "VES"),
}


def read(name: str) -> list[CsvRecord]:
    """Returns the records of a file, with values stripped of blanks."""
    text = resources.files("hub.demo").joinpath("northwind", f"{name}.csv").read_text("utf-8")
    return [
        {key: value.strip() for key, value in record.items()}
        for record in csv.DictReader(io.StringIO(text, newline=""))
    ]


def midnight(date: str) -> datetime:
    return datetime.fromisoformat(date).replace(tzinfo=UTC)


def item_net(item: CsvRecord) -> Decimal:
    """Returns quantity times price, less the discount; exact."""
    return Decimal(item["unit_price"]) * int(item["quantity"]) * (1 - Decimal(item["discount"]))


@dataclass(frozen=True)
class NorthwindSource:
    """The records of the files, and facts by order and customer."""

    customers: Sequence[CsvRecord]
    employees: Sequence[CsvRecord]
    territories: Sequence[CsvRecord]
    regions: Sequence[CsvRecord]
    placements: Sequence[CsvRecord]
    products: Sequence[CsvRecord]
    categories: Mapping[str, str]
    shippers: Mapping[str, str]
    orders: Sequence[CsvRecord]
    items: Mapping[str, Sequence[CsvRecord]]

    @cached_property
    def orders_by_customer(self) -> Mapping[str, Sequence[CsvRecord]]:
        """Returns a customer's orders, oldest first."""
        by_customer = defaultdict(list)
        for order in sorted(self.orders, key=lambda order: (order["order_date"], int(order["order_id"]))):
            by_customer[order["customer_id"]].append(order)
        return by_customer

    @cached_property
    def territories_by_employee(self) -> Mapping[str, Sequence[str]]:
        """Returns an employee's territories, lowest number first."""
        by_employee = defaultdict(list)
        for placement in sorted(self.placements, key=lambda placement: placement["territory_id"]):
            by_employee[placement["employee_id"]].append(placement["territory_id"])
        return by_employee

    @cached_property
    def owner_by_customer(self) -> Mapping[str, str]:
        """Returns a customer's owner: the employee with most of the orders; ties go to the latest order, then to the
        lowest number. Customers without orders have no owner."""
        owners = {}
        for customer_id, orders in self.orders_by_customer.items():
            order_counts = Counter(order["employee_id"] for order in orders)
            latest = {order["employee_id"]: order["order_date"] for order in orders}
            owners[customer_id] = max(
                order_counts, key=lambda number: (order_counts[number], latest[number], -int(number))
            )
        return owners

    @cached_property
    def territory_by_customer(self) -> Mapping[str, str]:
        """Returns a customer's territory: an owner's customers, sorted by id, are assigned round-robin to the owner's
        territories."""
        dealt_counts: Counter[str] = Counter()
        by_customer = {}
        for customer_id, number in sorted(self.owner_by_customer.items()):
            territories = self.territories_by_employee[number]
            by_customer[customer_id] = territories[dealt_counts[number] % len(territories)]
            dealt_counts[number] += 1
        return by_customer

    @cached_property
    def customer_since(self) -> Mapping[str, datetime]:
        """Returns when a customer was created: at the first order, or without orders at the beginning of the data."""
        return {
            customer["customer_id"]: midnight(orders[0]["order_date"])
            if (orders := self.orders_by_customer.get(customer["customer_id"]))
            else BEGIN
            for customer in self.customers
        }

    def order_net(self, order_id: str) -> Decimal:
        return sum((item_net(item) for item in self.items[order_id]), Decimal(0))

    def order_summary(self, customer_id: str, as_of: datetime) -> OrderSummary:
        orders = self.orders_by_customer.get(customer_id, ())
        amounts = [(midnight(order["order_date"]), self.order_net(order["order_id"])) for order in orders]
        return summarize_orders(amounts, CURRENCY, as_of)


def read_source() -> NorthwindSource:
    """Reads all files that the hub has tables for."""
    items = defaultdict(list)
    for item in read("order_details"):
        items[item["order_id"]].append(item)
    return NorthwindSource(
        customers=read("customers"),
        employees=read("employees"),
        territories=read("territories"),
        regions=read("region"),
        placements=read("employee_territories"),
        products=read("products"),
        categories={category["category_id"]: category["category_name"] for category in read("categories")},
        shippers={shipper["shipper_id"]: shipper["company_name"] for shipper in read("shippers")},
        orders=read("orders"),
        items=items,
    )
