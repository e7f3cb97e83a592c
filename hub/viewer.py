"""The viewer of a request: its key's role and binding, and its permissions. hub/model/scopes.py says which rows it sees."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Viewer:
    """The key of one request: bound to a unit's subtree, to one customer, or unrestricted."""

    key_id: UUID | None
    role: Role
    unit_path: str | None = None
    unit_ids: tuple[UUID, ...] = ()  # the units of the subtree, as they were when the key was looked up
    customer_id: UUID | None = None
    key_public_id: str = ""  # the key's public id
    principal: str = (
        ""  # `issuer|subject` of the token that stands in the place of a key; then `key_id` is derived from it
    )

    @property
    def binding(self) -> Binding:
        """The form of the predicate that limits the viewer's rows; plans are cached by it."""
        if self.customer_id is not None:
            return "customer"
        if self.unit_path is None:
            return "unrestricted"
        return "single_unit" if len(self.unit_ids) == 1 else "unit_subtree"

    @property
    def flow(self) -> int | None:
        """The flow of fair queueing that the viewer's work belongs to: its customer, whose keys share it, else its key."""
        owner = self.customer_id or self.key_id
        return None if owner is None else owner.int  # integers are hashed many times as fast as UUIDs

    @property
    def actor(self) -> str:
        """The actor as the change log names it."""
        if self.principal:
            return f"token:{self.principal}"
        return f"key:{self.key_public_id}" if self.key_public_id else "hub"

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
