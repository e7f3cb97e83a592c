"""Visibility: the one builder of the predicates that limit a viewer to its rows. A hidden row is as good as absent.

A viewer without binding sees everything but what single keys own and what is about single people. One bound to a unit sees
what belongs to its subtree, one bound to a customer what is for that customer. Roles narrow that by row filters, which
hub.engine compiles. The predicates name parameters, which are filled from the viewer, and hold no values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db import change_log
from hub.model import registry
from hub.model.columns import DescribedEnum, metadata
from hub.rights import AccessRule, Binding, Rights, Verb
from hub.text_case import camel_case
from hub.viewer import Viewer

RowPredicate = sa.ColumnElement[bool]

# One unit is compared as such: its rows stand together in an index, whatever the plan. Several are given as a list of
# ids rather than looked up by path, so that Postgres sees how many rows they stand for (docs/decisions/0006-units-by-id.md).
VIEWER_UNIT = sa.bindparam("viewer_unit", type_=sa.Uuid())
VIEWER_UNITS = sa.bindparam("viewer_units", type_=ARRAY(sa.Uuid()))
VIEWER_CUSTOMER = sa.bindparam("viewer_customer", type_=sa.Uuid())
VIEWER_KEY = sa.bindparam("viewer_key", type_=sa.Uuid())
VIEWER_ADMIN = sa.bindparam("viewer_admin", type_=sa.Boolean())
VIEWER_ROLES = sa.bindparam("viewer_roles", type_=ARRAY(sa.Text()))
VIEWER_STAFF = sa.bindparam("viewer_staff", type_=sa.Uuid())
VIEWER_READS_PEOPLE = sa.bindparam("viewer_reads_people", type_=sa.Boolean())


def _in_viewer_units(unit_id: sa.ColumnElement[Any], binding: Binding) -> RowPredicate:
    """Whether a unit is the viewer's, or one of its subtree."""
    return unit_id == VIEWER_UNIT if binding == "single_unit" else unit_id == sa.any_(VIEWER_UNITS)


def _deleted_customer_in_viewer_units(row: sa.FromClause, binding: Binding, key: str = "customer_id") -> RowPredicate:
    """Whether the row's customer was deleted while it was among the viewer's; `key` is the column that names it."""
    log = change_log.CHANGE_LOG.alias("g$log")
    unit_id = sa.cast(log.c.before.op("->>")(sa.literal_column("'unit_id'")), sa.Uuid())
    deleted = (log.c.table_name == sa.literal_column("'customers'"), log.c.operation == sa.literal_column("'DELETE'"))
    return sa.exists().where(log.c.row_id == row.c[key], *deleted, _in_viewer_units(unit_id, binding))


def _customer_in_viewer_units(row: sa.FromClause, binding: Binding, key: str = "customer_id") -> RowPredicate:
    """Whether the row's customer belongs to one of the viewer's units; `key` is the column that names it."""
    if key == "customer_id" and "unit_id" in row.c:
        return _in_viewer_units(row.c.unit_id, binding)
    owner = metadata.tables["customers"].alias("v$customer")  # by name: what customers do needs this file
    return sa.exists().where(owner.c.id == row.c[key], _in_viewer_units(owner.c.unit_id, binding))


def _owned_by_viewer_key(row: sa.FromClause) -> RowPredicate:
    """Whether the row's owner is the key that asks."""
    api_key = metadata.tables["api_keys"].alias("v$key")
    # Not every column: the role that serves clients may not read hashes.
    return sa.exists(sa.select(api_key.c.id).where(api_key.c.id == VIEWER_KEY, api_key.c.public_id == row.c.owner))


def _owned_by_viewer_key_or_admin(row: sa.FromClause) -> RowPredicate:
    """Whether the row's owner is the key that asks, or that key is an admin's."""
    return sa.or_(VIEWER_ADMIN, _owned_by_viewer_key(row))


def _about_viewer(row: sa.FromClause) -> RowPredicate:
    """Whether the row is about the person who asks."""
    return row.c.staff_id == VIEWER_STAFF


def _about_viewer_or_subtree(row: sa.FromClause, binding: Binding) -> RowPredicate:
    """Whether the row is about the person who asks, or about one of the subtree, for a viewer that may read about people."""
    person = metadata.tables["staff"].alias("v$staff")
    in_subtree = sa.exists().where(person.c.id == row.c.staff_id, _in_viewer_units(person.c.unit_id, binding))
    return sa.or_(_about_viewer(row), sa.and_(VIEWER_READS_PEOPLE, in_subtree))


