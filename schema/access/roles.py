"""Roles: what a key or a member of staff may read and write. Only the commands of hub/domain/access write them.

What a rule means says hub/rights.py; docs/permissions.md explains it to people."""

from hub.model import (
    GLOBAL,
    Column,
    Entity,
    Json,
    PersonalData,
    administered,
    field,
    role_itself,
    role_owned,
    stored_filter,
    to_one,
    unique,
    validators,
)
from hub.schema.access.api_keys import ApiKey
from hub.schema.organisation.staff import Staff


class AccessRole(
    Entity,
    prefix="rol",
    table="roles",
    plural="roles",
    singular="role",
    owned_by=role_itself,
    operations=(),
    order="name",
    checks={"name_is_a_word": "name ~ '^[a-z][a-z0-9_-]{0,62}$'"},
):
    """A named set of rights. Shipped roles follow the declarations of the hub; the others are the organisation's own."""

    name: Column[str] = field(
        "Name, in small letters, digits, - and _.",
        unique=GLOBAL,
        check=validators.single_line,
        sortable=True,
        personal=PersonalData.NOT_PERSONAL,
    )
    description: Column[str | None] = field(
        "Whom the role is for, in one line.", check=validators.single_line, personal=PersonalData.FREE_TEXT
    )
    shipped: Column[bool] = field(
        "Whether it comes with the hub, which keeps it up to date.",
        server_default=False,
        personal=PersonalData.NOT_PERSONAL,
    )
    writes: Column[bool] = field(
        "Whether rows are written as the declarations say, where the role has no rules.",
        server_default=False,
        personal=PersonalData.NOT_PERSONAL,
    )
    unlimited: Column[bool] = field(
        "Whether it has no rules: every row and field that the key's binding lets it read.",
        server_default=False,
        personal=PersonalData.NOT_PERSONAL,
    )
    administers: Column[bool] = field(
        "Whether it manages keys and roles, with a key that is bound to nothing.",
        server_default=False,
        personal=PersonalData.NOT_PERSONAL,
    )
    introspects: Column[bool] = field(
        "Whether it reads the schema.", server_default=True, personal=PersonalData.NOT_PERSONAL
    )
    trusted_only: Column[bool] = field(
        "Whether its keys may send only documents that are registered as trusted.",
        server_default=False,
        personal=PersonalData.NOT_PERSONAL,
    )
    run: Column[list[str] | None] = field(
        "The commands that it may run, whatever they write; empty for those that its rules imply.",
        personal=PersonalData.NOT_PERSONAL,
    )
    digest: Column[str] = field(
        "SHA-256 of what the role grants, in hexadecimal.", hidden=True, personal=PersonalData.NOT_PERSONAL
    )


class RoleRule(
    Entity,
    prefix="rru",
    owned_by=role_owned,
    operations=(),
    order="entity",
    unique=(unique("role_id", "entity", among=GLOBAL),),
    checks={"masks_are_an_object": "jsonb_typeof(masks) = 'object'"},
):
    """What a role lets its holders do with the rows of one type. A type without a rule does not exist for them."""

    role = to_one(AccessRole, "The role.", on_delete="cascade", inverse=("rules", "What it grants, by type."))
    entity: Column[str] = field("Name of the type.", sortable=True, personal=PersonalData.NOT_PERSONAL)
    verbs: Column[list[str]] = field(
        "READ, CREATE, UPDATE and DELETE, as far as they are granted.", personal=PersonalData.NOT_PERSONAL
    )
    row_filter: Column[Json | None] = stored_filter(
        "Filter of the type's rows; $staff, $units and $customer in it are the viewer's. Empty for all rows.",
        entity_in="entity",
    )
    fields: Column[list[str] | None] = field(
        "Names of the fields that can be read; empty for all.", personal=PersonalData.NOT_PERSONAL
    )
    writable: Column[list[str] | None] = field(
        "Names of the fields that can be written; empty for those that are read unmasked.",
        personal=PersonalData.NOT_PERSONAL,
    )
    masks: Column[Json] = field(
        "By field, how its value is shown: NULL, REDACTED, INITIAL, LAST_FOUR, DOMAIN or YEAR.",
        server_default={},
        filterable=False,
        personal=PersonalData.NOT_PERSONAL,
    )
    aggregate_only: Column[bool] = field(
        "Whether only counts and statistics can be read.", server_default=False, personal=PersonalData.NOT_PERSONAL
    )


class RoleBudget(
    Entity,
    prefix="rbu",
    owned_by=role_owned,
    operations=(),
    order="created_at",
    unique=(unique("role_id", among=GLOBAL),),
    checks={
        "capacity_is_positive": "capacity between 1 and 1000000000",
        "refill_is_positive": "refill_per_second between 1 and 1000000000",
    },
):
    """How much a key with the role may ask for, in points of cost."""

    role = to_one(AccessRole, "The role.", on_delete="cascade", inverse=("budgets", "Its budget, if any."))
    capacity: Column[int] = field(
        "Points that a key has when it was idle for long.", personal=PersonalData.NOT_PERSONAL
    )
    refill_per_second: Column[int] = field("Points that it gets back in a second.", personal=PersonalData.NOT_PERSONAL)


class RoleAssignment(
    Entity,
    prefix="ras",
    owned_by=administered,
    operations=(),
    order="created_at",
    unique=(unique("key_id", "role_id", among=GLOBAL), unique("staff_id", "role_id", among=GLOBAL)),
    checks={"one_holder": "num_nonnulls(key_id, staff_id) = 1"},
):
    """A role of an API key or of a member of staff, beside the one that a key has by itself."""

    role = to_one(AccessRole, "The role.", inverse=("assignments", "Who has it."))
    key = to_one(
        ApiKey,
        "The API key.",
        optional=True,
        on_delete="cascade",
        inverse=("role_assignments", "Its roles beside the one that it has by itself."),
    )
    staff = to_one(Staff, "The member of staff, all of whose keys have it.", optional=True, on_delete="cascade")
