"""Which rows are a member of staff's own: predicates for lists of root groups. A head has those of the unit, too.

They only choose among the rows that the viewer sees; hub/model/scopes.py says which these are."""

from typing import Any

import sqlalchemy as sa

from hub.model.columns import metadata
from hub.model.lasting import holding
from hub.model.scopes import VIEWER_READS_PEOPLE, VIEWER_STAFF, RowPredicate
from hub.model.work_scopes import in_viewer_units
from hub.rights import Binding

UNIT_HEAD = "HEAD"  # the job role of who leads a unit


def own_or_of_headed_unit(row: sa.FromClause, now: sa.ColumnElement[Any], binding: Binding) -> RowPredicate:
    """Whether `staff_id` is the person who asks, or `unit_id` a unit that the person leads."""
    return sa.or_(row.c.staff_id == VIEWER_STAFF, _leads(row.c.unit_id, now, binding))


def own_or_of_people_of_headed_unit(row: sa.FromClause, now: sa.ColumnElement[Any], binding: Binding) -> RowPredicate:
    """Whether `staff_id` is the person who asks, or somebody of a unit that the person leads."""
    person = metadata.tables["staff"].alias("v$person")
    of_unit = sa.exists().where(person.c.id == row.c.staff_id, _leads(person.c.unit_id, now, binding))
    return sa.or_(row.c.staff_id == VIEWER_STAFF, of_unit)


def steps_of_person(row: sa.FromClause, now: sa.ColumnElement[Any], binding: Binding) -> RowPredicate:
    """Whether a step is addressed to the person who asks, alone or with others, or is done in a unit that the person leads."""
    notification = metadata.tables["notifications"].alias("v$notification")
    addressed = sa.exists().where(
        notification.c.row_id == row.c.id,
        notification.c.staff_id == VIEWER_STAFF,
        notification.c.type == sa.literal_column("'ASSIGNED'"),
    )
    return sa.or_(
        row.c.addressee_id == VIEWER_STAFF,
        sa.and_(row.c.addressee_id.is_(None), addressed),
        _leads(row.c.working_unit_id, now, binding),
    )


def _leads(unit_id: sa.ColumnElement[Any], now: sa.ColumnElement[Any], binding: Binding) -> RowPredicate:
    """Whether the person leads a unit: by the job role, or with a key of the unit that reads about its people."""
    by_role = _holds(unit_id, sa.literal_column(f"'{UNIT_HEAD}'"), now)
    if binding not in ("single_unit", "unit_subtree"):
        return by_role
    reads_people = sa.and_(VIEWER_READS_PEOPLE, VIEWER_STAFF.is_not(None), in_viewer_units(unit_id, binding))
    return sa.or_(by_role, reads_people)


def _holds(unit_id: sa.ColumnElement[Any], role: sa.ColumnElement[Any], now: sa.ColumnElement[Any]) -> RowPredicate:
    """Whether the person holds a job role in a unit."""
    job_role = metadata.tables["job_roles"].alias("v$job_role")
    return sa.exists().where(
        job_role.c.staff_id == VIEWER_STAFF,
        job_role.c.unit_id == unit_id,
        job_role.c.role == role,
        holding(job_role, now),
    )
