"""Rights as data: what roles let a viewer read and write. Plans, aliases and cached statements are keyed by them.

hub/model/scopes.py turns them into the predicate of rows, hub/engine/catalog/ into the fields that exist."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal
from weakref import WeakValueDictionary

from hub.client_limits import CostBudget

# Bound to nothing, to a unit without units below it, to a unit's subtree, to one customer.
Binding = Literal["unrestricted", "single_unit", "unit_subtree", "customer"]

# The strings of a row filter that stand for the viewer, whole or as an item of a list.
STAFF, UNITS, CUSTOMER = "$staff", "$units", "$customer"


class Verb(StrEnum):
    """What a rule lets a viewer do with rows."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Mask(StrEnum):
    """What a masked column shows in place of its value. Null stays null."""

    NULL = "null"  # nothing; for columns that may be null
    REDACTED = "redacted"  # a text: three asterisks
    INITIAL = "initial"  # a text: its first character and three asterisks
    LAST_FOUR = "last_four"  # a text: three asterisks and its last four characters, if it has at least eight
    DOMAIN = "domain"  # a text with an @: three asterisks, and the part from its last @ on
    YEAR = "year"  # a date or a timestamp: the first day of its year, in UTC


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One entity's rule in a role. An entity without a rule does not exist for the role.

    `row_filter` is a filter of the entity as canonical JSON, in which STAFF, UNITS and CUSTOMER are the viewer's; None
    for all rows. `fields` are the API names of readable columns and links; None for all. The id is always readable.
    `writable` are the API names of columns that may be written; None for those that are read unmasked."""

    entity: str
    verbs: frozenset[Verb] = frozenset({Verb.READ})
    row_filter: str | None = None
    fields: frozenset[str] | None = None
    masks: frozenset[tuple[str, Mask]] = frozenset()
    aggregate_only: bool = False
    writable: frozenset[str] | None = None

    def may_write(self, name: str) -> bool:
        """Whether a column may be written, by its API name; a foreign key also bears the name of its link."""
        names = {name, name.removesuffix("Id")}
        if self.writable is not None:
            return not names.isdisjoint(self.writable)
        masked = {masked for masked, _ in self.masks}
        return (self.fields is None or not names.isdisjoint(self.fields)) and names.isdisjoint(masked)

    def shows(self, name: str) -> bool:
        """Whether rows show a field as it is, by its API name."""
        is_granted = self.fields is None or name in self.fields
        return is_granted and not self.aggregate_only and all(name != masked for masked, _ in self.masks)

    @property
    def narrows_fields(self) -> bool:
        """Whether some field of the entity is hidden or masked, or no row is shown at all."""
        return self.fields is not None or bool(self.masks) or self.aggregate_only


@dataclass(frozen=True, slots=True)
class CellRules:
    """Which rules show a field, and which show it masked, where not every rule shows it as it is."""

    shown: tuple[AccessRule, ...]
    masked: tuple[tuple[Mask, tuple[AccessRule, ...]], ...]
    every_row: bool  # whether each row has a value, shown or masked


@dataclass(frozen=True, slots=True)
class RoleVersion:
    """A role as it was stored once. `rules` by entity; None: every row and field of every entity, as shipped roles read.

    `writes` says whether a role without rules writes too. `run` names the mutations that it may run; None: all that its
    writes imply."""

    name: str
    version: int
    rules: Mapping[str, AccessRule] | None = field(default=None, hash=False)
    writes: bool = field(default=False, hash=False)
    run: frozenset[str] | None = field(default=None, hash=False)
    administers: bool = field(default=False, hash=False)
    introspects: bool = field(default=True, hash=False)
    budget: CostBudget | None = field(default=None, hash=False)
    trusted_only: bool = field(default=False, hash=False)


ADMIN_ROLE = RoleVersion("admin", 0, writes=True, administers=True)
WRITER_ROLE = RoleVersion("writer", 0, writes=True)
READER_ROLE = RoleVersion("reader", 0)
# The shipped roles without rules, which are known before any row is read; hub/domain/access/shipped_roles.py has them all.
BUILT_IN_ROLES: Mapping[str, RoleVersion] = {role.name: role for role in (ADMIN_ROLE, WRITER_ROLE, READER_ROLE)}


@lru_cache(maxsize=1_000)
def role_without_writes(role: RoleVersion) -> RoleVersion:
    """The role as it only reads."""
    rules = {name: replace(rule, verbs=rule.verbs & {Verb.READ}) for name, rule in (role.rules or {}).items()}
    return role if role.rules is None else replace(role, rules=rules)


class Rights:
    """What a viewer's plans depend on. Equal rights are one object, which is its own hash: get it from `rights_of`.

    `narrowed`: more than the binding hides rows or fields. `hides_names`: some names of the schema do not exist; a
    customer's own viewer does not know what is about it and not for it. `derived` holds what readers worked out once."""

    __slots__ = ("__weakref__", "binding", "derived", "has_staff", "hides_names", "narrowed", "roles")

    def __init__(self, binding: Binding, roles: tuple[RoleVersion, ...], *, has_staff: bool) -> None:
        self.binding: Binding = binding
        self.roles = roles
        self.has_staff = has_staff
        self.narrowed = bool(roles)
        self.hides_names = self.narrowed or binding == "customer"
        self.derived: dict[object, Any] = {}

    def rules(self, entity: str, verb: Verb = Verb.READ) -> tuple[AccessRule, ...] | None:
        """The rules that let the viewer do this with rows of the entity; None for every row in full, `()` for no row."""
        if not self.roles:
            return None
        granted: dict[AccessRule, None] = {}
        for role in self.roles:
            if role.rules is None:
                if verb is Verb.READ or role.writes:
                    return None
                continue
            rule = role.rules.get(entity)
            if rule is not None and verb in rule.verbs:
                granted[rule] = None
        return tuple(granted)

    def granting(self, entity: str, verb: Verb = Verb.READ) -> tuple[AccessRule, ...] | None:
        """The rules that count for rows of an entity: as `rules`, but what is updated or deleted must be read as well.

        A rule that grants only aggregates counts where no other rule grants rows."""
        rules = self.rules(entity, verb)
        if rules is None:
            return None
        if verb in (Verb.UPDATE, Verb.DELETE):
            rules = tuple(rule for rule in rules if Verb.READ in rule.verbs)
        with_rows = tuple(rule for rule in rules if not rule.aggregate_only)
        return with_rows or (rules if verb is Verb.READ else ())

    def writing(self, entity: str, verb: Verb, name: str) -> tuple[AccessRule, ...] | None:
        """The rules that let a field be written, by API name, of those that grant the verb; None where these all do."""
        rules = self.granting(entity, verb) or ()
        chosen = tuple(rule for rule in rules if rule.may_write(name))
        return None if chosen == rules else chosen

    def shows_rows(self, entity: str) -> bool:
        """Whether roles may show rows of the entity, and not aggregates alone."""
        rules = self.granting(entity)
        return rules is None or any(not rule.aggregate_only for rule in rules)

    def filters_rows(self, entity: str) -> bool:
        """Whether roles may hide rows of the entity that the binding shows."""
        rules = self.granting(entity)
        return rules is not None and all(rule.row_filter is not None for rule in rules)