class Audience(DescribedEnum):
    """Who sees a row that is about another one: whoever sees rows of this sort."""

    CUSTOMER = "CUSTOMER", "Its customer, and the units that see the customer."
    INSIDE = "INSIDE", "The units that see its customer, and never the customer."
    UNIT = "UNIT", "Its unit and those above; without a unit, everybody but customers."
    ASSIGNEE = "ASSIGNEE", "Its unit and those above, and its member of staff, whichever unit that is of."
    PERSON = "PERSON", "Its member of staff, and who may read about people."


def _has_audience(row: sa.FromClause, audience: Audience) -> RowPredicate:
    return row.c.audience == sa.literal_column(f"'{audience.value}'")


def _subject_in_viewer_units(row: sa.FromClause, binding: Binding) -> RowPredicate:
    """Whether the row is about something of the viewer's units, about no unit, or about a person whom it may read about."""
    person = _has_audience(row, Audience.PERSON)
    return sa.or_(
        sa.and_(sa.not_(person), _in_viewer_units(row.c.unit_id, binding)),
        sa.and_(_has_audience(row, Audience.UNIT), row.c.unit_id.is_(None)),
        sa.and_(_has_audience(row, Audience.ASSIGNEE), _about_viewer(row)),
        sa.and_(person, _about_viewer_or_subtree(row, binding)),
    )


def _everything(row: sa.FromClause) -> RowPredicate | None:
    return None


@dataclass(frozen=True, slots=True)
class Scope:
    """How the rows of a table are cut: the predicates for viewers bound to units, to a customer, and to nothing.

    `customer_column` names the column that holds the row's customer, if there is one: links that keep it need no second
    check, unless the scope hides rows of a customer whom the viewer sees."""

    name: str
    customer_column: str | None
    for_units: Callable[[sa.FromClause, Binding], RowPredicate | None]
    for_customer: Callable[[sa.FromClause], RowPredicate | None]
    for_unrestricted: Callable[[sa.FromClause], RowPredicate | None] = _everything
    customer_sees_all: bool = True  # whether a customer's own viewer sees all rows of the customer
    second_customer: str | None = None  # the column of another customer whom a viewer must see too
    customer_optional: bool = False  # whether rows may belong to no customer, and who sees one may not see its customer

    def hides_rows_of_customers(self, binding: Binding) -> bool:
        """Whether viewers of the binding may see a customer and yet not all of its rows."""
        hides = self.second_customer is not None or (binding == "customer" and not self.customer_sees_all)
        return self.customer_optional or (hides and binding != "unrestricted")

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
        if self.second_customer is None:
            return sa.or_(condition, _deleted_customer_in_viewer_units(row, binding))
        return sa.and_(
            *(
                sa.or_(
                    _customer_in_viewer_units(row, binding, key), _deleted_customer_in_viewer_units(row, binding, key)
                )
                for key in ("customer_id", self.second_customer)
            )
        )


def _no_rows(row: sa.FromClause) -> RowPredicate:
    return sa.false()


