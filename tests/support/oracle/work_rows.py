"""Edge rows about other rows, for every audience: teams and their moves; and rows that hold for a time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hub.model.scopes import Audience
from hub.schema.customers.customers import Customer
from hub.schema.work import assignments, job_roles, moves, teams
from oracle.edge_operations import NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder


def add_subject_rows(builder: EdgeRowBuilder, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    """Adds the rows; `units` and `staff` are keys that they may refer to."""
    team_ids = [_team(builder, number, units, staff) for number in range(8)]
    for _ in range(60):
        _move(builder, builder.pick(team_ids), units, staff)
    for number in range(40):
        _job_role(builder, number, team_ids, units, staff)
    for number, customer in enumerate(builder.rows_by_table[Customer.table][:60]):
        _assignment(builder, number, customer["id"], staff)


def spell(builder: EdgeRowBuilder, number: int) -> dict[str, Any]:
    """The times of an effective-dated row that collides with none of another number; some hold now."""
    begins = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=30 * number)
    ends = begins + timedelta(days=builder.pick((1, 29)))
    return {"from_at": begins, "to_at": ends}


def _job_role(
    builder: EdgeRowBuilder, number: int, teams_: Sequence[UUID], units: Sequence[UUID], staff: Sequence[UUID]
) -> None:
    of_unit = builder.pick((True, False))
    times = spell(builder, number)
    if number % 3 == 0:
        times["to_at"] = None
    role = f"EDGE_{number}" if times["to_at"] is None else builder.pick(("HEAD", "CAPTAIN", "RISK"))
    builder.add(
        job_roles.JobRole,
        staff_id=builder.pick(staff),
        role=role,
        unit_id=builder.pick(units) if of_unit else None,
        team_id=None if of_unit else builder.pick(teams_),
        **times,
    )


def _assignment(builder: EdgeRowBuilder, number: int, customer: UUID, staff: Sequence[UUID]) -> None:
    times = spell(builder, number)
    if number % 2 == 0:
        times["to_at"] = None
    builder.add(
        assignments.Assignment,
        customer_id=customer,
        staff_id=builder.pick(staff),
        role=builder.member(assignments.AssignmentRole),
        **times,
        origin=builder.member(assignments.AssignmentOrigin),
        locked_until=builder.maybe(TIMESTAMPS),
        baseline=builder.pick(('{"orders": 1}', "{}")),
        reason=builder.text(),
    )


def about(
    builder: EdgeRowBuilder, entity: str, key: UUID, units: Sequence[UUID], staff: Sequence[UUID]
) -> dict[str, Any]:
    """The columns of a row about another one, for any audience; its owners need not be the subject's."""
    audience = builder.member(Audience)
    customer = builder.pick(builder.rows_by_table[Customer.table]) if audience in ("CUSTOMER", "INSIDE") else None
    if audience == "PERSON" and builder.maybe((True,)):
        customer = builder.pick(builder.rows_by_table[Customer.table])
    return {
        "entity": entity,
        "row_id": key,
        "customer_id": customer and customer["id"],
        "unit_id": customer["unit_id"] if customer else builder.maybe(units),
        "staff_id": builder.pick(staff) if audience == "PERSON" else builder.maybe(staff),
        "audience": audience,
    }


def _team(builder: EdgeRowBuilder, number: int, units: Sequence[UUID], staff: Sequence[UUID]) -> UUID:
    team = builder.add(
        teams.Team,
        code=f"edge{number}",
        name=builder.pick(NAMES),
        motto=builder.text(),
        type=builder.member(teams.TeamType),
        status=builder.member(teams.TeamStatus),
        ended_at=builder.maybe(TIMESTAMPS),
        unit_id=builder.pick(units),
        sponsor_id=builder.maybe(staff),
    )
    key: UUID = team["id"]
    return key


def _move(builder: EdgeRowBuilder, team: UUID, units: Sequence[UUID], staff: Sequence[UUID]) -> None:
    builder.add(
        moves.Move,
        **about(builder, "Team", team, units, staff),
        column="status",
        from_value=builder.member(teams.TeamStatus),
        to_value=builder.member(teams.TeamStatus),
        name=builder.pick(("ENDED", "ACTIVE")),
        reason=builder.text(),
        moved_at=builder.pick(TIMESTAMPS),
        actor=builder.pick(("hub", "staff:1", "timer:x")),
        moved_by_id=builder.maybe(staff),
        stayed=builder.pick((0, 1, 86400)),
        worked=builder.maybe((0, 3600)),
    )
