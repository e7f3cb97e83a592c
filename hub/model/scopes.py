"""Who may see what: the one builder of visibility predicates. A row outside a viewer's binding is as good as absent.

A viewer without binding sees everything, one bound to a unit what belongs to its subtree, one bound to a customer what is
that customer's. The predicates name four parameters, which hub.engine fills from the viewer, and hold no values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db import change_log
from hub.model.columns import metadata
from hub.viewer import Binding

Predicate = sa.ColumnElement[bool]

# One unit is compared as such: its rows stand together in an index, whatever the plan. Several are given as a list of
# ids rather than looked up by path, so that Postgres sees how many rows they stand for (docs/decisions/0006-units-by-id.md).
UNIT = sa.bindparam("viewer_unit", type_=sa.Uuid())
UNITS = sa.bindparam("viewer_units", type_=ARRAY(sa.Uuid()))
CUSTOMER = sa.bindparam("viewer_customer", type_=sa.Uuid())
KEY = sa.bindparam("viewer_key", type_=sa.Uuid())


def _among(unit_id: sa.ColumnElement[Any], binding: Binding) -> Predicate:
    return unit_id == UNIT if binding == "leaf" else unit_id == sa.any_(UNITS)


def _of_customer_gone(row: sa.FromClause, binding: Binding) -> Predicate:
    """Whether the row's customer was deleted while it was among the viewer's."""
    gone = change_log.LOG.alias("g$log")
    unit = sa.cast(gone.c.before.op("->>")(sa.literal_column("'unit_id'")), sa.Uuid())
    deleted = (gone.c.table_name == sa.literal_column("'customers'"), gone.c.operation == sa.literal_column("'DELETE'"))
    return sa.exists().where(gone.c.row_id == row.c.customer_id, *deleted, _among(unit, binding))


def _of_customer_among(row: sa.FromClause, binding: Binding) -> Predicate:
    if "unit_id" in row.c:
        return _among(row.c.unit_id, binding)
    owner = metadata.tables["customers"].alias("v$customer")  # by name: what customers do needs this file
    return sa.exists().where(owner.c.id == row.c.customer_id, _among(owner.c.unit_id, binding))


def _of_own_key(row: sa.FromClause) -> Predicate:
    """Whether the row's owner is the key that asks."""
    own = metadata.tables["api_keys"].alias("v$key")
    return sa.exists().where(own.c.id == KEY, own.c.public_id == row.c.owner)


@dataclass(frozen=True, slots=True)
class Scope:
    """How the rows of a table are cut: the predicate for viewers bound to units and for those bound to a customer.

    `key` names the column that holds the row's customer, if there is one: links that keep it need no second check."""

    name: str
    key: str | None
    of_units: Callable[[sa.FromClause, Binding], Predicate | None]
    of_customer: Callable[[sa.FromClause], Predicate | None]

    def visible(self, row: sa.FromClause, binding: Binding) -> Predicate | None:
        """The predicate for a viewer of that binding; None where everything is visible."""
        if binding == "none":
            return None
        return self.of_customer(row) if binding == "customer" else self.of_units(row, binding)

    def was_visible(self, row: sa.FromClause, binding: Binding) -> Predicate | None:
        """The same over an image of a row: what went with its customer is told to who saw the customer."""
        found = self.visible(row, binding)
        if found is None or self.key != "customer_id" or binding == "customer" or "unit_id" in row.c:
            return found
        return sa.or_(found, _of_customer_gone(row, binding))


def _nothing(row: sa.FromClause) -> Predicate:
    return sa.false()


customer = Scope(
    "customer",
    key="customer_id",
    of_units=_of_customer_among,
    of_customer=lambda row: row.c.customer_id == CUSTOMER,
)
itself = Scope(
    "itself",
    key="id",
    of_units=lambda row, binding: _among(row.c.unit_id, binding),
    of_customer=lambda row: row.c.id == CUSTOMER,
)
unit = Scope("unit", key=None, of_units=lambda row, binding: _among(row.c.id, binding), of_customer=_nothing)
staff = Scope("staff", key=None, of_units=lambda row, binding: _among(row.c.unit_id, binding), of_customer=_nothing)
everyone = Scope("everyone", key=None, of_units=lambda row, binding: None, of_customer=lambda row: None)

# What belongs to who keeps the hub; of the others, to the key that made it.
keeper = Scope("keeper", key=None, of_units=lambda row, binding: _of_own_key(row), of_customer=_nothing)

SCOPES: dict[sa.Table, Scope] = {}  # of the tables that are written; each kind of rows (writing.py) enters its own


def of(table: sa.Table) -> Scope:
    """The scope of a table's rows; a table that no kind is declared for has none, and nobody may name its rows."""
    return SCOPES[table]
