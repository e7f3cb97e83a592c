"""Lists by brute force: search, order, pages with the oracle's own cursors."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.engine.catalog.catalog import Row
from hub.model.declarations import Many
from oracle import text
from oracle.conditions import Conditions, figure_of
from oracle.data import Data, Record
from oracle.faults import Refused

CURSOR = "oracle:"
PAGE_ARGUMENTS = ("first", "last", "after", "before")
MOST_WORDS = 8
Key = tuple[Callable[[Record], Any], bool]


class Lists:
    """Filters, searches and sorts rows for one viewer."""

    def __init__(self, data: Data, at: datetime) -> None:
        self._data = data
        self.conditions = Conditions(data, at)

    def chosen(self, row: Row, rows: Sequence[Record], arguments: Mapping[str, Any]) -> list[Record]:
        """The rows that filter and search leave, in the list's order."""
        test = self.conditions.on(row, arguments.get("filter"))
        found = [each for each in rows if test(each)]
        query = arguments.get("search")
        if query is not None:
            wanted = _words(query)
            found = [each for each in found if text.finds(wanted, each["search_text"])]
        self._sort(row, found, arguments.get("orderBy"), query)
        return found

    def _sort(self, row: Row, rows: list[Record], order: Sequence[Mapping[str, Any]] | None, query: str | None) -> None:
        keys: list[Key]
        if order:
            keys = self._keys(row, order)
        elif query is not None:
            keys = [(lambda each: text.rank(query, each["search_text"]), False)]
        else:
            name, direction = row.declaration.order
            keys = [(_field(row, name.upper()), direction == "desc")]
        rows.sort(key=lambda each: each["id"], reverse=keys[-1][1])
        for key, descending in reversed(keys):
            rows.sort(key=key, reverse=descending)

    def _keys(self, row: Row, order: Sequence[Mapping[str, Any]]) -> list[Key]:
        keys, seen = [], []
        if len(order) > 4:
            raise Refused("ORDER_INVALID", "more than four keys")
        for entry in order:
            named = {key: value for key, value in entry.items() if key != "direction" and value is not None}
            if len(named) != 1 or named in seen:
                raise Refused("ORDER_INVALID", "each entry has one key, and none comes twice")
            seen.append(named)
            [(name, value)] = named.items()
            key = _field(row, value) if name == "field" else self._aggregate(row, name, value)
            keys.append((key, entry.get("direction") == "DESC"))
        return keys

    def _aggregate(self, row: Row, name: str, given: Mapping[str, Any]) -> Callable[[Record], Any]:
        link = row.links[name]
        assert isinstance(link, Many), name
        target = self._data.catalog.target(link.target)
        where = self.conditions.on(target, given.get("where"))
        function, field = given["by"], given.get("field")
        figure = _counted if function == "COUNT" else self._figure(target, function, field, given.get("currency"))
        if (function == "COUNT") is not (field is None):
            raise Refused("ORDER_INVALID", "COUNT takes no field, the others take one")

        def key(record: Record) -> Any:
            found = figure([each for each in self._data.linked(target.name, link.by, record["id"]) if where(each)])
            return (found is not None, found)

        return key

    def _figure(
        self, target: Row, function: str, field: str | None, currency: str | None
    ) -> Callable[[list[Record]], Any]:
        if field is None:
            raise Refused("ORDER_INVALID", f"{function} of what")
        column = next(each for each in target.columns.values() if each.column.name.upper() == field)
        if function in ("SUM", "AVG") and not column.wire.number:
            raise Refused("ORDER_INVALID", f"{function} of times")
        return figure_of(target, function.lower(), column, currency)


def _counted(rows: list[Record]) -> int:
    return len(rows)


def _field(row: Row, name: str) -> Callable[[Record], Any]:
    key = row.sort_keys[name]
    return lambda record: key.missing if record[key.column.name] is None else record[key.column.name]


def _words(query: str) -> list[str]:
    found = text.words(query)
    if not found:
        raise Refused("SEARCH_EMPTY", "nothing to search for")
    if len(found) > MOST_WORDS:
        raise Refused("SEARCH_TOO_LONG", f"more than {MOST_WORDS} words")
    return found


def cursor(listed: str, record: Record) -> str:
    """The place of a row in a list; `listed` is the list's own mark."""
    inside = json.dumps([listed, record["id"].hex])
    return CURSOR + base64.urlsafe_b64encode(inside.encode()).decode()


def _place(given: str, listed: str, rows: Sequence[Record]) -> int:
    if not given.startswith(CURSOR):
        raise Refused("CURSOR_MALFORMED", given)
    mark, key = json.loads(base64.urlsafe_b64decode(given.removeprefix(CURSOR)))
    if mark != listed:
        raise Refused("CURSOR_WRONG_LIST", given)
    return [each["id"] for each in rows].index(UUID(key))


def page(rows: Sequence[Record], listed: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The page of a sorted list, as a connection's fields."""
    first, last, after, before = (arguments.get(name) for name in PAGE_ARGUMENTS)
    if first is not None and last is not None:
        raise Refused("PAGE_ARGUMENTS", "first and last")
    size: int = next((each for each in (first, last) if each is not None), 20)
    if size < 0:
        raise Refused("PAGE_ARGUMENTS", "a negative page")
    if size > 100:
        raise Refused("PAGE_LIMIT", "first or last over 100")
    start = 0 if after is None else _place(after, listed, rows) + 1
    stop = len(rows) if before is None else _place(before, listed, rows)
    bounded = rows[start:stop]
    shown = bounded[:size] if last is None else bounded[max(len(bounded) - size, 0) :]
    more = len(bounded) > len(shown)
    cursors = [cursor(listed, each) for each in shown]
    return {
        "nodes": list(shown),
        "edges": [{"node": each, "cursor": place} for each, place in zip(shown, cursors, strict=True)],
        "totalCount": len(rows),
        "pageInfo": {
            "hasNextPage": (last is None and more) or before is not None,
            "hasPreviousPage": (last is not None and more) or after is not None,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }
