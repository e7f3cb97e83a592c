"""The roles that come with the hub. They follow the declarations, so that a new entity is in them without a migration.

`writable_by` says what a manager, an agent or an integration writes, and what a customer does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa

from hub import schema
from hub.model import exact_json
from hub.model.entity import Entity
from hub.rights import BUILT_IN_ROLES, AccessRule, RoleVersion, Verb
from hub.schema.access.roles import AccessRole, RoleAssignment, RoleBudget, RoleRule
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff
from hub.text_case import camel_case

ALL_VERBS = frozenset(Verb)
READ = frozenset({Verb.READ})
VIEWER = {"id": {"eq": "$staff"}}
OWN_CUSTOMERS = {"owner": VIEWER}
_OWN_STEPS: list[dict[str, object]] = [
    {"addressee": VIEWER},
    {"workingUnit": {"id": {"in": ["$units"]}}},
]
_OPENED: dict[str, object] = {"openedBy": VIEWER}
# Work is an agent's also where the customer is not: what it opened, and what it or its unit is to do.
OWN_WORK: Mapping[str, Sequence[dict[str, object]]] = {
    "work_item": [_OPENED, {"steps": {"some": {"or": _OWN_STEPS}}}],
    "work_step": [*_OWN_STEPS, {"item": _OPENED}],
}
# Of rows of a unit that are about its people, by scope: those that an agent reads and writes.
OWN_ROWS: Mapping[str, dict[str, object]] = {
    "unit_or_person": {"staff": VIEWER},
    "issued_report": {"or": [{"staff": VIEWER}, {"checker": VIEWER}]},
}
ACCESS = (AccessRole, RoleRule, RoleBudget, RoleAssignment)

RuleMaker = Callable[[type[Entity]], AccessRule | None]


@dataclass(frozen=True, slots=True)
class ShippedRole:
    """A role that comes with the hub: what it is for, and what makes its rules; None for one without rules."""

    description: str
    make_rule: RuleMaker | None = None
    writes: bool = True
    introspects: bool = False


def canonical_json(value: object) -> str:
    """JSON with sorted keys and without spaces: equal values give equal texts. Its numbers are exact."""
    return exact_json.dumps(value, sort_keys=True)


def explicit_rules(role: RoleVersion) -> Mapping[str, AccessRule]:
    """The rules of a role; of one without, a rule for each entity that grants the same to keys that are bound to nothing."""
    if role.rules is not None:
        return role.rules
    verbs = ALL_VERBS if role.writes else READ
    return {
        entity.__name__: AccessRule(entity.__name__, READ if entity in ACCESS else verbs)
        for entity in schema.entities()
    }


def _rules(maker: RuleMaker) -> dict[str, AccessRule]:
    """The rules of the entities whose rows others than administrators see."""
    seen = (
        e for e in schema.entities() if not isinstance(e.definition.scope.for_units(e.table, "single_unit"), sa.False_)
    )
    rules = (maker(entity) for entity in seen)
    return {rule.entity: rule for rule in rules if rule is not None}


def _written_by(entity: type[Entity], binding: str) -> frozenset[Verb]:
    """What keys of a binding may do with rows of the entity, by its declaration, beside reading."""
    permissions = entity.definition.write_permissions.items()
    return frozenset(Verb(operation) for operation, (_, bindings) in permissions if binding in bindings)


def _is_of_customers(entity: type[Entity]) -> bool:
    return entity.definition.scope.customer_column is not None


def _manager_rule(entity: type[Entity]) -> AccessRule | None:
    verbs = ALL_VERBS if entity is Staff else READ | _written_by(entity, "unit")
    return AccessRule(entity.__name__, verbs)


def _integration_rule(entity: type[Entity]) -> AccessRule | None:
    verbs = READ | _written_by(entity, "unit")
    if not entity.definition.options.get("nested", False):
        verbs -= {Verb.DELETE}
    return AccessRule(entity.__name__, verbs)


def _agent_rule(entity: type[Entity]) -> AccessRule | None:
    if entity.definition.ownership.carries_key:
        return None  # webhooks send to other systems, which is an integration's work
    scope = entity.definition.scope.name
    if scope == "person" or scope in OWN_ROWS:  # what is about the person itself
        row_filter = canonical_json(OWN_ROWS[scope]) if scope in OWN_ROWS else None
        return AccessRule(entity.__name__, (READ | _written_by(entity, "unit")) - {Verb.DELETE}, row_filter)
    if not _is_of_customers(entity):
        return AccessRule(entity.__name__, READ)
    verbs = READ | _written_by(entity, "unit")
    if not entity.definition.options.get("nested", False):
        verbs -= {Verb.DELETE}
    own = _own_customers(entity)
    if entity.definition.ownership.carries_subject:  # or about the person itself
        own = {"or": [own, {"staff": VIEWER}]}
    return AccessRule(entity.__name__, verbs, canonical_json(own))


def _own_customers(entity: type[Entity]) -> dict[str, object]:
    """The filter of rows of customers whom the viewer looks after, and of the viewer's own work."""
    if entity is Customer:
        return dict(OWN_CUSTOMERS)
    own_work = OWN_WORK.get(entity.definition.scope.name)
    if own_work is not None:
        return {"or": [{"customer": OWN_CUSTOMERS}, *own_work]}
    second_customer = entity.definition.options.get("second_customer")
    if second_customer is not None:  # about two customers, of whom the viewer sees both or neither
        return {"customer": OWN_CUSTOMERS, second_customer: OWN_CUSTOMERS}
    parent = entity.definition.parent
    if parent is None or not entity.definition.is_part:
        return {"customer": OWN_CUSTOMERS}
    return {camel_case(parent.name): _own_customers(parent.target)}


