"""Optimistic concurrency: an edit that is based on a version stands if later edits left its columns alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.dialects.postgresql import JSONB

from hub.db import change_log
from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import exact_json, statements
from hub.model.entity import Entity
from hub.model.rows import can_see, lock_row
from hub.viewer import Viewer

ROW_CHANGED = "the row changed"
SYSTEM_COLUMNS = ("id", "version", "created_at", "updated_at", "search_text")  # no edit is about these


async def require_version(
    tx: Connection, viewer: Viewer, entity: type[Entity], key: UUID, values: Mapping[str, Any], version: int
) -> None:
    """Locks the row; raises VERSION_CONFLICT when one of the columns in `values` was changed after that version."""
    row = await lock_row(tx, viewer, entity, key, "id")
    current: int = row["version"]
    if version == current:
        return
    edited = await change_log.edited_since(tx, entity.table.name, key, version) if version < current else None
    clash = sorted(values if edited is None else edited & values.keys())
    if not clash:
        return
    # The engine names the columns in the message that the viewer reads, and leaves the others out of `current`.
    raise BadInput(
        f"expected_version: {ROW_CHANGED} after version {version}, which is now {current}; read the row again.",
        code="VERSION_CONFLICT",
        argument="expected_version",
        extensions={
            "currentVersion": current,
            "current": {name: await _visible_value(tx, viewer, entity, name, row[name]) for name in clash},
        },
    )


async def _visible_value(tx: Connection, viewer: Viewer, entity: type[Entity], name: str, value: Any) -> Any:
    """A stored value as the viewer would read it: the key of a hidden row is null to it."""
    column = entity.c[name]
    if value is None:
        return None
    if isinstance(column.type, JSONB):
        return orjson.Fragment(value)  # as it is stored: it may hold numbers that orjson would not write
    if isinstance(value, datetime):
        return exact_json.timestamp_text(value)
    target = statements.referenced_table(column)
    return value if target is None or await can_see(tx, viewer, target, value) else None
