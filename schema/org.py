"""Units and staff as clients see them."""

from datetime import date

from hub.domain.organisation import organisation
from hub.model import scopes
from hub.model.commands import command
from hub.model.declarations import graphql_type, to_many, to_one


@graphql_type(
    organisation.OrgUnit,
    scope=scopes.unit_itself,
    prefix="unt",
    plural="orgUnits",
    sortable=("name",),
    order=("name", "asc"),
    writer=organisation.ORG_UNIT_WRITER,
)
class OrgUnit:
    """A unit of the organisation: group, company, branch or outlet."""

    code: str
    name: str
    kind: organisation.UnitKind
    parent = to_one("org.OrgUnit", by="parent_id", description="The unit above.")
    units = to_many("org.OrgUnit", by="parent_id", description="The units right below.")
    staff = to_many("org.Staff", by="unit_id", description="The people who work in the unit.")
    customers = to_many("customers.Customer", by="unit_id", description="The customers that the unit owns.")


@graphql_type(
    organisation.Staff,
    scope=scopes.unit_owned,
    prefix="stf",
    plural="staffMembers",
    sortable=("name",),
    order=("name", "asc"),
    writer=organisation.STAFF_WRITER,
)
class Staff:
    """A person of the organisation who may own customers."""

    number: str
    name: str
    title: str | None
    email: str | None
    hired_on: date | None
    unit = to_one("org.OrgUnit", by="unit_id", description="The unit where the person works.")
    reports_to = to_one("org.Staff", by="reports_to_id", description="The person's superior.")
    reports = to_many("org.Staff", by="reports_to_id", description="The people who report to the person.")
    customers = to_many("customers.Customer", by="owner_id", description="The customers whom the person looks after.")
    orders = to_many("orders.Order", by="staff_id", description="The orders that the person took.")
    interactions = to_many(
        "interactions.Interaction",
        by="staff_id",
        description="The interactions that the person took part in.",
    )


unit_create = command("orgUnitCreate", organisation.unit_create, bulk_name="orgUnitsCreate")
unit_move = command("orgUnitMove", organisation.unit_move)
