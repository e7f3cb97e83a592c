"""Visibility: the one builder of the predicates that limit a viewer to its rows. A hidden row is as good as absent.

A viewer without binding sees everything but what single keys own, one bound to a unit what belongs to its subtree, one
bound to a customer what is that customer's. The predicates name five parameters, which hub.engine fills from the viewer,
and hold no values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db import change_log
from hub.model.columns import metadata
from hub.viewer import Binding, Role, Viewer

RowPredicate = sa.ColumnElement[bool]

# One unit is compared as such: its rows stand together in an index, whatever the plan. Several are given as a list of
# ids rather than looked up by path, so that Postgres sees how many rows they stand for (docs/decisions/0006-units-by-id.md).
VIEWER_UNIT = sa.bindparam("viewer_unit", type_=sa.Uuid())
VIEWER_UNITS = sa.bindparam("viewer_units", type_=ARRAY(sa.Uuid()))
VIEWER_CUSTOMER = sa.bindparam("viewer_customer", type_=sa.Uuid())
VIEWER_KEY = sa.bindparam("viewer_key", type_=sa.Uuid())
VIEWER_ADMIN = sa.bindparam("viewer_admin", type_=sa.Boolean())


def _in_viewer_units(unit_id: sa.ColumnElement[Any], binding: Binding) -> RowPredicate:
    return unit_id == VIEWER_UNIT if binding == "single_unit" else unit_id == sa.any_(VIEWER_UNITS)


def _deleted_customer_in_viewer_units(row: sa.FromClause, binding: Binding) -> RowPredicate:
    """Whether the row's customer was deleted while it was among the viewer's."""
    log = change_log.CHANGE_LOG.alias("g$log")
    unit_id = sa.cast(log.c.before.op("->>")(sa.literal_column("'unit_id'")), sa.Uuid())
    deleted = (log.c.table_name == sa.literal_column("'customers'"), log.c.operation == sa.literal_column("'DELETE'"))
    return sa.exists().where(log.c.row_id == row.c.customer_id, *deleted, _in_viewer_units(unit_id, binding))


def _customer_in_viewer_units(row: sa.FromClause, binding: Binding) -> RowPredicate:
    if "unit_id" in row.c:
        return _in_viewer_units(row.c.unit_id, binding)
    owner = metadata.tables["customers"].alias("v$customer")  # by name: what customers do needs this file
    return sa.exists().where(owner.c.id == row.c.customer_id, _in_viewer_units(owner.c.unit_id, binding))


def _owned_by_viewer_key(row: sa.FromClause) -> RowPredicate:
    """Whether the row's owner is the key that asks."""
    api_key = metadata.tables["api_keys"].alias("v$key")
    return sa.exists().where(api_key.c.id == VIEWER_KEY, api_key.c.public_id == row.c.owner)


def _owned_by_viewer_key_or_admin(row: sa.FromClause) -> RowPredicate:
    """Whether the row's owner is the key that asks, or that key is an admin's."""
    return sa.or_(VIEWER_ADMIN, _owned_by_viewer_key(row))


def _everything(row: sa.FromClause) -> RowPredicate | None:
    return None


@dataclass(frozen=True, slots=True)
class Scope:
    """How the rows of a table are cut: the predicates for viewers bound to units, to a customer, and to nothing.

    `customer_column` names the column that holds the row's customer, if there is one: links that keep it need no second check."""

    name: str
    customer_column: str | None
    for_units: Callable[[sa.FromClause, Binding], RowPredicate | None]
    for_customer: Callable[[sa.FromClause], RowPredicate | None]
    for_unrestricted: Callable[[sa.FromClause], RowPredicate | None] = _everything

    def predicate(self, row: sa.FromClause, binding: Binding) -> RowPredicate | None:
        """The predicate for a viewer of that binding; None where everything is visible."""
        if binding == "unrestricted":
            return self.for_unrestricted(row)
        return self.for_customer(row) if binding == "customer" else self.for_units(row, binding)

    def image_predicate(self, row: sa.FromClause, binding: Binding) -> RowPredicate | None:
        """The same over an image of a row: rows deleted with their customer are visible to those who saw the customer."""
        condition = self.predicate(row, binding)
        if condition is None or self.customer_column != "customer_id" or binding == "customer" or "unit_id" in row.c:
            return condition
        return sa.or_(condition, _deleted_customer_in_viewer_units(row, binding))


def _no_rows(row: sa.FromClause) -> RowPredicate:
    return sa.false()


customer_owned = Scope(
    "customer_owned",
    customer_column="customer_id",
    for_units=_customer_in_viewer_units,
    for_customer=lambda row: row.c.customer_id == VIEWER_CUSTOMER,
)
customer_itself = Scope(
    "customer_itself",
    customer_column="id",
    for_units=lambda row, binding: _in_viewer_units(row.c.unit_id, binding),
    for_customer=lambda row: row.c.id == VIEWER_CUSTOMER,
)
unit_itself = Scope(
    "unit_itself",
    customer_column=None,
    for_units=lambda row, binding: _in_viewer_units(row.c.id, binding),
    for_customer=_no_rows,
)
unit_owned = Scope(
    "unit_owned",
    customer_column=None,
    for_units=lambda row, binding: _in_viewer_units(row.c.unit_id, binding),
    for_customer=_no_rows,
)
any_key = Scope("any_key", customer_column=None, for_units=lambda row, binding: None, for_customer=lambda row: None)

# Rows of the key that created them; an unrestricted admin sees those of all keys.
key_owned = Scope(
    "key_owned",
    customer_column=None,
    for_units=lambda row, binding: _owned_by_viewer_key(row),
    for_customer=_no_rows,
    for_unrestricted=_owned_by_viewer_key_or_admin,
)

# Rows that only unrestricted admins see: what they administer.
administered = Scope(
    "administered",
    customer_column=None,
    for_units=lambda row, binding: sa.false(),
    for_customer=_no_rows,
    for_unrestricted=lambda row: VIEWER_ADMIN,
)

_registry: dict[sa.Table, Scope] = {}


def register(table: sa.Table, scope: Scope) -> None:
    """Declares the scope of a table's rows."""
    _registry[table] = scope


def scope_of(table: sa.Table) -> Scope:
    """The scope of a table's rows; a table that is no entity's has none, and no row may refer to it."""
    return _registry[table]


# The values of the parameters that predicates name, from the viewer.
VIEWER_ARGUMENTS: dict[str, Callable[[Viewer], Any]] = {
    "viewer_unit": lambda viewer: viewer.unit_ids[0],
    "viewer_units": lambda viewer: viewer.unit_ids,
    "viewer_customer": lambda viewer: viewer.customer_id,
    "viewer_key": lambda viewer: viewer.key_id,
    "viewer_admin": lambda viewer: viewer.role is Role.ADMIN,
}
