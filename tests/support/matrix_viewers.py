"""The viewers of the matrix of rights: shipped and random roles, bound to nothing, to a unit or to a customer.

Each is a member of staff who looks after customers, unless a customer asks."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from oracle.executor import Oracle
from oracle.roles import random_role

from hub.domain.access.shipped_roles import shipped_roles
from hub.rights import RoleVersion
from hub.viewer import Role, Viewer

BINDINGS = ("nothing", "unit", "region", "customer")


def bound(oracle: Oracle, binding: str, roles: Sequence[RoleVersion], seed: str) -> Viewer:
    """A viewer with these roles; those of units and customers are drawn from the ones that see some rows."""
    rows, rng = oracle.data.rows, random.Random(f"{seed} {binding}")
    if binding == "customer":
        customers = {row["customer_id"] for row in rows["Order"]} & {row["customer_id"] for row in rows["Contact"]}
        return Viewer(None, Role.READER, customer_id=rng.choice(sorted(customers)), roles=tuple(roles))
    owners = Counter(row["owner_id"] for row in rows["Customer"] if row["owner_id"])
    staff: UUID = max(owners, key=lambda key: (owners[key], key))
    if binding == "nothing":
        return Viewer(None, Role.READER, staff_id=staff, roles=tuple(roles))
    units = {row["id"]: row for row in rows["OrgUnit"]}
    parents = {row["parent_id"] for row in units.values()}
    owning = sorted({units[row["unit_id"]]["path"] for row in rows["Customer"] if row["unit_id"] not in parents})
    path: str = rng.choice(owning)
    path = path.rpartition(".")[0] if binding == "region" else path
    below = tuple(key for key, unit in units.items() if f"{unit['path']}.".startswith(f"{path}."))
    return Viewer(None, Role.READER, unit_path=path, unit_ids=below, staff_id=staff, roles=tuple(roles))


def shipped_viewers(oracle: Oracle, name: str, seed: str) -> Iterator[Viewer]:
    """A viewer of each binding with a shipped role."""
    for binding in BINDINGS:
        yield bound(oracle, binding, (shipped_roles()[name],), seed)


def drawn(viewers: Iterable[Viewer], count: int, seed: str) -> list[Viewer]:
    """So many of the viewers, or all if there are no more."""
    known = list(viewers)
    return random.Random(f"{seed} {known[0].role_names}").sample(known, min(count, len(known)))


def random_viewers(oracle: Oracle, number: int, now: datetime, seed: str) -> Iterator[Viewer]:
    """Viewers of a pair of random roles: of one, of both, and of one or the other bound to a unit, a region or a customer."""
    first, second = (random_role(index, oracle, now, seed) for index in (2 * number, 2 * number + 1))
    yield bound(oracle, "nothing", (first,), f"{seed} {number}")
    yield bound(oracle, "nothing", (first, second), f"{seed} {number}")
    yield bound(oracle, "unit", (first,), f"{seed} {number}")
    yield bound(oracle, "region", (second,), f"{seed} {number}")
    yield bound(oracle, "customer", (second,), f"{seed} {number}")
