"""The root `me`: who asks, with what rights, and the rows that the viewer is or is bound to."""

from datetime import datetime

from hub.model import DescribedEnum, root_group, viewer_list, viewer_object, viewer_row, viewer_rows, viewer_value
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.job_roles import JobRole
from hub.schema.work.notifications import Notification
from hub.schema.work.tasks import Task
from hub.schema.work.work_items import WorkStep


class ViewerBinding(DescribedEnum):
    UNRESTRICTED = "UNRESTRICTED", "It sees all rows that its roles may read."
    UNIT = "UNIT", "It sees the subtree of one unit."
    CUSTOMER = "CUSTOMER", "It sees one customer."


ME = root_group(
    "me",
    "Me",
    "Who asks: the viewer and its rights, and the rows that it is or is bound to.",
    viewer=viewer_object(
        "MeViewer",
        "The key or token of the request, with what it may do.",
        key_id=viewer_value(str | None, "The part of its API key that may be shown; null for a token.", "shown_key_id"),
        name=viewer_value(str, "Name of the key or, for a token, of the person."),
        roles=viewer_value(list[str], "Names of its roles.", "role_names"),
        binding=viewer_value(ViewerBinding, "What limits the rows that it sees.", "bound_to"),
        permissions=viewer_value(
            list[str], "Its permissions, `subject:verb`; `*` stands for every subject that its binding leaves."
        ),
        administers=viewer_value(bool, "Whether it may issue, change and revoke API keys."),
        introspects=viewer_value(bool, "Whether it may read the schema.", "can_introspect"),
        expires_at=viewer_value(datetime | None, "Time when the key or token expires; null for never."),
    ),
    staff=viewer_row(
        Staff, "The member of staff who asks; null for a system, and where the viewer does not see the row."
    ),
    customer=viewer_row(Customer, "The customer that the viewer is bound to; null without one."),
    unit=viewer_row(OrgUnit, "The unit whose subtree limits the viewer; null without one."),
    tasks=viewer_list(
        Task,
        "The tasks of the member of staff who asks, and those of the units that the person leads.",
        viewer_rows.own_or_of_headed_unit,
        reads=(JobRole,),
    ),
    work_steps=viewer_list(
        WorkStep,
        "The steps of work that are addressed to the member of staff who asks, and those of the units that the person leads.",
        viewer_rows.steps_of_person,
        reads=(JobRole, Notification),
    ),
    notifications=viewer_list(
        Notification,
        "The notifications of the member of staff who asks, and of the people of the units that the person leads, as far as"
        " the viewer may read about them.",
        viewer_rows.own_or_of_people_of_headed_unit,
        reads=(JobRole, Staff),
    ),
)
