"""Units and staff as clients see them."""

from datetime import date

from hub.domain.organisation import organisation
from hub.model import scopes
from hub.model.commands import verb
from hub.model.declarations import many, one, row


@row(
    organisation.OrgUnit,
    scope=scopes.unit,
    prefix="unt",
    plural="orgUnits",
    sortable=("name",),
    order=("name", "asc"),
    writes=organisation.UNITS,
)
class OrgUnit:
    """A unit of the organisation: group, company, branch or outlet."""

    code: str
    name: str
    kind: organisation.UnitKind
    parent = one("org.OrgUnit", by="parent_id", description="The unit above.")
    units = many("org.OrgUnit", by="parent_id", description="The units right below.")
    staff = many("org.Staff", by="unit_id", description="The people who work in the unit.")
    customers = many("customers.Customer", by="unit_id", description="The customers that the unit owns.")


@row(
    organisation.Staff,
    scope=scopes.staff,
    prefix="stf",
    plural="staffMembers",
    sortable=("name",),
    order=("name", "asc"),
    writes=organisation.STAFF,
)
class Staff:
    """A person of the organisation who may own customers."""

    number: str
    name: str
    title: str | None
    email: str | None
    hired_on: date | None
    unit = one("org.OrgUnit", by="unit_id", description="The unit where the person works.")
    reports_to = one("org.Staff", by="reports_to_id", description="The person's superior.")
    reports = many("org.Staff", by="reports_to_id", description="The people who report to the person.")
    customers = many("customers.Customer", by="owner_id", description="The customers whom the person looks after.")
    orders = many("orders.Order", by="staff_id", description="The orders that the person took.")
    interactions = many(
        "interactions.Interaction",
        by="staff_id",
        description="The interactions that the person took part in.",
    )


unit_create = verb("orgUnitCreate", organisation.unit_create, many="orgUnitsCreate")
unit_move = verb("orgUnitMove", organisation.unit_move)
