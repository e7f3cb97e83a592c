"""Northwind's orders as rows, their items, and the interactions that they are evidence of.

An order tells that a member of staff took it, that it was sent (if there is a date) and that it was late (if the date is
after the one it was wanted by). By which channel it was taken is not known: a call by the customer's only contact is
assumed. An order that was sent has been edited once since it was placed."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from hub.demo.northwind.customers import Customers
from hub.demo.northwind.organisation import Organisation
from hub.demo.northwind.source import COUNTRIES, CURRENCY, Facts, Record, midnight
from hub.demo.rows import Batch, batch, ident, milliseconds, order_ref
from hub.domain.engagement.interactions import Channel, Direction, Interaction
from hub.domain.sales.orders import Order, OrderItem, OrderStatus


class Trade:
    """Rows of orders and of what came of them."""

    def __init__(self, facts: Facts, organisation: Organisation, customers: Customers) -> None:
        self.facts = facts
        self.organisation = organisation
        self.customers = customers
        self.staff_name = {
            employee["employee_id"]: f"{employee['first_name']} {employee['last_name']}" for employee in facts.employees
        }
        self.contact_name = {customer["customer_id"]: customer["contact_name"] for customer in facts.customers}

    def batches(self) -> list[Batch]:
        orders = self.facts.orders
        interactions = [row for order in orders for row in self._interactions(order)]
        interactions.sort(key=lambda row: (row["occurred_at"], row["id"]))
        return [
            batch(Order, [self._order(order) for order in orders]),
            batch(OrderItem, [row for order in orders for row in self._items(order)]),
            batch(Interaction, interactions),
        ]

    def _order_id(self, order: Record) -> UUID:
        return ident(Order, order["order_id"], milliseconds(midnight(order["order_date"])))

    def _order(self, order: Record) -> dict[str, object]:
        placed = midnight(order["order_date"])
        shipped = midnight(order["shipped_date"]) if order["shipped_date"] else None
        return {
            "id": self._order_id(order),
            "customer_id": self.customers.customer_id(order["customer_id"]),
            "unit_id": self.customers.unit_id(order["customer_id"]),
            "number": order["order_id"],
            "status": OrderStatus.SHIPPED if shipped else OrderStatus.PLACED,
            "placed_at": placed,
            "required_at": midnight(order["required_date"]),
            "shipped_at": shipped,
            "currency": CURRENCY,
            "net": self.facts.net(order["order_id"]),
            "freight": Decimal(order["freight"]),
            "ship_to": order["ship_name"],
            "ship_city": order["ship_city"],
            "ship_country": COUNTRIES[order["ship_country"]][0],
            "staff_id": self.organisation.staff_id(order["employee_id"]),
            "contact_id": self.customers.contact_id(order["customer_id"]),
            "version": 2 if shipped else 1,
            "created_at": placed,
            "updated_at": shipped or placed,
        }

    def _items(self, order: Record) -> Iterator[dict[str, object]]:
        placed = midnight(order["order_date"])
        for line, item in enumerate(self.facts.items[order["order_id"]], 1):
            yield {
                "id": ident(OrderItem, f"{order['order_id']}:{line}", milliseconds(placed)),
                "customer_id": self.customers.customer_id(order["customer_id"]),
                "order_id": self._order_id(order),
                "line": line,
                "product_id": self.organisation.product_id(item["product_id"]),
                "quantity": int(item["quantity"]),
                "unit_price": Decimal(item["unit_price"]),
                "discount": Decimal(item["discount"]),
                "currency": CURRENCY,
                "created_at": placed,
                "updated_at": placed,
            }

    def _interactions(self, order: Record) -> Iterator[dict[str, object]]:
        yield self._taken(order)
        if order["shipped_date"]:
            yield self._sent(order)
            if order["shipped_date"] > order["required_date"]:
                yield self._late(order)

    def _interaction(self, order: Record, kind: str, occurred: datetime) -> dict[str, object]:
        """What all interactions about an order have in common."""
        return {
            "id": ident(Interaction, f"{order['order_id']}:{kind}", milliseconds(occurred)),
            "customer_id": self.customers.customer_id(order["customer_id"]),
            "unit_id": self.customers.unit_id(order["customer_id"]),
            "order_id": self._order_id(order),
            "kind": kind,
            "occurred_at": occurred,
            "created_at": occurred,
            "updated_at": occurred,
        }

    def _named(self, order: Record) -> str:
        return f"{order['order_id']} ({order_ref(self._order_id(order))})"

    def _taken(self, order: Record) -> dict[str, object]:
        count = len(self.facts.items[order["order_id"]])
        staff, contact = self.staff_name[order["employee_id"]], self.contact_name[order["customer_id"]]
        amount = f"{self.facts.net(order['order_id']):.4f} {CURRENCY}"
        return self._interaction(order, "order.taken", midnight(order["order_date"])) | {
            "channel": Channel.PHONE,
            "direction": Direction.INBOUND,
            "subject": f"Order {order['order_id']} taken by {staff}",
            "body": f"{staff} took order {self._named(order)} from {contact}: "
            f"{count} {'item' if count == 1 else 'items'}, {amount} net, wanted by {order['required_date']}.",
            "staff_id": self.organisation.staff_id(order["employee_id"]),
            "contact_id": self.customers.contact_id(order["customer_id"]),
        }

    def _sent(self, order: Record) -> dict[str, object]:
        shipped, placed = midnight(order["shipped_date"]), midnight(order["order_date"])
        early = (midnight(order["required_date"]) - shipped).days
        due = f"{days(abs(early))} {'before' if early > 0 else 'after'} it was wanted" if early else "just in time"
        waited = days((shipped - placed).days)
        return self._interaction(order, "shipment.sent", shipped) | {
            "channel": Channel.POST,
            "direction": Direction.OUTBOUND,
            "subject": f"Order {order['order_id']} sent to {order['ship_city']}",
            "body": f"Order {self._named(order)} left for {order['ship_city']}, {order['ship_country']}, "
            f"with {self.facts.shippers[order['ship_via']]}, {waited} after it was placed, {due}.",
            "staff_id": None,
            "contact_id": None,
        }

    def _late(self, order: Record) -> dict[str, object]:
        late = days((midnight(order["shipped_date"]) - midnight(order["required_date"])).days)
        return self._interaction(order, "shipment.late", midnight(order["shipped_date"])) | {
            "channel": Channel.POST,
            "direction": Direction.INTERNAL,
            "subject": f"Order {order['order_id']} sent {late} late",
            "body": f"Order {self._named(order)} was wanted by {order['required_date']} and left with "
            f"{self.facts.shippers[order['ship_via']]} on {order['shipped_date']}: {late} late.",
            "staff_id": None,
            "contact_id": None,
        }


def days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"
