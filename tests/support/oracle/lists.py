"""Lists by brute force: search, order, pages with the oracle's own cursors."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hub.engine.catalog.catalog import CatalogEntity
from hub.model.declarations import ToMany
from oracle import text
from oracle.conditions import FilterEvaluator, aggregate_function
from oracle.data import DataRecord, Dataset
from oracle.faults import OracleError

CURSOR_PREFIX = "oracle:"
PAGE_ARGUMENTS = ("first", "last", "after", "before")
MAX_WORDS = 8
LATEST = datetime.max.replace(tzinfo=UTC)  # later than every stored time
RecordSortKey = tuple[Callable[[DataRecord], Any], bool]


class ListEvaluator:
    """Filters, searches and sorts rows for one viewer."""

    def __init__(self, data: Dataset, now: datetime) -> None:
        self._data = data
        self.filter_evaluator = FilterEvaluator(data, now)

    def matching(
        self, entity: CatalogEntity, rows: Sequence[DataRecord], arguments: Mapping[str, Any]
    ) -> list[DataRecord]:
        """The rows that filter and search leave, in the list's order."""
        test = self.filter_evaluator.record_test(entity, arguments.get("filter"))
        matches = [record for record in rows if test(record)]
        query = arguments.get("search")
        if query is not None:
            words = _search_words(query)
            matches = [record for record in matches if self._matches_search(entity, query, words, record)]
        self._sort(entity, matches, arguments.get("orderBy"), query)
        return matches

    def _matches_search(self, entity: CatalogEntity, query: str, words: list[str], record: DataRecord) -> bool:
        """Whether the row has every word in its text or its codes, or the whole text in one of its codes."""
        codes, own = self._codes(entity, record), record["search_text"]
        return text.has_code(text.code_needle(query), codes) or all(
            text.contains_or_resembles(word, own) or text.has_code(text.code_needle(word), codes) for word in words
        )

    def _codes(self, entity: CatalogEntity, record: DataRecord) -> list[str]:
        """The codes of the rows that identify a row: each column's between two spaces."""
        return [
            "".join(text.code(row[column]) for column in source.declaration.identifies)
            for source in self._data.catalog.identifying(entity)
            for row in self._data.linked(source.name, "customer_id", record["id"])
        ]

    def _sort(
        self,
        entity: CatalogEntity,
        rows: list[DataRecord],
        order: Sequence[Mapping[str, Any]] | None,
        query: str | None,
    ) -> None:
        keys: list[RecordSortKey]
        if order:
            keys = self._sort_keys(entity, order)
        elif query is not None:
            codes = self._codes
            keys = [(lambda row: text.search_rank(query, row["search_text"], codes(entity, row)), False)]
        else:
            name, direction = entity.declaration.order
            known = name.upper() in entity.sort_keys  # else the id alone
            key = _sort_field(entity, name.upper()) if known else lambda record: record["id"]
            keys = [(key, direction == "desc")]
        rows.sort(key=lambda record: record["id"], reverse=keys[-1][1])
        for key, descending in reversed(keys):
            rows.sort(key=key, reverse=descending)

    def _sort_keys(self, entity: CatalogEntity, order: Sequence[Mapping[str, Any]]) -> list[RecordSortKey]:
        keys, seen = [], []
        if len(order) > 4:
            raise OracleError("ORDER_INVALID", "more than four keys")
        for entry in order:
            key_fields = {key: value for key, value in entry.items() if key != "direction" and value is not None}
            if len(key_fields) != 1 or key_fields in seen:
                raise OracleError("ORDER_INVALID", "each entry has one key, and none comes twice")
            seen.append(key_fields)
            [(name, value)] = key_fields.items()
            key = _sort_field(entity, value) if name == "field" else self._aggregate_key(entity, name, value)
            keys.append((key, entry.get("direction") == "DESC"))
        return keys

    def _aggregate_key(
        self, entity: CatalogEntity, name: str, aggregate_input: Mapping[str, Any]
    ) -> Callable[[DataRecord], Any]:
        link = entity.links[name]
        assert isinstance(link, ToMany), name
        target = self._data.catalog.target(link.target)
        where = self.filter_evaluator.record_test(target, aggregate_input.get("where"))
        function, field = aggregate_input["by"], aggregate_input.get("field")
        aggregate = (
            _count
            if function == "COUNT"
            else self._aggregate_function(target, function, field, aggregate_input.get("currency"))
        )
        if (function == "COUNT") is not (field is None):
            raise OracleError("ORDER_INVALID", "COUNT takes no field, the others take one")

        def sort_value(record: DataRecord) -> Any:
            value = aggregate(
                [
                    linked_record
                    for linked_record in self._data.linked(target.name, link.by, record["id"])
                    if where(linked_record)
                ]
            )
            return (value is not None, value)

        return sort_value

    def _aggregate_function(
        self, target: CatalogEntity, function: str, field: str | None, currency: str | None
    ) -> Callable[[list[DataRecord]], Any]:
        if field is None:
            raise OracleError("ORDER_INVALID", f"{function} of what")
        column = next(candidate for candidate in target.columns.values() if candidate.column.name.upper() == field)
        if function in ("SUM", "AVG") and not column.scalar.is_number:
            raise OracleError("ORDER_INVALID", f"{function} of times")
        return aggregate_function(target, function.lower(), column, currency)


