"""Notifications to members of staff. The hub sends no mail: webhooks on notifications do."""

from datetime import datetime

from hub.model import (
    GLOBAL,
    MOVE,
    Column,
    DescribedEnum,
    Entity,
    PersonalData,
    any_of,
    field,
    index,
    person,
    to_one,
    unique,
    validators,
)
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.clocks import Clock


class NotificationType(DescribedEnum):
    ESCALATION = "ESCALATION", "A clock has reached a level of its policy."
    DUE = "DUE", "Something of the person's is due, or will soon be."
    ASSIGNED = "ASSIGNED", "Something became the person's."
    ALARM = "ALARM", "Something that is watched went wrong."
    DEVIATION = "DEVIATION", "Something is not as the rules say."
    EXPIRY = "EXPIRY", "Something of the person's ends soon, or has ended."
    URGED = "URGED", "Somebody urges."
    COPY = "COPY", "For the person's information: nothing is to be done."


class Notification(
    Entity,
    prefix="ntf",
    owned_by=person,
    operations=(),
    order="-notified_at",
    writable_by=("unit",),
    merge=MOVE,
    unique=(unique("clock_id", "level", "staff_id", among=GLOBAL),),
    checks={
        "level_has_a_clock": "level is null or clock_id is not null",
    },
    indexes=(index("staff_id", "notified_at", where="seen_at is null", name="unseen"),),
):
    """What a member of staff should know: the person sees it, and those who read about the people of the unit."""

    staff = to_one(
        Staff,
        "The person who is notified.",
        on_delete="cascade",
        writable="command",
        inverse=("notifications", "The person's notifications."),
    )
    type: Column[NotificationType] = field("What it is about.", writable="command", personal=PersonalData.BEHAVIOUR)
    text: Column[str] = field(
        "The notification, in one line.",
        check=validators.single_line,
        writable="command",
        personal=PersonalData.FREE_TEXT,
    )
    notified_at: Column[datetime] = field(
        "Time of the notification: the moment that it is about, also when the hub was down then.",
        sortable=True,
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    seen_at: Column[datetime | None] = field(
        "Time when the person saw it; empty until then.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    role: Column[str | None] = field(
        "Job role as whose holder the person is notified.", writable="command", personal=PersonalData.PROFILE
    )
    clock = to_one(
        Clock,
        "The clock whose level it is about.",
        optional=True,
        on_delete="cascade",
        inverse=("notifications", "What members of staff were told about its levels."),
        index="not null",
        writable="command",
    )
    level: Column[int | None] = field(
        "The level of escalation, from 1.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    subject = any_of(
        "What it is about.", inverse=("notifications", "What members of staff were told about it."), optional=True
    )
    customer = to_one(
        Customer,
        "The customer whom it is about.",
        optional=True,
        on_delete="cascade",
        index="not null",
        writable="command",
    )
    unit = to_one(
        OrgUnit,
        "The unit whose row it is about.",
        optional=True,
        on_delete="set null",
        index="not null",
        writable="command",
    )
