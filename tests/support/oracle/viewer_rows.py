"""The root `me` by brute force: who asks, the rows that it is bound to, and which rows are its own or its unit's."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from graphql import GraphQLFieldResolver

from hub.engine.catalog.catalog import Catalog, CatalogEntity, camel_case
from hub.model.root_groups import RootGroup, ViewerList, ViewerRow
from hub.viewer import Viewer
from oracle.data import DataRecord, Dataset
from oracle.values import timestamp_text

LEADING_ROLE = "HEAD"
ConnectionFunction = Callable[..., dict[str, Any]]


def group_resolvers(
    group: RootGroup, catalog: Catalog, connection: ConnectionFunction
) -> Iterator[tuple[str, GraphQLFieldResolver]]:
    """The resolvers of a root without a table, whose parts are the viewer's; `connection` makes a list's answer."""
    for name, part in group.parts.items():
        field = camel_case(name)
        if isinstance(part, ViewerList):
            yield field, _list_resolver(catalog.target(part.target), f"{group.type_name}.{field}", connection)
        elif isinstance(part, ViewerRow):
            yield field, _row_resolver(catalog.target(part.target), part.attribute or f"{name}_id")
        else:
            yield field, lambda source, info: viewer_values(info.context.viewer)


def _list_resolver(target: CatalogEntity, name: str, connection: ConnectionFunction) -> GraphQLFieldResolver:
    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        context = info.context
        test = ViewerRows(context.viewer, context.every_row, context.now).tests()[info.field_name]
        own = [record for record in context.data.rows[target.name] if test(record)]
        return connection(context, target, own, name, None, arguments, nested=True)

    return resolve


def _row_resolver(target: CatalogEntity, attribute: str) -> GraphQLFieldResolver:
    def resolve(source: Any, info: Any) -> DataRecord | None:
        row: DataRecord | None = info.context.data.get(target.name, getattr(info.context.viewer, attribute))
        return row

    return resolve


class ViewerRows:
    """Which rows are a member of staff's, at a moment; `every_row` also holds what the viewer does not see."""

    def __init__(self, viewer: Viewer, every_row: Dataset, now: datetime) -> None:
        self.viewer = viewer
        self.every_row = every_row
        self.now = now

    def tests(self) -> Mapping[str, Callable[[DataRecord], bool]]:
        """By the name of a list of `me`, whether a row belongs there."""
        return {"tasks": self._is_task, "workSteps": self._is_step, "notifications": self._is_notification}

    def _is_task(self, task: DataRecord) -> bool:
        return self._is_me(task["staff_id"]) or self._leads(task["unit_id"])

    def _is_step(self, step: DataRecord) -> bool:
        addressee: UUID | None = step["addressee_id"]
        mine = self._is_me(addressee) if addressee else self._is_one_of_several(step["id"])
        return mine or self._leads(step["working_unit_id"])

    def _is_one_of_several(self, step: UUID) -> bool:
        """Whether a step that is no single person's was addressed to the viewer among others."""
        about = self.every_row.linked("Notification", "row_id", step)
        return any(self._is_me(row["staff_id"]) and row["type"] == "ASSIGNED" for row in about)

    def _is_notification(self, notification: DataRecord) -> bool:
        person = self.every_row.get("Staff", notification["staff_id"])
        assert person is not None
        return self._is_me(person["id"]) or self._leads(person["unit_id"])

    def _is_me(self, staff_id: UUID | None) -> bool:
        return staff_id is not None and staff_id == self.viewer.staff_id

    def _leads(self, unit_id: UUID | None) -> bool:
        """Whether the person is the unit's head now, or asks with a key of the unit that reads about its people."""
        if unit_id is None or self.viewer.staff_id is None:
            return False
        roles = self.every_row.linked("JobRole", "unit_id", unit_id)
        if any(self._is_me(role["staff_id"]) and role["role"] == LEADING_ROLE and self._holds(role) for role in roles):
            return True
        return self.viewer.reads_people and unit_id in self.viewer.unit_ids

    def _holds(self, role: DataRecord) -> bool:
        return bool(role["from_at"] <= self.now and (role["to_at"] is None or self.now < role["to_at"]))


def viewer_values(viewer: Viewer) -> dict[str, Any]:
    """The fields of `me { viewer }`."""
    expires_at = viewer.expires_at
    return {
        "keyId": viewer.key_public_id or None,
        "name": viewer.name,
        "roles": list(viewer.role_names),
        "binding": "CUSTOMER" if viewer.customer_id else "UNIT" if viewer.unit_path else "UNRESTRICTED",
        "permissions": list(viewer.permissions),
        "administers": viewer.administers,
        "introspects": viewer.can_introspect,
        "expiresAt": None if expires_at is None else timestamp_text(expires_at),
    }
