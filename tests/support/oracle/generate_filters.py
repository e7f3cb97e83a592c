"""Draws filters that a given row, the witness, meets: most answers shall hold something."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hub.engine.catalog.catalog import Column, Row
from hub.engine.catalog.scalars import AGE, Wire
from hub.model.declarations import Many, One
from oracle.conditions import figure_of
from oracle.data import Record, public, values_of
from oracle.generate import Draw
from oracle.values import amount_text

Filter = dict[str, Any]
TRIES = 4
RANGES = ("lt", "lte", "gt", "gte")


class Filters:
    """Filters for one operation."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw

    def on(self, row: Row, witness: Record | None, depth: int = 0) -> Filter:
        """A filter of one to three parts."""
        parts: Filter = {}
        for _ in range(self.draw.pick((1, 1, 2, 3) if depth == 0 else (1, 1, 2))):
            if self.draw.spend(4):
                for key, value in self._part(row, witness, depth).items():
                    parts.setdefault(key, value)
        return parts

    def _part(self, row: Row, witness: Record | None, depth: int) -> Filter:
        """A part that the witness meets, if a few tries find one."""
        for _ in range(TRIES):
            part = self._any_part(row, witness, depth)
            if witness is None or self.draw.conditions.on(row, part)(witness):
                return part
            if self.draw.chance(0.3, "filter: not"):
                return {"not": part}
        return {}

    def _any_part(self, row: Row, witness: Record | None, depth: int) -> Filter:
        links = [name for name, link in row.links.items() if isinstance(link, One | Many)]
        kinds = (
            ["column"] * 7
            + ["json"] * 14 * self._holds_json(row)
            + ["id"]
            + (["link"] * 6 if links and depth < 2 else [])
        )
        kinds += ["both"] * (2 if depth < 2 else 0)
        match self.draw.pick(kinds):
            case "id":
                self.draw.use("filter: id")
                return {"id": self._ids(row, witness)}
            case "link":
                return self._link(row, self.draw.pick(self.draw.counted(row, links)), witness, depth)
            case "both":
                return self._both(row, witness, depth)
            case "json":
                wanted = [each for each in row.filterable.values() if each.wire.name == "JSON"]
            case _:
                wanted = [each for each in row.filterable.values() if each.wire.name != "JSON"]
        if not wanted:
            return {}
        column = self.draw.pick(wanted)
        other = witness if witness and self.draw.chance(0.6) else self._anyone(row)
        return {column.name: self._column(row, column, other)} if other else {}

    def _holds_json(self, row: Row) -> bool:
        return any(each.wire.name == "JSON" for each in row.filterable.values())

    def _both(self, row: Row, witness: Record | None, depth: int) -> Filter:
        if self.draw.chance(0.5):
            self.draw.use("filter: and")
            return {"and": [self.on(row, witness, depth + 1) for _ in range(self.draw.pick((0, 1, 2, 2)))]}
        self.draw.use("filter: or")
        others = [self.on(row, self._anyone(row), depth + 1) for _ in range(self.draw.pick((0, 1, 1, 2)))]
        return {"or": [*others, self.on(row, witness, depth + 1)]}

    def _anyone(self, row: Row) -> Record | None:
        rows = self.draw.data.rows[row.name]
        return self.draw.pick(rows) if rows else None

    def _ids(self, row: Row, witness: Record | None) -> Filter:
        others = [public(self.draw.data, each) for each in self.draw.some(self.draw.data.rows[row.name], 1, 3)]
        if not others:
            return {"in": []}
        own = [public(self.draw.data, witness)] if witness else others[:1]
        return self.draw.pick(({"eq": own[0]}, {"in": [*others, *own]}, {"ne": others[0]}, {"notIn": others}))

    def _column(self, row: Row, column: Column, of: Record) -> Filter:
        value = of[column.column.name]
        if column.wire.name == "JSON":
            return self._json(value)
        if value is None or self.draw.chance(0.06):
            self.draw.use("filter: isNull")
            return {"isNull": (value is None) is self.draw.chance(0.9)}
        pool = values_of(self.draw.some(self.draw.data.rows[row.name], 2, 4), column.column.name) or [value]
        operators = [each for each in column.wire.operators if each != "isNull" for _ in range(2 if each in AGE else 1)]
        chosen = list(dict.fromkeys(self.draw.some(operators, 1, 2 if self.draw.chance(0.2) else 1)))
        self.draw.use(*(f"filter: {each}" for each in chosen))
        return {each: self._operand(each, value, pool, column.wire) for each in chosen}

    def _operand(self, operator: str, value: Any, pool: Sequence[Any], kind: Wire) -> Any:
        if operator in ("in", "notIn"):
            own = [value] if operator == "in" else []
            return [self._sent(each, kind) for each in [*own, *pool[: self.draw.random.randint(0, 3)]]]
        if operator in ("withinLast", "olderThan"):
            return self._age(value)
        if operator == "contains":
            return self._spelled(self._piece(value))
        if operator == "startsWith":
            return self._spelled(value[: self.draw.random.randint(0, len(value))])
        near = self.draw.chance(0.7) if operator in ("eq", *RANGES) else self.draw.chance(0.3)
        return self._sent(value if near else self.draw.pick(pool), kind)

    def _age(self, value: datetime) -> str:
        seconds = max(0, int((self.draw.at - value).total_seconds())) + self.draw.pick((-86_400, 0, 1, 3_600, 864_000))
        if seconds % 604_800 == 0:
            return f"P{max(seconds, 0) // 604_800}W"
        days, rest = divmod(max(seconds, 0), 86_400)
        return self.draw.pick((f"P{days}DT{rest}S", f"PT{days * 24 + rest // 3600}H{rest % 3600 // 60}M{rest % 60}S"))

    def _piece(self, value: str) -> str:
        start = self.draw.random.randint(0, len(value))
        return value[start : start + self.draw.random.randint(1, 6)]

    def _spelled(self, value: str) -> str:
        return self.draw.pick((value, value, value.upper(), value.lower(), f" {value} ", value.swapcase()))

    def _sent(self, value: Any, kind: Wire) -> Any:
        """A column's value as a client may write it."""
        if isinstance(value, datetime):
            if self.draw.chance(0.2):
                value += timedelta(microseconds=self.draw.pick((1, -1, 86_400_000_000)))
            zone = self.draw.pick((UTC, UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=3))))
            text = value.astimezone(zone).isoformat()
            return text.replace("+00:00", self.draw.pick(("Z", "+00:00", "z")))
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return self.draw.pick(
                (amount_text(value), amount_text(value.normalize()), f" {value}", amount_text(value + 1))
            )
        return value + self.draw.pick((0, 0, 1)) if kind.number else value

    def _json(self, value: Any) -> Filter:
        paths = list(_paths(value, []))
        plain = [each for each in paths if isinstance(each[1], str | int | Decimal)]
        numbers = [each for each in plain if isinstance(each[1], int | Decimal)] * 3
        path, found = (
            self.draw.pick([*paths, *plain, *plain, *numbers]) if self.draw.chance(0.9) else (["nowhere", "0"], None)
        )
        operators = ["eq", "eq", "ne", "ne", "in", "in", "isNull", "isNull"]
        number = isinstance(found, int | Decimal) and not isinstance(found, bool)
        operators += [*RANGES] * 7 * number + ["contains"] * 8 * isinstance(found, str)
        operator = self.draw.pick(operators)
        self.draw.use(f"filter: json {'range' if operator in RANGES else operator}")
        return {"path": path, operator: self._json_operand(operator, _loose(found))}

    def _json_operand(self, operator: str, found: Any) -> Any:
        if operator == "isNull":
            return found is None if self.draw.chance(0.8) else found is not None
        other = self.draw.pick((10, "10", "a", [], True, {"x": 1}, 10.5))
        if operator == "in":
            return [other] if found is None else [other, found]
        if operator == "contains":
            return self._spelled(self._piece(found))
        return other if found is None or (operator == "ne" and self.draw.chance(0.5)) else found

    def _link(self, row: Row, name: str, witness: Record | None, depth: int) -> Filter:
        link = row.links[name]
        assert isinstance(link, One | Many)
        target = self.draw.catalog.target(link.target)
        if isinstance(link, One):
            found = self.draw.data.get(target.name, witness[link.by]) if witness else None
            self.draw.use("filter: one")
            return {name: {} if self.draw.chance(0.1) else self.on(target, found or self._anyone(target), depth + 1)}
        linked = self.draw.data.linked(target.name, link.by, witness["id"]) if witness else []
        return {name: self._list(target, linked, depth)}

    def _list(self, target: Row, linked: Sequence[Record], depth: int) -> Filter:
        one = self.draw.pick(linked) if linked else self._anyone(target)
        if self.draw.chance(0.4):
            word = self.draw.pick(("some", "none", "every"))
            self.draw.use(f"filter: {word}")
            return {word: self.on(target, one, depth + 1)}
        given: Filter = {}
        chosen = list(linked)
        if self.draw.chance(0.5):
            self.draw.use("filter: where")
            given["where"] = self.on(target, one, depth + 1)
            test = self.draw.conditions.on(target, given["where"])
            chosen = [each for each in linked if test(each)]
        columns = list(target.aggregable)
        if self.draw.chance(0.25):
            self.draw.use("filter: count")
            given["count"] = self._bound(len(chosen), int)
        else:
            given |= self._figure(target, columns, chosen)
        return given

    def _figure(self, target: Row, columns: Sequence[Column], chosen: list[Record]) -> Filter:
        numbers = [each for each in columns if each.wire.number]
        function = self.draw.pick(("sum", "sum", "avg", "avg", "avg", "min", "max") if numbers else ("min", "max"))
        column = self.draw.pick(numbers if function in ("sum", "avg") else columns)
        self.draw.use(f"filter: {function}", *(["filter: money"] if column.wire.money else []))
        currencies = values_of(chosen or self.draw.data.rows[target.name][:9], "currency") if target.currency else []
        currency = self.draw.pick(currencies) if currencies else "EUR"
        value = figure_of(target, function, column, currency)(chosen)
        condition = {"isNull": True} if value is None else self._bound(value, lambda bound: self._exact(bound, column))
        beside = {"currency": currency} if column.wire.money or (target.currency and self.draw.chance(0.2)) else {}
        return {function: {column.name: condition, **beside}}

    def _exact(self, value: Any, column: Column) -> Any:
        # What Postgres's avg says in its last decimals is nobody's business here.
        return amount_text(round(value, 6)) if isinstance(value, Decimal) else self._sent(value, column.wire)

    def _bound(self, value: Any, sent: Callable[[Any], Any]) -> Filter:
        step = timedelta(days=1) if isinstance(value, date) else 1
        return self.draw.pick(
            (
                {"gte": sent(value)},
                {"lte": sent(value)},
                {"eq": sent(value)},
                {"gt": sent(value - step)},
                {"lt": sent(value + step)},
                {"gte": sent(value - step), "lte": sent(value + step)},
                {"ne": sent(value + step)},
                {"in": [sent(value), sent(value + step)]},
            )
        )


def _paths(value: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    """Every place inside a JSON value, list entries also counted from the end."""
    yield path, value
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _paths(each, [*path, key])
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _paths(each, [*path, str(place)])
            yield [*path, str(place - len(value))], each


def _loose(value: Any) -> Any:
    """A stored JSON value as a request carries it: numbers are floats there."""
    if isinstance(value, dict):
        return {key: _loose(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(_loose, value))
    return float(value) if isinstance(value, Decimal) else value
