"""Who may see what: the one builder of visibility predicates. A row outside a viewer's binding is as good as absent.

A viewer without binding sees everything, one bound to a unit what belongs to its subtree, one bound to a customer what is
that customer's. The predicates name two parameters, `viewer_unit` and `viewer_customer`, and hold no values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from hub.domain.customers import Customer
from hub.domain.org import OrgUnit
from hub.domain.tables import Ltree

Binding = Literal["none", "unit", "customer"]
Predicate = sa.ColumnElement[bool]

UNIT = sa.cast(sa.bindparam("viewer_unit", type_=sa.Text()), Ltree())
CUSTOMER = sa.bindparam("viewer_customer", type_=sa.Uuid())


def _in_subtree(unit_id: sa.ColumnElement[object]) -> Predicate:
    unit = OrgUnit.alias("v$unit")
    return unit_id.in_(sa.select(unit.c.id).where(unit.c.path.op("<@", is_comparison=True)(UNIT)))


def _of_visible_customer(customer_id: sa.ColumnElement[object]) -> Predicate:
    owner = Customer.alias("v$customer")
    return sa.exists().where(owner.c.id == customer_id, _in_subtree(owner.c.unit_id))


@dataclass(frozen=True, slots=True)
class Scope:
    """How the rows of a table are cut: the predicate for viewers bound to a unit and for those bound to a customer.

    `key` names the column that holds the row's customer, if there is one: links that keep it need no second check."""

    name: str
    key: str | None
    of_unit: Callable[[sa.FromClause], Predicate | None]
    of_customer: Callable[[sa.FromClause], Predicate | None]

    def visible(self, row: sa.FromClause, binding: Binding) -> Predicate | None:
        """The predicate for a viewer of that binding; None where everything is visible."""
        if binding == "none":
            return None
        return self.of_unit(row) if binding == "unit" else self.of_customer(row)


def _nothing(row: sa.FromClause) -> Predicate:
    return sa.false()


def _everything(row: sa.FromClause) -> None:
    return None


customer = Scope(
    "customer",
    key="customer_id",
    of_unit=lambda row: _of_visible_customer(row.c.customer_id),
    of_customer=lambda row: row.c.customer_id == CUSTOMER,
)
itself = Scope(
    "itself",
    key="id",
    of_unit=lambda row: _in_subtree(row.c.unit_id),
    of_customer=lambda row: row.c.id == CUSTOMER,
)
unit = Scope(
    "unit",
    key=None,
    of_unit=lambda row: row.c.path.op("<@", is_comparison=True)(UNIT),
    of_customer=_nothing,
)
staff = Scope(
    "staff",
    key=None,
    of_unit=lambda row: _in_subtree(row.c.unit_id),
    of_customer=_nothing,
)
everyone = Scope("everyone", key=None, of_unit=_everything, of_customer=_everything)
