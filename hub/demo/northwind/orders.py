"""Northwind's orders: their keys, the facts that no file states, and the interactions that follow from them.

An order shows that an employee took it, that it was shipped (if it has a date) and that it was late (if it was shipped after the
required date). The channel is unknown: a call by the customer's only contact is assumed. A shipped order has version 2."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from hub.demo.northwind.customers import NorthwindCustomers
from hub.demo.northwind.organisation import NorthwindOrganisation
from hub.demo.northwind.source import CURRENCY, CsvRecord, NorthwindSource, midnight
from hub.demo.rows import Batch, batch, order_api_id, sample_id, to_milliseconds
from hub.schema.engagement.interactions import Channel, Direction, Interaction
from hub.schema.sales.orders import Order, OrderItem


class NorthwindOrders:
    """Ids of orders and items by Northwind's numbers, and interactions."""

    def __init__(
        self, source: NorthwindSource, organisation: NorthwindOrganisation, customers: NorthwindCustomers
    ) -> None:
        self.source = source
        self.organisation = organisation
        self.customers = customers
        self._placed_at = {order["order_id"]: midnight(order["order_date"]) for order in source.orders}
        self.staff_names = {
            employee["employee_id"]: f"{employee['first_name']} {employee['last_name']}"
            for employee in source.employees
        }
        self.contact_names = {customer["customer_id"]: customer["contact_name"] for customer in source.customers}

    def batches(self) -> list[Batch]:
        """The interactions, in the order of time."""
        interactions = [row for order in self.source.orders for row in self._interactions(order)]
        interactions.sort(key=lambda row: (row["occurred_at"], row["id"]))
        return [batch(Interaction, interactions)]

    def facts(self) -> list[Mapping[str, object]]:
        """The columns of each order that follow from what is known of its customer, with its id."""
        return [self._facts(order) for order in self.source.orders]

    def _facts(self, order: CsvRecord) -> Mapping[str, object]:
        placed_at = midnight(order["order_date"])
        shipped_at = midnight(order["shipped_date"]) if order["shipped_date"] else None
        return {
            "id": self.order_id(order["order_id"]),
            "contact_id": self.customers.contact_id(order["customer_id"]),
            "version": 2 if shipped_at else 1,
            "created_at": placed_at,
            "updated_at": shipped_at or placed_at,
        }

    def order_id(self, number: str) -> UUID:
        return sample_id(Order, number, to_milliseconds(self._placed_at[number]))

    def item_id(self, number: str, line: int) -> UUID:
        return sample_id(OrderItem, f"{number}:{line}", to_milliseconds(self._placed_at[number]))

    def _interactions(self, order: CsvRecord) -> Iterator[dict[str, object]]:
        yield self._order_taken(order)
        if order["shipped_date"]:
            yield self._shipment_sent(order)
            if order["shipped_date"] > order["required_date"]:
                yield self._shipment_late(order)

    def _interaction(self, order: CsvRecord, interaction_kind: str, occurred_at: datetime) -> dict[str, object]:
        """Returns the columns that all interactions about an order share."""
        return {
            "id": sample_id(Interaction, f"{order['order_id']}:{interaction_kind}", to_milliseconds(occurred_at)),
            "customer_id": self.customers.customer_id(order["customer_id"]),
            "unit_id": self.customers.unit_id(order["customer_id"]),
            "owner_id": self.customers.owner_id(order["customer_id"]),
            "order_id": self.order_id(order["order_id"]),
            "kind": interaction_kind,
            "occurred_at": occurred_at,
            "created_at": occurred_at,
            "updated_at": occurred_at,
        }

    def _order_label(self, order: CsvRecord) -> str:
        return f"{order['order_id']} ({order_api_id(self.order_id(order['order_id']))})"

    def _order_taken(self, order: CsvRecord) -> dict[str, object]:
        count = len(self.source.items[order["order_id"]])
        staff, contact = self.staff_names[order["employee_id"]], self.contact_names[order["customer_id"]]
        amount = f"{self.source.order_net(order['order_id']):.4f} {CURRENCY}"
        return self._interaction(order, "order.taken", midnight(order["order_date"])) | {
            "channel": Channel.PHONE,
            "direction": Direction.INBOUND,
            "subject": f"Order {order['order_id']} taken by {staff}",
            "body": f"{staff} took order {self._order_label(order)} from {contact}: "
            f"{count} {'item' if count == 1 else 'items'}, {amount} net, wanted by {order['required_date']}.",
            "staff_id": self.organisation.staff_id(order["employee_id"]),
            "contact_id": self.customers.contact_id(order["customer_id"]),
        }

    def _shipment_sent(self, order: CsvRecord) -> dict[str, object]:
        shipped_at, placed_at = midnight(order["shipped_date"]), midnight(order["order_date"])
        days_early = (midnight(order["required_date"]) - shipped_at).days
        due = (
            f"{days_text(abs(days_early))} {'before' if days_early > 0 else 'after'} it was wanted"
            if days_early
            else "just in time"
        )
        waited = days_text((shipped_at - placed_at).days)
        return self._interaction(order, "shipment.sent", shipped_at) | {
            "channel": Channel.POST,
            "direction": Direction.OUTBOUND,
            "subject": f"Order {order['order_id']} sent to {order['ship_city']}",
            "body": f"Order {self._order_label(order)} left for {order['ship_city']}, {order['ship_country']}, "
            f"with {self.source.shippers[order['ship_via']]}, {waited} after it was placed, {due}.",
            "staff_id": None,
            "contact_id": None,
        }

    def _shipment_late(self, order: CsvRecord) -> dict[str, object]:
        delay = days_text((midnight(order["shipped_date"]) - midnight(order["required_date"])).days)
        return self._interaction(order, "shipment.late", midnight(order["shipped_date"])) | {
            "channel": Channel.POST,
            "direction": Direction.INTERNAL,
            "subject": f"Order {order['order_id']} sent {delay} late",
            "body": f"Order {self._order_label(order)} was wanted by {order['required_date']} and left with "
            f"{self.source.shippers[order['ship_via']]} on {order['shipped_date']}: {delay} late.",
            "staff_id": None,
            "contact_id": None,
        }


def days_text(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"