def _count(rows: list[DataRecord]) -> int:
    return len(rows)


def _sort_field(entity: CatalogEntity, name: str) -> Callable[[DataRecord], Any]:
    key = entity.sort_keys[name]
    null_as = LATEST if key.null_as == "infinity" else key.null_as
    return lambda record: null_as if record[key.column.name] is None else record[key.column.name]


def _search_words(query: str) -> list[str]:
    words = text.words(query)
    if not words:
        raise OracleError("SEARCH_EMPTY", "nothing to search for")
    if len(words) > MAX_WORDS:
        raise OracleError("SEARCH_TOO_LONG", f"more than {MAX_WORDS} words")
    return words


def encode_cursor(fingerprint: str, record: DataRecord) -> str:
    """The place of a row in a list; `fingerprint` identifies the list."""
    payload = json.dumps([fingerprint, record["id"].hex])
    return CURSOR_PREFIX + base64.urlsafe_b64encode(payload.encode()).decode()


def _cursor_index(cursor: str, expected_fingerprint: str, rows: Sequence[DataRecord]) -> int:
    if not cursor.startswith(CURSOR_PREFIX):
        raise OracleError("CURSOR_MALFORMED", cursor)
    fingerprint, key = json.loads(base64.urlsafe_b64decode(cursor.removeprefix(CURSOR_PREFIX)))
    if fingerprint != expected_fingerprint:
        raise OracleError("CURSOR_WRONG_LIST", cursor)
    return [record["id"] for record in rows].index(UUID(key))


def page(
    rows: Sequence[DataRecord], fingerprint: str, arguments: Mapping[str, Any], *, nested: bool = False
) -> dict[str, Any]:
    """The page of a sorted list, as a connection's fields; ten rows are usual inside another row, and twenty elsewhere."""
    first, last, after, before = (arguments.get(name) for name in PAGE_ARGUMENTS)
    if first is not None and last is not None:
        raise OracleError("PAGE_ARGUMENTS", "first and last")
    size: int = next((count for count in (first, last) if count is not None), 10 if nested else 20)
    if size < 0:
        raise OracleError("PAGE_ARGUMENTS", "a negative page")
    if size > 100:
        raise OracleError("PAGE_LIMIT", "first or last over 100")
    start = 0 if after is None else _cursor_index(after, fingerprint, rows) + 1
    stop = len(rows) if before is None else _cursor_index(before, fingerprint, rows)
    bounded = rows[start:stop]
    page_rows = bounded[:size] if last is None else bounded[max(len(bounded) - size, 0) :]
    has_more = len(bounded) > len(page_rows)
    cursors = [encode_cursor(fingerprint, record) for record in page_rows]
    return {
        "nodes": list(page_rows),
        "edges": [
            {"node": record, "cursor": row_cursor} for record, row_cursor in zip(page_rows, cursors, strict=True)
        ],
        "totalCount": len(rows),
        "pageInfo": {
            "hasNextPage": (last is None and has_more) or before is not None,
            "hasPreviousPage": (last is not None and has_more) or after is not None,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }
