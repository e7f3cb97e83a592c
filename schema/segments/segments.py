"""Segments of customers, and who was in which from when until when. The hub keeps both: hub/domain/segments/."""

from datetime import datetime
from uuid import UUID

from hub.model import (
    GLOBAL,
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    every_unit,
    field,
    index,
    inside,
    stored_filter,
    to_one,
    unite,
    validators,
)
from hub.schema.customers.customers import Customer

NOT_PERSONAL = PersonalData.NOT_PERSONAL


class SegmentKind(DescribedEnum):
    FILTER = "FILTER", "Every customer who matches a filter: the hub notices who enters and who leaves."
    LIST = "LIST", "Customers whom `segmentUpdate` adds and removes."


class SegmentStatus(DescribedEnum):
    DRAFT = "DRAFT", "Being put together: nobody is in it."
    ACTIVE = "ACTIVE", "In force."
    ARCHIVED = "ARCHIVED", "Given up: everybody has left it, or is leaving."


class Segment(
    Entity,
    prefix="seg",
    owned_by=every_unit,
    operations=(),
    order="code",
    sortable=("updated_at",),
    checks={"filter_stands_with_its_kind": "(kind = 'FILTER') = (filter is not null)"},
    indexes=(index("computes_at", where="computes_at is not null", name="computes_at"),),
):
    """A group of customers: those who match a filter, or a list."""

    code: Column[str] = field(
        "Short unique name, in small words joined by dots: `big.spenders`. Filters name it; it never changes.",
        unique=GLOBAL,
        check=validators.dotted_name,
        writable="command",
        personal=NOT_PERSONAL,
    )
    name: Column[str] = field(
        "What people call it.", check=validators.single_line, writable="command", personal=NOT_PERSONAL
    )
    kind: Column[SegmentKind] = field("How customers come into it.", writable="command")
    status: Column[SegmentStatus] = field("Whether it is in force.", default=SegmentStatus.DRAFT, writable="command")
    filter: Column[Json | None] = stored_filter("The filter of its customers; empty for a list.", entity=Customer)
    fault: Column[str | None] = field(
        "Why its filter cannot be read any more; its customers stay as they were.",
        writable="command",
        personal=NOT_PERSONAL,
    )
    activated_at: Column[datetime | None] = field("Time of the activation.", writable="command")
    archived_at: Column[datetime | None] = field("Time when it was given up.", writable="command")
    computed_at: Column[datetime | None] = field(
        "Time when all customers had been looked at; empty while that goes on.", writable="command"
    )
    computes_at: Column[datetime | None] = field(
        "When looking at all customers goes on; empty if there is nothing to do.", hidden=True, unlogged=True
    )
    computed_to: Column[UUID | None] = field(
        "Customer up to whom that has come.", hidden=True, unlogged=True, personal=NOT_PERSONAL
    )


class SegmentMembership(
    Entity,
    prefix="sgm",
    owned_by=inside(
        "The customer.",
        inverse=("segment_memberships", "Segments that the customer is or was in."),
    ),
    derived=True,
    merge=unite("segment_id", where="t.until is null"),
    permission="segments",
    operations=(),
    order="-since",
    sortable=("updated_at",),
    checks={
        "member_while_it_lasts": "(until is null) = (member_id is not null)",
        "until_is_not_before_since": "until >= since",
    },
    indexes=(
        index("customer_id", "segment_id", where="until is null", unique=True, name="current"),
        index("segment_id", "customer_id", where="until is null", name="members"),
    ),
):
    """A customer in a segment from a moment until another. Its creation is the entry, its end by an update the exit."""

    segment = to_one(
        Segment,
        "The segment.",
        inverse=("memberships", "Customers who are or were in it."),
        on_delete="cascade",
        writable="command",
    )
    code: Column[str] = field("The segment's code.", writable="command", personal=PersonalData.BEHAVIOUR)
    since: Column[datetime] = field(
        "The moment at which the customer entered.",
        sortable=True,
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    until: Column[datetime | None] = field(
        "The moment at which the customer left; empty for who is in it.",
        sortable=True,
        null_as="infinity",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    because: Column[Json] = field(
        "The conditions that held at the entry: a list of `condition`, as in the filter, and its `value` then.",
        server_default=[],
        filterable=False,
        writable="command",
        reveals="everything",
        personal=PersonalData.COPY,
    )
    member = to_one(
        Customer,
        "The customer, while in the segment.",
        optional=True,
        inverse=("segments", "Segments that the customer is in: `segments: {some: {code: {eq: …}}}`."),
        on_delete="cascade",
        writable="command",
    )