_interned: "WeakValueDictionary[tuple[Binding, tuple[RoleVersion, ...], bool], Rights]" = WeakValueDictionary()


def rights_of(binding: Binding, roles: tuple[RoleVersion, ...] = (), *, has_staff: bool = False) -> Rights:
    """The rights of a viewer with these roles. Roles that narrow nothing leave `Rights.roles` empty, as none do."""
    narrowing = () if all(role.rules is None for role in roles) else tuple(dict.fromkeys(roles))
    key = (binding, narrowing, has_staff and bool(narrowing))
    rights = _interned.get(key)
    if rights is None:
        rights = _interned.setdefault(key, Rights(binding, narrowing, has_staff=key[2]))
    return rights


def rights_of_roles(rights: Rights) -> Rights:
    """The rights of the same roles that know the same names, which share what depends on names alone. They live as long."""
    shared = rights.derived.get("roles")
    if shared is None:
        shared = rights.derived["roles"] = rights_of(
            "customer" if rights.binding == "customer" else "unrestricted", rights.roles
        )
    assert isinstance(shared, Rights)
    return shared


# Of the conditions of a role's filter: they read every row, whoever the viewer is. Equal to no viewer's rights.
UNLIMITED_RIGHTS = Rights("unrestricted", (), has_staff=False)
# Held for ever: what is worked out for customers' keys without narrowing roles outlives the keys.
CUSTOMER_RIGHTS = rights_of("customer")
