"""Scopes of work: items are seen by who sees what they are about, and by the people and units that work on them.

Customers see none of it."""

from dataclasses import replace

import sqlalchemy as sa

from hub.model import scopes
from hub.model.columns import metadata
from hub.model.scopes import VIEWER_STAFF, RowPredicate, Scope
from hub.model.work_scopes import in_viewer_units
from hub.rights import Binding


def _no_rows(row: sa.FromClause) -> RowPredicate:
    return sa.false()


def _concerns_subject(row: sa.FromClause, binding: Binding) -> RowPredicate:
    """Whether the viewer sees what the row is about."""
    seen = scopes.subject.predicate(row, binding)
    assert seen is not None
    return seen


def _works_on(row: sa.FromClause, binding: Binding) -> RowPredicate:
    """Whether a step is addressed to the viewer, was decided by it, or is done in one of its units."""
    parts = [row.c.addressee_id == VIEWER_STAFF, row.c.decided_by_id == VIEWER_STAFF]
    if binding != "unrestricted":
        parts.append(in_viewer_units(row.c.working_unit_id, binding))
    return sa.or_(*parts)


def _item_is_seen(row: sa.FromClause, binding: Binding) -> RowPredicate:
    """Whether the viewer sees an item: what it is about, its opening, or one of its steps."""
    step = metadata.tables["work_steps"].alias("v$step")
    works = sa.exists(sa.select(step.c.id).where(step.c.item_id == row.c.id, _works_on(step, binding)))
    return sa.or_(_concerns_subject(row, binding), row.c.opened_by_id == VIEWER_STAFF, works)


def _step_is_seen(row: sa.FromClause, binding: Binding) -> RowPredicate:
    """Whether the viewer sees a step: what its item is about, the item's opening, or its own part of the work."""
    item = metadata.tables["work_items"].alias("v$item")
    opened = sa.exists(sa.select(item.c.id).where(item.c.id == row.c.item_id, item.c.opened_by_id == VIEWER_STAFF))
    return sa.or_(_concerns_subject(row, binding), _works_on(row, binding), opened)


def _part_is_seen(row: sa.FromClause, binding: Binding) -> RowPredicate:
    """Whether the viewer sees the item of a part."""
    item = metadata.tables["work_items"].alias("v$item")
    return sa.exists(sa.select(item.c.id).where(item.c.id == row.c.item_id, _item_is_seen(item, binding)))


work_item = replace(
    scopes.subject,
    name="work_item",
    for_units=_item_is_seen,
    for_customer=_no_rows,
    for_unrestricted=lambda row: _item_is_seen(row, "unrestricted"),
)
work_step = replace(
    work_item,
    name="work_step",
    for_units=_step_is_seen,
    for_unrestricted=lambda row: _step_is_seen(row, "unrestricted"),
)
work_item_part = Scope(
    "work_item_part",
    customer_column=None,
    for_units=_part_is_seen,
    for_customer=_no_rows,
    for_unrestricted=lambda row: _part_is_seen(row, "unrestricted"),
)
