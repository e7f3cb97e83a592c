"""Reads on their way to the audit log: grouped by caller and document, written in batches, so that a read costs an append.

A crash loses the reads of the last second. When the database is away for long, the buffer drops further reads and says so."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hub.db import audit_log
from hub.db.pool import Pool
from hub.observability import AuditReadsDropped, emit
from hub.viewer import Viewer

FLUSH_INTERVAL = 0.5  # seconds; with the time of the INSERT, less than a second
MAX_READS = 50_000  # that wait for the next batch
MAX_REQUESTS = 1_000  # of one entry, and rows
MAX_ENTRIES = 500  # of one statement

RowKeys = Sequence[tuple[str, UUID]]  # prefixes of ids, and keys


class AuditedRead:
    """What an operation reads, known when it is planned: equal operations share one object.

    `fields` by type; `by_prefix` names the types whose rows the operation asks for by id. Of those that are `optional` only
    the types of the rows that it asked for are reported."""

    __slots__ = ("by_prefix", "document", "fields", "operation", "optional", "root_fields")

    def __init__(
        self,
        operation: str,
        document: str,
        root_fields: Sequence[str],
        fields: Mapping[str, Sequence[str]],
        by_prefix: Mapping[str, str],
        optional: frozenset[str],
    ) -> None:
        self.operation = operation
        self.document = document
        self.root_fields = root_fields
        self.fields = fields
        self.by_prefix = by_prefix
        self.optional = optional


class ObservedReads:
    """What one mutation read that its plan does not say: rows by id, and by type the fields that errors of conflicts show."""

    __slots__ = ("conflicts", "rows")

    def __init__(self) -> None:
        self.rows: list[tuple[str, UUID]] = []
        self.conflicts: dict[tuple[str, str], set[str]] = {}  # by prefix of ids and type

    def add_conflict(self, prefix: str, entity: str, key: object, shown: Iterable[str]) -> None:
        """Adds a row whose current state an error shows; `key` is None where the command does not name it."""
        self.conflicts.setdefault((prefix, entity), set()).update(shown)
        if isinstance(key, UUID):
            self.rows.append((prefix, key))


class _ReadGroup:
    """Equal reads of one caller since the last batch."""

    __slots__ = ("first_at", "last_at", "network", "read", "requests", "row_count", "rows", "viewer")

    def __init__(self, viewer: Viewer, network: str, read: AuditedRead, now: datetime) -> None:
        self.viewer, self.network, self.read = viewer, network, read
        self.first_at = self.last_at = now
        self.requests: list[str] = []
        self.rows: dict[str, list[UUID]] = defaultdict(list)  # by prefix
        self.row_count = 0

    @property
    def full(self) -> bool:
        """Whether the entry has as many requests or rows as one may have."""
        return len(self.requests) >= MAX_REQUESTS or self.row_count >= MAX_REQUESTS


class AuditBuffer:
    """The reads of one process that are not written yet."""

    def __init__(self, limit: int = MAX_READS) -> None:
        self._limit = limit
        self._groups: dict[tuple[object, ...], _ReadGroup] = {}
        self._last: _ReadGroup | None = None  # that the last read was added to
        self._unsent: list[Mapping[str, Any]] = []
        self._reads = 0
        self._dropped = 0

    def add(
        self, viewer: Viewer, network: str, request_id: str, now: datetime, read: AuditedRead, rows: RowKeys = ()
    ) -> None:
        """Adds one read; `rows` are those that it names by id."""
        if self._reads >= self._limit:
            self._dropped += 1
            return
        self._reads += 1
        group = self._last
        if (
            group is None
            or group.read is not read
            or group.viewer is not viewer
            or group.network != network
            or group.full
        ):
            group = self._last = self._group(viewer, network, read, now)
        group.requests.append(request_id)
        group.last_at = now
        for prefix, row_key in rows:
            group.row_count += 1
            group.rows[prefix].append(row_key)

    def _group(self, viewer: Viewer, network: str, read: AuditedRead, now: datetime) -> _ReadGroup:
        """The open group of such reads."""
        key = (viewer.key_public_id, viewer.principal, network, read)
        group = self._groups.get(key)
        if group is None or group.full:
            if group is not None:
                self._unsent += _entries(group)
            group = self._groups[key] = _ReadGroup(viewer, network, read, now)
        return group

    async def flush(self, pool: Pool) -> bool:
        """Writes what waits; returns whether more does. After an error everything waits for the next batch."""
        groups, self._groups, self._last = self._groups, {}, None
        for group in groups.values():
            self._unsent += _entries(group)
        if self._dropped:
            emit(AuditReadsDropped(self._dropped))
            self._unsent.append(_loss(self._dropped, datetime.now(UTC)))
            self._dropped = 0
        batch = self._unsent[:MAX_ENTRIES]
        if batch:
            async with pool.connection() as connection:
                await audit_log.add_entries(connection, batch)
            del self._unsent[: len(batch)]
        if not self._unsent:
            self._reads = sum(len(group.requests) for group in self._groups.values())
        return bool(self._unsent)


def _entries(group: _ReadGroup) -> list[Mapping[str, Any]]:
    """The entry of a group as a row of audit_pending."""
    read, viewer, times = group.read, group.viewer, len(group.requests)
    ids_by_type: dict[str, dict[str, None]] = {}
    for prefix, keys in group.rows.items():
        entity = read.by_prefix.get(prefix, prefix)
        ids_by_type[entity] = dict.fromkeys(f"{prefix}_{key.hex}" for key in keys)
    targets: list[list[Any]] = [
        [entity, list(ids_by_type.pop(entity, ())), "READ", fields, times, None]
        for entity, fields in read.fields.items()
        if entity in ids_by_type or entity not in read.optional
    ]
    targets += [[entity, list(ids), "READ", [], times, None] for entity, ids in ids_by_type.items()]
    entry = {
        "kind": "READ",
        "at": group.first_at.isoformat(),
        "last_at": group.last_at.isoformat(),
        "actor": viewer.actor,
        "staff_id": None if viewer.staff_id is None else str(viewer.staff_id),
        "subject": viewer.principal or None,
        "network": group.network or None,
        "operation": read.operation or None,
        "document": read.document,
        "root_fields": read.root_fields,
        "requests": group.requests,
        "times": times,
        "customer_id": None if viewer.customer_id is None else str(viewer.customer_id),
        "targets": targets,
    }
    return [entry] if targets else []


def _loss(reads: int, now: datetime) -> Mapping[str, Any]:
    """The entry that says how many reads are missing."""
    moment = now.isoformat()
    return {
        "kind": "LOSS",
        "at": moment,
        "last_at": moment,
        "actor": "hub",
        "root_fields": [],
        "requests": [],
        "times": reads,
        "targets": [],
    }