def _analyst_rule(entity: type[Entity]) -> AccessRule | None:
    if entity.definition.ownership.carries_key:
        return None
    return AccessRule(entity.__name__, READ, aggregate_only=_is_about_somebody(entity))


def _is_about_somebody(entity: type[Entity]) -> bool:
    """Whether rows belong to a customer or name a member of staff, or are part of such a row. Keys and roles do not count."""
    if entity in ACCESS or entity.definition.scope.name == "administered":
        return False
    names_staff = any(key.column.table is Staff.table for column in entity.table.c for key in column.foreign_keys)
    parent = entity.definition.parent
    part = parent is not None and entity.definition.is_part and _is_about_somebody(parent.target)
    return entity is Staff or _is_of_customers(entity) or names_staff or part


def _customer_rule(entity: type[Entity]) -> AccessRule | None:
    visible = entity.definition.scope.for_customer(entity.table)
    if entity in ACCESS or isinstance(visible, sa.False_):
        return None
    return AccessRule(entity.__name__, READ | _written_by(entity, "customer"))


# All roles that come with the hub. Those without rules are in hub/rights.py: a key needs no row to have one of them.
SHIPPED_ROLES: Mapping[str, ShippedRole] = {
    "admin": ShippedRole(
        "Reads and writes everything that its key sees. With a key that is bound to nothing, manages keys and roles."
    ),
    "writer": ShippedRole("Reads everything that its key sees, and writes what the declarations allow."),
    "reader": ShippedRole("Reads everything that its key sees."),
    "manager": ShippedRole("Runs a unit: reads and writes everything of its customers, and its staff.", _manager_rule),
    "agent": ShippedRole(
        "Looks after customers: sees and edits those whose owner is the member of staff behind the key.", _agent_rule
    ),
    "analyst": ShippedRole(
        "Reads counts and statistics of customers and staff, and nobody's data.",
        _analyst_rule,
        writes=False,
        introspects=True,
    ),
    "integration": ShippedRole(
        "Connects another system: reads, creates and updates, and deletes only parts of rows.",
        _integration_rule,
        introspects=True,
    ),
    "customer": ShippedRole("Reads a customer's own data, and writes what customers write themselves.", _customer_rule),
}


@cache
def shipped_roles() -> Mapping[str, RoleVersion]:
    """The shipped roles by name, as the declarations of this hub make them."""
    return {name: _to_version(name, role) for name, role in SHIPPED_ROLES.items()}


def _to_version(name: str, role: ShippedRole) -> RoleVersion:
    if role.make_rule is None:
        return BUILT_IN_ROLES[name]
    return RoleVersion(name, 0, _rules(role.make_rule), writes=role.writes, introspects=role.introspects)
