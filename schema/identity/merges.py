"""Merges and splits: two customers who became one, or one who became two.

On the feed each is a change of its own, which comes before those of the rows."""

from datetime import datetime
from uuid import UUID

from hub.model import Column, DescribedEnum, Entity, Json, PersonalData, field, generated, index, inside, to_one
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff


class MergeStatus(DescribedEnum):
    DONE = "DONE", "The two are one."
    UNDONE = "UNDONE", "It was undone: the two are two again."


class MergeType(DescribedEnum):
    MERGE = "MERGE", "A customer became part of another one; the former's id leads to the latter."
    SPLIT = (
        "SPLIT",
        "A customer was parted from another one: `mergedId` is the id of the new one, `survivorId` of the old.",
    )


def _public_id(column: str) -> str:
    """The id of a customer, as SQL over its key."""
    return f"'{Customer.definition.options['prefix']}_' || replace({column}::text, '-', '')"


class Merge(
    Entity,
    prefix="mrg",
    owned_by=inside(
        "The customer who has the rows now.", inverse=("merges", "Merges of other customers into this one.")
    ),
    permission="customers",
    writable_by=("unit",),
    operations=(),
    order="-merged_at",
    sortable=("updated_at",),
    indexes=(index("merged_key"), index("survivor_key")),
):
    """A customer who became part of another one, whose id leads there; or one who was parted from another one."""

    type: Column[MergeType] = field(
        "Whether two became one, or one became two.",
        default=MergeType.MERGE,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    survivor_key: Column[UUID] = field("The customer who stayed.", hidden=True, personal=PersonalData.NOT_PERSONAL)
    merged_key: Column[UUID] = field("The customer who became part.", hidden=True, personal=PersonalData.NOT_PERSONAL)
    survivor_id: Column[str] = generated(
        "Id of the customer who stayed, as it was then: later merges do not change it.",
        _public_id("survivor_key"),
        personal=PersonalData.NOT_PERSONAL,
    )
    merged_id: Column[str] = generated(
        "Id of the customer who became part of the other one; it leads to whoever has the rows now.",
        _public_id("merged_key"),
        personal=PersonalData.NOT_PERSONAL,
    )
    status: Column[MergeStatus] = field(
        "Whether it stands.", default=MergeStatus.DONE, writable="command", personal=PersonalData.BEHAVIOUR
    )
    merged_at: Column[datetime] = field(
        "When the two became one.", sortable=True, writable="command", personal=PersonalData.BEHAVIOUR
    )
    undone_at: Column[datetime | None] = field(
        "When it was undone.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    undo_until: Column[datetime] = field(
        "Until when it can be undone.", writable="command", personal=PersonalData.NOT_PERSONAL
    )
    choices: Column[Json] = field(
        "Fields for which somebody chose whose value stays: SURVIVOR or MERGED, by name.",
        server_default={},
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    rows: Column[int] = field(
        "Rows that it touched.", server_default=0, writable="command", personal=PersonalData.NOT_PERSONAL
    )
    merged_by = to_one(
        Staff,
        "The person who did it, if one was behind the key.",
        optional=True,
        on_delete="set null",
        writable="command",
    )
