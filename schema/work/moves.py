"""Moves: the history of every workflow that keeps one and has no entity of its own for it."""

from datetime import datetime

from hub.model import ANY, Column, Entity, PersonalData, any_of, field, index, subject, to_one
from hub.schema.organisation.staff import Staff


class Move(
    Entity,
    prefix="mov",
    owned_by=subject,
    moves_of=ANY,
    operations=(),
    order="-moved_at",
    timeline="moved_at",
    indexes=(index("entity", "to_value", "moved_at"),),
):
    """A move of a row from one state to another. Moves are never changed."""

    subject = any_of("The row that moved.", inverse=("moves", "Its moves from state to state, latest first."))
    column: Column[str] = field("The field that holds the state.", personal=PersonalData.NOT_PERSONAL)
    from_value: Column[str] = field("The state before the move.", personal=PersonalData.BEHAVIOUR)
    to_value: Column[str] = field("The state after the move.", personal=PersonalData.BEHAVIOUR)
    name: Column[str] = field(
        "Name of the move: that of its declaration, else the state after it.", personal=PersonalData.NOT_PERSONAL
    )
    reason: Column[str | None] = field("Reason for the move, in one line.", personal=PersonalData.FREE_TEXT)
    moved_at: Column[datetime] = field("Time of the move.", sortable=True, personal=PersonalData.BEHAVIOUR)
    actor: Column[str] = field("Who moved it, as the change log names it.", personal=PersonalData.TECHNICAL)
    moved_by = to_one(Staff, "The member of staff who moved it; empty for a system.", optional=True, index=True)
    stayed: Column[int] = field("Seconds that the row was in the state before.", personal=PersonalData.BEHAVIOUR)
    worked: Column[int | None] = field(
        "Those of them that were working time, by the calendar of the row's last clock; empty without one.",
        personal=PersonalData.BEHAVIOUR,
    )
