"""Scopes of work: rows of a unit and of one of its people, and reports about them. hub/model/scopes.py has the others."""

from typing import Any

import sqlalchemy as sa

from hub.model.columns import metadata
from hub.model.scopes import (
    VIEWER_ADMIN,
    VIEWER_KEY,
    VIEWER_READS_PEOPLE,
    VIEWER_STAFF,
    VIEWER_UNIT,
    VIEWER_UNITS,
    RowPredicate,
    Scope,
)
from hub.rights import Binding


def in_viewer_units(unit_id: sa.ColumnElement[Any], binding: Binding) -> RowPredicate:
    """Whether a unit is the viewer's, or one of its subtree."""
    return unit_id == VIEWER_UNIT if binding == "single_unit" else unit_id == sa.any_(VIEWER_UNITS)


def _about_viewer(row: sa.FromClause) -> RowPredicate:
    return row.c.staff_id == VIEWER_STAFF


def _no_rows(row: sa.FromClause) -> RowPredicate:
    return sa.false()


def _is_about_nobody_else(row: sa.FromClause) -> RowPredicate:
    """Whether the row is about no member of staff, or the viewer reads about people."""
    return sa.or_(row.c.staff_id.is_(None), VIEWER_READS_PEOPLE)


# Of a unit, and of the member of staff whom `staff_id` names: that person reads it whichever unit it belongs to.
unit_or_person = Scope(
    "unit_or_person",
    customer_column=None,
    for_units=lambda row, binding: sa.or_(in_viewer_units(row.c.unit_id, binding), _about_viewer(row)),
    for_customer=_no_rows,
)
# Reports that were issued: one about a person is read by that person, its checker, and who reads about people; others by their
# unit's viewers.
issued_report = Scope(
    "issued_report",
    customer_column=None,
    for_units=lambda row, binding: sa.or_(
        sa.and_(_is_about_nobody_else(row), in_viewer_units(row.c.unit_id, binding)),
        _about_viewer(row),
        row.c.checker_id == VIEWER_STAFF,
    ),
    for_customer=_no_rows,
    for_unrestricted=lambda row: sa.or_(
        _is_about_nobody_else(row), _about_viewer(row), row.c.checker_id == VIEWER_STAFF
    ),
)


def _of_key_or_person(row: sa.FromClause) -> RowPredicate:
    """Whether the row's owner is the key that asks, or another key of the same member of staff."""
    api_key = metadata.tables["api_keys"].alias("v$key")
    # Not every column: the role that serves clients may not read hashes.
    own_key = sa.select(api_key.c.id).where(api_key.c.id == VIEWER_KEY, api_key.c.public_id == row.c.owner)
    return sa.or_(sa.exists(own_key), _about_viewer(row))


# Rows of the key that created them and of the person behind it; an unrestricted admin sees those of all keys.
key_or_person = Scope(
    "key_or_person",
    customer_column=None,
    for_units=lambda row, binding: _of_key_or_person(row),
    for_customer=_no_rows,
    for_unrestricted=lambda row: sa.or_(VIEWER_ADMIN, _of_key_or_person(row)),
)
