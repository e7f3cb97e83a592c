"""The viewer of a request: its key's role and binding, and its permissions. hub/model/scopes.py says which rows it sees."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Literal
from uuid import UUID

from hub.errors import Forbidden


class Role(StrEnum):
    ADMIN = "admin"
    WRITER = "writer"
    READER = "reader"


# A scope is "subject:verb"; "*" stands for every subject.
ROLE_SCOPES: dict[Role, frozenset[str]] = {
    Role.READER: frozenset({"*:read"}),
    Role.WRITER: frozenset({"*:read", "*:write"}),
    Role.ADMIN: frozenset({"*:read", "*:write", "*:admin"}),
}


# Bound to nothing, to a unit without units below it, to a unit's subtree, to one customer.
Binding = Literal["unrestricted", "single_unit", "unit_subtree", "customer"]


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
    principal: str = ""  # `issuer|subject` of the token that comes in the place of a key; `key_id` is derived from it
    # The flow of fair queueing that its work belongs to: its customer's or person's, whose keys share it, else its key's.
    flow: int | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        owner = self.customer_id or self.staff_id or self.key_id
        # A small integer is hashed many times as fast as a UUID. Two owners with one hash would only share their turns.
        object.__setattr__(self, "flow", None if owner is None else hash(owner))

    @property
    def binding(self) -> Binding:
        """The form of the predicate that limits the viewer's rows; plans are cached by it."""
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
    def unit_id(self) -> UUID | None:
        """The unit whose subtree limits the viewer; None without such a limit."""
        return self.unit_ids[0] if self.unit_ids else None

    @property
    def bound_to(self) -> Literal["UNRESTRICTED", "UNIT", "CUSTOMER"]:
        """What limits the viewer's rows, as the API names it."""
        if self.customer_id is not None:
            return "CUSTOMER"
        return "UNRESTRICTED" if self.unit_path is None else "UNIT"

    @property
    def shown_key_id(self) -> str | None:
        """The public id of the viewer's key; None for a viewer without one."""
        return self.key_public_id or None

    @property
    def administers(self) -> bool:
        """Whether the viewer may issue, change and revoke API keys."""
        return self.may("keys:admin")

    @property
    def role_names(self) -> tuple[str, ...]:
        """The names of the viewer's roles."""
        return (self.role.value,)

    @property
    def permissions(self) -> tuple[str, ...]:
        """The permissions of its roles, `subject:verb`, that its binding leaves; "*" stands for every subject."""
        return tuple(sorted(scope for scope in ROLE_SCOPES[self.role] if self.may(scope, BOUND_KEYS)))

    @property
    def can_introspect(self) -> bool:
        # A customer's own app ships with its queries; nobody who holds such a key needs the whole vocabulary.
        return self.customer_id is None

    def may(self, permission: str, writable_by: frozenset[str] = frozenset()) -> bool:
        """Whether the role has the permission. A bound key writes only what says that keys of its binding may."""
        return _may(self.role, self.binding, permission, writable_by)

    def require(self, permission: str, writable_by: frozenset[str] = frozenset()) -> None:
        """Raises Forbidden unless the viewer has the permission; see `may`."""
        if not self.may(permission, writable_by):
            bound = {"unrestricted": "", "customer": " bound to a customer"}.get(self.binding, " bound to a unit")
            message = f"A key with role {self.role}{bound} may not {permission}; use a key that has that right."
            raise Forbidden(message, extensions={"scope": permission})


@cache
def _may(role: Role, binding: Binding, permission: str, writable_by: frozenset[str]) -> bool:
    verb = permission.partition(":")[2]
    # A key that sees a part only may not hand out keys to the whole.
    if verb == "admin" and binding != "unrestricted":
        return False
    bound = "unit" if binding in ("single_unit", "unit_subtree") else binding
    if verb == "write" and binding != "unrestricted" and bound not in writable_by:
        return False
    scopes = ROLE_SCOPES[role]
    return permission in scopes or f"*:{verb}" in scopes


ADMIN = Viewer(key_id=None, role=Role.ADMIN)
