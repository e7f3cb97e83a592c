"""Northwind's products, customers and orders: imported by the mappings beside the files, as anybody's files are.

The files say nothing of units, owners, stages, tiers, and times of creation. Steps behind the imports write these."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from itertools import islice
from uuid import UUID

from hub.db.pool import Connection
from hub.demo.northwind.customers import NorthwindCustomers
from hub.demo.northwind.orders import NorthwindOrders
from hub.demo.northwind.source import BEGIN, PRESENT
from hub.demo.rows import LoadProgress, amend, to_datetime
from hub.domain.customers.observations import NormalizedIdentifier
from hub.domain.exchange.mapping import parse_mapping
from hub.domain.exchange.mapping_types import ImportMode
from hub.errors import Misconfigured
from hub.jobs.import_files import read_lines, survey
from hub.jobs.import_rows import PlannedRow, RowStamps
from hub.jobs.import_run import BATCH, require_columns
from hub.jobs.import_writer import ImportWriter
from hub.schema.customers.addresses import Address
from hub.schema.customers.contacts import Contact, ContactPoint
from hub.schema.customers.customers import Customer, Identifier, IdentifierKind
from hub.schema.sales.orders import Order, OrderItem
from hub.schema.sales.products import Product
from hub.viewer import ADMIN

FILE_LIMIT = 10_000_000  # bytes
STAGE = "Northwind"
FILES = ("products", "customers", "orders", "order_details")


class NorthwindStamps(RowStamps):
    """The ids and times of the sample rows, which are the same on every machine."""

    def __init__(self, customers: NorthwindCustomers, orders: NorthwindOrders) -> None:
        self._customers = customers
        self._orders = orders
        self._lines: Counter[UUID] = Counter()  # of each order, as its items come
        keys = [customer["customer_id"] for customer in customers.source.customers]
        self._customer_keys = {customers.customer_id(key): key for key in keys}
        self._contact_keys = {customers.contact_id(key): key for key in keys}
        self._numbers = {orders.order_id(order["order_id"]): order["order_id"] for order in orders.source.orders}

    def of_row(self, row: PlannedRow) -> UUID:
        entity, values = row.source.entity, row.values
        if entity is Product:
            return self._orders.organisation.product_id(str(int(values["sku"].removeprefix("NW-"))))
        if entity is Customer:
            external = (i.identifier for i in row.identifiers if i.identifier.identifier_kind == "EXTERNAL_ID")
            return self._customers.customer_id(next(external).value)
        if entity is Order:
            return self._orders.order_id(values["number"])
        if entity is OrderItem:
            self._lines[values["order_id"]] += 1
            return self._orders.item_id(self._numbers[values["order_id"]], self._lines[values["order_id"]])
        if entity is ContactPoint:
            return self._customers.part_id(entity, self._contact_keys[_key(row, "contact_id")], values["kind"].lower())
        return self._customers.part_id(entity, self._customer_keys[_key(row, "customer_id")], "")

    def created_at(self, row: PlannedRow) -> datetime:
        """The time that the row's id begins with."""
        assert row.key is not None
        return to_datetime(row.key.int >> 80)

    def of_identifier(self, row: PlannedRow, identifier: NormalizedIdentifier) -> UUID:
        assert row.key is not None
        return self._customers.part_id(
            Identifier, self._customer_keys[row.key], IdentifierKind(identifier.identifier_kind).value
        )


def _key(row: PlannedRow, column: str) -> UUID:
    """The key of a row of the same line that a row refers to."""
    linked: PlannedRow = row.values[column]
    assert linked.key is not None
    return linked.key


async def import_northwind(
    connection: Connection, customers: NorthwindCustomers, orders: NorthwindOrders, progress: LoadProgress
) -> Counter[str]:
    """Imports the files in the caller's transaction; returns the number of rows that came, by table.

    Raises Misconfigured for a database that has rows with the same numbers."""
    stamps, counts = NorthwindStamps(customers, orders), Counter[str]()
    for index, name in enumerate(FILES):
        counts += await _import_file(connection, name, stamps, BEGIN if name == "products" else PRESENT)
        if name == "customers":  # orders take the unit and the owner of their customer
            await amend(connection, Customer, customers.facts())
        progress(STAGE, index, len(FILES))
    await amend(connection, Order, orders.facts())
    entities = (Product, Customer, Identifier, Contact, ContactPoint, Address, Order, OrderItem)
    return Counter({entity.table.name: counts[f"{entity.__name__}.created"] for entity in entities})


async def _import_file(connection: Connection, name: str, stamps: RowStamps, now: datetime) -> Mapping[str, int]:
    folder = resources.files("hub.demo").joinpath("northwind")
    mapping = parse_mapping(folder.joinpath(f"{name}.toml").read_text("utf-8"))
    writer = ImportWriter(mapping, ImportMode.CREATE, ADMIN, stamps)
    counts: Counter[str] = Counter()
    with resources.as_file(folder.joinpath(f"{name}.csv")) as path:
        layout = survey(path, mapping.file, FILE_LIMIT)
        require_columns(mapping, layout)
        lines = read_lines(path, layout, FILE_LIMIT)
        while batch := await asyncio.to_thread(lambda: list(islice(lines, BATCH))):
            outcome = await writer.write_batch(connection, batch, now)
            if outcome.rejects:
                reject = outcome.rejects[0]
                raise Misconfigured(
                    f"The sample data conflicts with existing rows: {name}.csv, line {reject.line}: {reject.message} Sample "
                    "rows were changed, or other rows have their numbers. Load it into a new database.",
                    code="DATABASE_UNFIT",
                )
            counts += outcome.counts
    return counts
