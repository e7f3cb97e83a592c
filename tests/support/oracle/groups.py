"""Rows in groups, by brute force: keys behind links, the order of the groups, and their pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.model.declarations import ToOne
from oracle.conditions import aggregate_function
from oracle.data import DataRecord, Dataset
from oracle.faults import OracleError
from oracle.figures import bucket_start, least, parse_zone, stats
from oracle.lists import page
from oracle.values import to_output

MAX_KEYS = 4
MAX_LINKS = 3
KeyValues = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One part of a group's key: the names on the way to it, its value of a row, and that value as it is answered."""

    path: tuple[str, ...]
    read: Callable[[DataRecord], Any]
    output: Callable[[Any], Any]


def groups(
    data: Dataset, entity: CatalogEntity, rows: Sequence[DataRecord], arguments: Mapping[str, Any], fingerprint: str
) -> dict[str, Any]:
    """The page of groups that was asked for."""
    by = arguments["by"]
    parts = [_key_part(data, entity, grouping) for grouping in by]
    if not 1 <= len(parts) <= MAX_KEYS or len({part.path for part in parts}) < len(parts):
        raise OracleError("GROUP_INVALID", "one to four fields, none twice")
    records_by_key: dict[KeyValues, list[DataRecord]] = {}
    for record in rows:
        records_by_key.setdefault(tuple(part.read(record) for part in parts), []).append(record)
    large = (key for key, records in records_by_key.items() if len(records) >= least(entity))
    keys = sorted(large, key=lambda key: [(value is None, value) for value in key])
    for order_by in reversed(arguments.get("orderBy") or []):
        _sort(data, entity, keys, order_by, parts, records_by_key)
    nodes = [
        {
            "id": uuid5(NAMESPACE_OID, repr(key)),
            "key": _key_object(parts, key),
            "stats": stats(entity, records_by_key[key]),
        }
        for key in keys
    ]
    return page(nodes, fingerprint, arguments)


def _sort(
    data: Dataset,
    entity: CatalogEntity,
    keys: list[KeyValues],
    order_by: Mapping[str, Any],
    parts: Sequence[KeyPart],
    records_by_key: Mapping[KeyValues, list[DataRecord]],
) -> None:
    descending = order_by.get("direction") == "DESC"
    key_input, function, field = order_by.get("key"), order_by.get("by"), order_by.get("field")
    if (key_input is None) is (function is None):
        raise OracleError("ORDER_INVALID", "a key or a figure")
    if key_input is not None:
        path = _key_part(data, entity, key_input).path
        index = next((index for index, part in enumerate(parts) if part.path == path), None)
        if index is None or key_input.get("bucket") is not None:
            raise OracleError("ORDER_INVALID", "no part of the key")
        keys.sort(key=lambda key: ((key[index] is None) is not descending, key[index]), reverse=descending)
        return
    if (function == "COUNT") is not (field is None):
        raise OracleError("ORDER_INVALID", "COUNT takes no field, the others take one")
    aggregate: Callable[[list[DataRecord]], Any] = len
    if field is not None:
        column = next(candidate for candidate in entity.columns.values() if candidate.column.name.upper() == field)
        if function in ("SUM", "AVG") and not column.scalar.is_number:
            raise OracleError("ORDER_INVALID", f"{function} of times")
        aggregate = aggregate_function(entity, str(function).lower(), column, order_by.get("currency"))
    figures = {key: aggregate(records_by_key[key]) for key in keys}
    keys.sort(key=lambda key: (figures[key] is not None, figures[key]), reverse=descending)


def _key_object(parts: Sequence[KeyPart], key: KeyValues) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for part, value in zip(parts, key, strict=True):
        inner = result
        for name in part.path[:-1]:
            inner = inner.setdefault(name, {})
        inner[part.path[-1]] = part.output(value)
    return result


def _key_part(data: Dataset, entity: CatalogEntity, grouping: Mapping[str, Any], depth: int = 0) -> KeyPart:
    field, link = grouping.get("field"), grouping.get("link")
    if (field is None) is (link is None):
        raise OracleError("GROUP_INVALID", "a field or a link")
    if link is None:
        return _own_part(entity, grouping)
    followed = [(name, inner) for name, inner in link.items() if inner is not None]
    if len(followed) != 1 or depth == MAX_LINKS or grouping.get("bucket") or grouping.get("timezone"):
        raise OracleError("GROUP_INVALID", "one link, and not too many one after another")
    [(name, inner)] = followed
    declared = entity.links[name]
    assert isinstance(declared, ToOne), name
    target = data.catalog.target(declared.target)
    part = _key_part(data, target, inner, depth + 1)

    def read(record: DataRecord) -> Any:
        linked_record = data.get(target.name, record[declared.by])
        return None if linked_record is None else part.read(linked_record)

    return KeyPart((name, *part.path), read, part.output)


def _own_part(entity: CatalogEntity, grouping: Mapping[str, Any]) -> KeyPart:
    field, bucket, timezone = grouping["field"], grouping.get("bucket"), grouping.get("timezone")
    if field == "ID":
        if bucket is not None or timezone is not None:
            raise OracleError("GROUP_INVALID", "an id is no time")
        prefix = entity.declaration.prefix
        return KeyPart(("id",), lambda record: record["id"], lambda key: None if key is None else f"{prefix}_{key.hex}")
    column = next(c for c in entity.filterable.values() if c.column.name.upper() == field)
    return KeyPart((column.name,), _reader(column, bucket, timezone), lambda value: to_output(value, column.scalar))


def _reader(column: ColumnField, bucket: str | None, timezone: str | None) -> Callable[[DataRecord], Any]:
    name = column.column.name
    if timezone is not None and (bucket is None or column.scalar.name == "Date"):
        raise OracleError("GROUP_INVALID", "a time zone is for spans of moments")
    if bucket is None:
        return lambda record: record[name]
    if not column.scalar.is_time:
        raise OracleError("GROUP_INVALID", f"{column.name} is no time")
    zone = parse_zone(timezone or "UTC")
    return lambda record: None if record[name] is None else bucket_start(bucket, record[name], zone)
