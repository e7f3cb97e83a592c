"""The viewer of a request: its key's role and binding, and its permissions. hub/model/scopes.py says which rows it sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from uuid import UUID

from hub.client_limits import NO_LIMITS, ClientLimits
from hub.errors import Forbidden
from hub.rights import BUILT_IN_ROLES, Binding, Rights, RoleVersion, Verb, rights_of, role_without_writes


class Role(StrEnum):
    """The shipped roles without rules, which a viewer may have without any role being stored."""

    ADMIN = "admin"
    WRITER = "writer"
    READER = "reader"


# A scope is "subject:verb"; "*" stands for every subject.
ROLE_SCOPES: dict[Role, frozenset[str]] = {
    Role.READER: frozenset({"*:read"}),
    Role.WRITER: frozenset({"*:read", "*:write", "*:verify"}),
    Role.ADMIN: frozenset({"*:read", "*:write", "*:verify", "*:admin"}),
}


# Some subjects are writable by keys of these bindings.
BOUND_KEYS = frozenset({"unit", "customer"})


@dataclass(frozen=True, slots=True)
class Viewer:
    """The key of one request: bound to a unit's subtree, to one customer, or unrestricted; perhaps a member of staff's."""

    key_id: UUID | None
    role: Role
    unit_path: str | None = None
    unit_ids: tuple[UUID, ...] = ()  # the units of the subtree, as they were when the key was looked up
    customer_id: UUID | None = None
    key_public_id: str = ""  # the key's public id
    staff_id: UUID | None = None  # the member of staff who asks; None for a system
    # What `me` shows beside the rights. Neither changes what the viewer may see.
    name: str = field(default="", compare=False)
    expires_at: datetime | None = field(default=None, compare=False)
    roles: tuple[RoleVersion, ...] = ()  # empty: the shipped role alone
    principal: str = ""  # `issuer|subject` of the token that comes in the place of a key; `key_id` is derived from it
    key_source: str = field(default="", compare=False)  # the system that the key is for
    limits: ClientLimits = NO_LIMITS  # its budget, whether it runs trusted documents alone, whether it introspects
    command: str | None = field(default=None, compare=False)  # the command that it runs, if it has stored roles
    rights: Rights = field(init=False, repr=False, compare=False)  # what plans depend on
    # The flow of fair queueing that its work belongs to: its customer's or person's, whose keys share it, else its key's.
    flow: int | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        roles = self.roles or (BUILT_IN_ROLES[self.role],)
        object.__setattr__(self, "rights", rights_of(self.binding, roles, has_staff=self.staff_id is not None))
        owner = self.customer_id or self.staff_id or self.key_id
        # A small integer is hashed many times as fast as a UUID. Two owners with one hash would only share their turns.
        object.__setattr__(self, "flow", None if owner is None else hash(owner))

    @property
    def binding(self) -> Binding:
        """What the viewer is bound to, as a part of its rights."""
        if self.customer_id is not None:
            return "customer"
        if self.unit_path is None:
            return "unrestricted"
        return "single_unit" if len(self.unit_ids) == 1 else "unit_subtree"

    @property
    def actor(self) -> str:
        """The actor as the change log names it."""
        if self.principal:
            return f"token:{self.principal}"
        if self.key_public_id:
            return f"key:{self.key_public_id}"
        return "hub" if self.staff_id is None else f"staff:{self.staff_id.hex}"

    @property
    def source(self) -> str:
        """Who says what the viewer writes: its key's system, a person (`manual`), or some machine (`api`)."""
        return self.key_source or ("api" if self.staff_id is None else "manual")

    def rights_digest(self) -> bytes:
        """A hash of what the viewer may see: equal for equal rights, in every process."""
        bound_to = (self.unit_path, sorted(str(id) for id in self.unit_ids), str(self.customer_id), str(self.staff_id))
        held = sorted((role.name, role.version) for role in self.all_roles)
        return sha256(repr((self.binding, bound_to, held)).encode()).digest()

    @property
    def unit_id(self) -> UUID | None:
        """The unit whose subtree limits the viewer; None without such a limit."""
        return self.unit_ids[0] if self.unit_ids else None

    @property
    def bound_to(self) -> str:
        """What limits the viewer's rows, as the API names it."""
        if self.customer_id is not None:
            return "CUSTOMER"
        return "UNRESTRICTED" if self.unit_path is None else "UNIT"

    @property
    def shown_key_id(self) -> str | None:
        """The public id of the viewer's key; None for a viewer without one."""
        return self.key_public_id or None

    @property
    def role_names(self) -> tuple[str, ...]:
        """The names of the viewer's roles."""
        return tuple(role.name for role in self.all_roles)

    @property
    def permissions(self) -> tuple[str, ...]:
        """The permissions of its roles, `subject:verb`, that its binding leaves; "*" stands for every subject.

        Rules grant `Customer:read`, by the name of the type."""
        if not self.roles:
            return tuple(sorted(scope for scope in ROLE_SCOPES[self.role] if self.may(scope, BOUND_KEYS)))
        rules = [rule for role in self.roles for rule in (role.rules or {}).values()]
        granted = {f"{rule.entity}:{verb}" for rule in rules for verb in rule.verbs}
        for role in self.roles:
            if role.rules is None:
                granted |= {"*:read", "*:write"} if role.writes else {"*:read"}
        return tuple(sorted(granted | ({"*:admin"} if self.administers else set())))

    def audit_context(self, network: str) -> Mapping[str, str]:
        """What the change log says of the caller beside the actor; `network` is the client's address."""
        described = {
            "staff": "" if self.staff_id is None else str(self.staff_id),
            "customer": "" if self.customer_id is None else str(self.customer_id),
            "subject": self.principal,
            "network": network,
        }
        return {name: value for name, value in described.items() if value}

    @property
    def can_introspect(self) -> bool:
        """Whether it may read the schema, and errors suggest names to it."""
        # A customer's own app ships with its queries; nobody who holds such a key needs the whole vocabulary.
        return self.customer_id is None and self.limits.introspects

    @property
    def sees_all_rows(self) -> bool:
        """Whether neither a binding nor a role hides rows of customers."""
        return self.binding == "unrestricted" and not self.rights.narrowed

    @property
    def administers(self) -> bool:
        """Whether it manages keys and roles: by a role that does, with a key that is bound to nothing."""
        return self.binding == "unrestricted" and any(role.administers for role in self.all_roles)

    @property
    def all_roles(self) -> tuple[RoleVersion, ...]:
        """Its stored roles, else the shipped role."""
        return self.roles or (BUILT_IN_ROLES[self.role],)

    def running(self, command: str) -> "Viewer":
        """The viewer while it runs a command, which its roles may name.

        A role that lists other commands lets it read alone: its rows are not written by what another role may run."""
        if not self.roles:
            return self
        runner = replace(self, command=command)
        if any(role.run is not None and command not in role.run for role in self.roles):
            roles = tuple(r if r.run is None or command in r.run else role_without_writes(r) for r in self.roles)
            rights = rights_of(self.binding, roles, has_staff=self.staff_id is not None)
            object.__setattr__(runner, "rights", rights)
        return runner

    def may(self, permission: str, writable_by: frozenset[str] = frozenset()) -> bool:
        """Whether the role has the permission. A bound key writes only what says that keys of its binding may."""
        if not self.roles:
            return _may(self.role, self.binding, permission, writable_by)
        verb = permission.partition(":")[2]
        return verb == "read" or (
            self.administers if verb == "admin" else self._may_as_shipped(permission, writable_by)
        )

    def require(self, permission: str, writable_by: frozenset[str] = frozenset()) -> None:
        """Raises Forbidden unless the viewer has the permission; see `may`."""
        if not self.may(permission, writable_by):
            raise self._forbidden(permission)

    def require_write(self, entity: str, verb: Verb, permission: str, writable_by: frozenset[str]) -> None:
        """Raises Forbidden unless some role lets the viewer write rows of the entity in this way.

        Shipped roles without rules follow the permission of the declaration; see `may`."""
        if not self.roles:
            self.require(permission, writable_by)
        elif (
            not self.runs_freely
            and not self._grants(entity, verb)
            and not self._may_as_shipped(permission, writable_by)
        ):
            raise self._forbidden(permission)

    @property
    def runs_freely(self) -> bool:
        """Whether a role names the command that runs, so that it may write whatever the command writes."""
        return self.command is not None and any(self.command in (role.run or ()) for role in self.roles)

    def may_write(self, entity: str, verb: Verb, field: str) -> bool:
        """Whether the viewer may write a column of the entity, by its API name."""
        rules = None if self.runs_freely else self.rights.rules(entity, verb)
        return rules is None or any(rule.may_write(field) for rule in rules)

    @property
    def reads_people(self) -> bool:
        """Whether it reads what is about members of staff: it administers, or a role lets it change them."""
        return self.administers or any(
            role.rules is not None and "Staff" in role.rules and Verb.UPDATE in role.rules["Staff"].verbs
            for role in self.roles
        )

    def rows_for(self, verb: Verb) -> Verb:
        """The verb whose rows the viewer may write so: a command that it runs freely writes every row that it reads."""
        return Verb.READ if self.runs_freely else verb

    def _grants(self, entity: str, verb: Verb) -> bool:
        """Whether a role with rules grants the verb; a list of commands replaces those that its rules imply."""
        with_rules = (
            role for role in self.roles if role.rules is not None and (self.command is None or role.run is None)
        )
        return any(_has_verb(role, entity, verb) for role in with_rules)

    def _may_as_shipped(self, permission: str, writable_by: frozenset[str]) -> bool:
        writes = any(role.rules is None and role.writes for role in self.roles)
        return writes and _may(Role.WRITER, self.binding, permission, writable_by)

    def _forbidden(self, permission: str) -> Forbidden:
        bound = {"unrestricted": "", "customer": " bound to a customer"}.get(self.binding, " bound to a unit")
        names = " and ".join(role.name for role in self.all_roles)
        message = f"A key with role {names}{bound} may not {permission}; use a key that has that right."
        return Forbidden(message, extensions={"scope": permission})


def _has_verb(role: RoleVersion, entity: str, verb: Verb) -> bool:
    if role.rules is None:
        return role.writes or verb is Verb.READ
    return entity in role.rules and verb in role.rules[entity].verbs


@cache
def _may(role: Role, binding: Binding, permission: str, writable_by: frozenset[str]) -> bool:
    verb = permission.partition(":")[2]
    # A key that sees a part only may not hand out keys to the whole.
    if verb == "admin" and binding != "unrestricted":
        return False
    bound = "unit" if binding in ("single_unit", "unit_subtree") else binding
    if verb in ("write", "verify") and binding != "unrestricted" and bound not in writable_by:
        return False
    scopes = ROLE_SCOPES[role]
    return permission in scopes or f"*:{verb}" in scopes


ADMIN = Viewer(key_id=None, role=Role.ADMIN)