customer_owned = Scope(
    "customer_owned",
    customer_column="customer_id",
    for_units=_customer_in_viewer_units,
    for_customer=lambda row: row.c.customer_id == VIEWER_CUSTOMER,
)
# About a customer and never for it: scores, moves between stages, reviews.
inside = Scope(
    "inside",
    customer_column="customer_id",
    for_units=_customer_in_viewer_units,
    for_customer=_no_rows,
    customer_sees_all=False,
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
# About a member of staff: that person reads it, and who has people:read, of a unit's subtree where it is bound to one.
person = Scope(
    "person",
    customer_column=None,
    for_units=_about_viewer_or_subtree,
    for_customer=_no_rows,
    for_unrestricted=lambda row: sa.or_(_about_viewer(row), VIEWER_READS_PEOPLE),
)
# As visible as the row that it is about, whose owners it carries: the subject itself is never read.
subject = Scope(
    "subject",
    customer_column="customer_id",
    for_units=_subject_in_viewer_units,
    for_customer=lambda row: sa.and_(_has_audience(row, Audience.CUSTOMER), row.c.customer_id == VIEWER_CUSTOMER),
    for_unrestricted=lambda row: sa.or_(
        sa.not_(_has_audience(row, Audience.PERSON)), _about_viewer(row), VIEWER_READS_PEOPLE
    ),
    customer_sees_all=False,
    customer_optional=True,
)
# Of the organisation: every key but those of customers.
every_unit = Scope("every_unit", customer_column=None, for_units=lambda row, binding: None, for_customer=_no_rows)
any_key = Scope("any_key", customer_column=None, for_units=lambda row, binding: None, for_customer=lambda row: None)

# Rows of the key that created them; an unrestricted admin sees those of all keys.
key_owned = Scope(
    "key_owned",
    customer_column=None,
    for_units=lambda row, binding: _owned_by_viewer_key(row),
    for_customer=_no_rows,
    for_unrestricted=_owned_by_viewer_key_or_admin,
)


def _role_of_viewer(row: sa.FromClause) -> RowPredicate:
    """Whether the row is a role that the viewer has."""
    return row.c.name == sa.any_(VIEWER_ROLES)


def _part_of_viewers_role(row: sa.FromClause) -> RowPredicate:
    """Whether the row is a rule or a budget of such a role."""
    role = metadata.tables["roles"].alias("v$role")
    return sa.exists().where(role.c.id == row.c.role_id, _role_of_viewer(role))


def _of_roles(name: str, own: Callable[[sa.FromClause], RowPredicate]) -> Scope:
    """A scope of roles: administrators read all of them, everyone but a customer the own ones."""
    return Scope(
        name,
        customer_column=None,
        for_units=lambda row, binding: own(row),
        for_customer=_no_rows,
        for_unrestricted=lambda row: sa.or_(VIEWER_ADMIN, own(row)),
    )


role_itself = _of_roles("role_itself", _role_of_viewer)
role_owned = _of_roles("role_owned", _part_of_viewers_role)
# Rows that only unrestricted admins see: what they administer.
administered = Scope(
    "administered",
    customer_column=None,
    for_units=lambda row, binding: sa.false(),
    for_customer=_no_rows,
    for_unrestricted=lambda row: VIEWER_ADMIN,
)


def shared(scope: Scope, internal_when: Mapping[str, Sequence[str]]) -> Scope:
    """The scope of a customer's rows without those that are marked internal: one of the columns has one of its values.

    The marks are read from the row or its image, so that a row's past is cut by what it was. Without a mark it is hidden."""

    def not_internal(row: sa.FromClause) -> RowPredicate:
        marks = (
            row.c[name] != sa.literal_column(f"'{value}'") for name, values in internal_when.items() for value in values
        )
        return sa.and_(row.c.customer_id == VIEWER_CUSTOMER, *marks)

    return replace(scope, name="shared", for_customer=not_internal, customer_sees_all=False)


def pair(scope: Scope, key: str) -> Scope:
    """The scope of rows about two customers, the second one in the column `key`: who sees only one of them sees no row."""

    def sees_both(row: sa.FromClause, binding: Binding) -> RowPredicate:
        both = (_customer_in_viewer_units(row, binding, column) for column in ("customer_id", key))
        return sa.and_(*both)

    return replace(scope, name="pair", for_units=sees_both, second_customer=key)


def part_of_shared(scope: Scope, parent: sa.Table, key: str) -> Scope:
    """The scope of parts of such rows: a customer's own viewer sees those of the rows that it sees; `key` leads there."""

    def of_visible_row(row: sa.FromClause) -> RowPredicate:
        whole = parent.alias("v$whole")
        visibility = scope.for_customer(whole)
        conditions = [whole.c.id == row.c[key], *([] if visibility is None else [visibility])]
        return sa.exists(sa.select(whole.c.id).where(*conditions))

    return replace(scope, for_customer=of_visible_row)


_registry: dict[sa.Table, Scope] = {}
RIGHT_PREFIX = "right$"  # of the names of parameters of row filters


class RowFilters(Protocol):
    """Compiles the row filters of roles; hub/graph.py registers the one that there is."""

    def predicate(self, table: sa.Table, row: sa.FromClause, rights: Rights, verb: Verb) -> RowPredicate | None:
        """The predicate of the rows that the roles grant; None for all rows."""

    def granted(self, rules: Sequence[AccessRule], row: sa.FromClause, rights: Rights) -> RowPredicate | None:
        """The predicate of the rows that one of the rules grants; None for all rows."""

    def tables(self, names: frozenset[str], rights: Rights) -> frozenset[str]:
        """The tables that the roles' filters of the rows of these tables read beside them."""

    def argument(self, name: str, viewer: Viewer) -> Any:
        """The value of a parameter that a predicate of the viewer's rights names."""


_row_filters: list[RowFilters] = []  # one, or none before the graph is built


def register_row_filters(row_filters: RowFilters) -> None:
    """Sets what compiles the row filters of roles."""
    _row_filters[:] = [row_filters]


def visible(table: sa.Table, row: sa.FromClause, rights: Rights, verb: Verb = Verb.READ) -> RowPredicate | None:
    """The predicate of the rows of a table that a viewer with these rights sees; None where that is all of them.

    `row` is the table, an alias of it, or something with its columns. With another verb, those that it may also write so."""
    return _narrowed(_registry[table].predicate(row, rights.binding), table, row, rights, verb)


def shown(table: sa.Table, row: sa.FromClause, rights: Rights, verb: Verb = Verb.READ) -> RowPredicate | None:
    """As `visible`, where single rows are named or found: no row where roles grant nothing but aggregates over rows."""
    if not rights.shows_rows(registry.registered(table).__name__):
        return sa.false()
    return visible(table, row, rights, verb)


def visible_image(table: sa.Table, row: sa.FromClause, rights: Rights) -> RowPredicate | None:
    """The same over an image of a row in the change log. What the roles' filters read beside the row is read as it is now."""
    return _narrowed(_registry[table].image_predicate(row, rights.binding), table, row, rights, Verb.READ)


def granted(rules: Sequence[AccessRule], row: sa.FromClause, rights: Rights) -> RowPredicate | None:
    """The predicate of the rows that one of these rules of the viewer's roles grants; None for all rows."""
    return _row_filters[0].granted(rules, row, rights)


def writable(
    table: sa.Table, row: sa.FromClause, rights: Rights, verb: Verb, columns: Sequence[str]
) -> list[RowPredicate]:
    """The predicates of the rows in which the viewer's roles let it write these columns, beside that of `visible`."""
    entity = registry.registered(table).__name__
    chosen = (rights.writing(entity, verb, camel_case(name)) for name in columns)
    parts = (granted(rules, row, rights) for rules in dict.fromkeys(chosen) if rules is not None)
    return [part for part in parts if part is not None]


def visibility_tables(names: frozenset[str], rights: Rights) -> frozenset[str]:
    """The tables that decide, for the viewer's roles, which rows of these tables it sees."""
    return _row_filters[0].tables(names, rights)


def _narrowed(
    scope: RowPredicate | None, table: sa.Table, row: sa.FromClause, rights: Rights, verb: Verb
) -> RowPredicate | None:
    if not rights.narrowed:
        return scope
    granted = _row_filters[0].predicate(table, row, rights, verb)
    if scope is None or granted is None:
        return granted if scope is None else scope
    return sa.and_(scope, granted)


def hides_rows_of_customers(table: sa.Table, rights: Rights) -> bool:
    """Whether a viewer with these rights may see a customer and yet not all of its rows in the table."""
    tables = [table, metadata.tables["customers"]] if _registry[table].second_customer else [table]
    if rights.narrowed and any(rights.filters_rows(registry.registered(t).__name__) for t in tables):
        return True
    return _registry[table].hides_rows_of_customers(rights.binding)


def register(table: sa.Table, scope: Scope) -> None:
    """Declares the scope of a table's rows."""
    _registry[table] = scope


# The values of the parameters that predicates name, from the viewer.
VIEWER_ARGUMENTS: dict[str, Callable[[Viewer], Any]] = {
    "viewer_unit": lambda viewer: viewer.unit_ids[0],
    "viewer_units": lambda viewer: viewer.unit_ids,
    "viewer_customer": lambda viewer: viewer.customer_id,
    "viewer_key": lambda viewer: viewer.key_id,
    "viewer_admin": lambda viewer: any(role.administers for role in viewer.all_roles),
    "viewer_roles": lambda viewer: viewer.role_names,
    "viewer_staff": lambda viewer: viewer.staff_id,
    "viewer_reads_people": lambda viewer: viewer.reads_people,
}


def viewer_argument(name: str, viewer: Viewer) -> Any:
    """The value of a parameter that a predicate names; raises KeyError for a name that is none."""
    argument = VIEWER_ARGUMENTS.get(name)
    return argument(viewer) if argument is not None else _row_filters[0].argument(name, viewer)
