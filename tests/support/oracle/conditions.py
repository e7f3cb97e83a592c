"""Filters by brute force: a filter becomes a function of a row that says whether the row meets it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Column, Row
from hub.engine.catalog.scalars import Wire
from hub.model.declarations import Many, One
from oracle import text
from oracle.data import Data, Record
from oracle.faults import Refused
from oracle.values import at_path, average, duration, exact, inward, is_number, key_of, plus, same_json

Test = Callable[[Any], bool]
FIGURES = ("sum", "avg", "min", "max")


def _operators(at: datetime) -> Mapping[str, Callable[[Any, Any], bool]]:
    """What each operator says of a value that is not null and the operator's own, already in comparable form."""
    return {
        "eq": lambda value, given: value == given,
        "ne": lambda value, given: value != given,
        "in": lambda value, given: value in given,
        "notIn": lambda value, given: value not in given,
        "lt": lambda value, given: value < given,
        "lte": lambda value, given: value <= given,
        "gt": lambda value, given: value > given,
        "gte": lambda value, given: value >= given,
        "contains": lambda value, given: given.strip(" ") in text.fold(value),
        "startsWith": lambda value, given: text.fold(value).startswith(" " + given.strip(" ")),
        "withinLast": lambda value, given: at - given <= value <= at,
        "olderThan": lambda value, given: value < at - given,
    }


def _nothing(wanted: bool) -> Test:
    return lambda value: (value is None) is wanted


def _of(figure: Callable[[list[Record]], Any], test: Test) -> Test:
    return lambda rows: test(figure(rows))


def _every(tests: Sequence[Test]) -> Test:
    return lambda value: all(test(value) for test in tests)


class Conditions:
    """Makes tests of filters, over the rows that one viewer sees, for one moment."""

    def __init__(self, data: Data, at: datetime) -> None:
        self._data = data
        self._rows = list(data.catalog.rows.values())
        self._operators = _operators(at)

    def on(self, row: Row, given: Mapping[str, Any] | None) -> Test:
        """The test of a filter on rows of a type; no filter is met by all."""
        return _every([self._part(row, key, value) for key, value in (given or {}).items() if value is not None])

    def _part(self, row: Row, key: str, value: Any) -> Test:
        if key == "and":
            return _every([self.on(row, each) for each in value])
        if key == "or":
            tests = [self.on(row, each) for each in value]
            return lambda record: any(test(record) for test in tests)
        if key == "not":
            test = self.on(row, value)
            return lambda record: not test(record)
        if key == "id":
            of_key = self._value({op: self._keys(row, given) for op, given in value.items()}, scalars.ID)
            return lambda record: of_key(record["id"])
        if key in row.filterable:
            return self._column(row.filterable[key], value)
        link = row.links[key]
        assert isinstance(link, One | Many), key
        return self._one(link, value) if isinstance(link, One) else self._many(link, value)

    def _keys(self, row: Row, given: Any) -> Any:
        if given is None:
            return None
        return (
            [self._keys(row, each) for each in given] if isinstance(given, list) else key_of(given, self._rows, row)[1]
        )

    def _column(self, column: Column, given: Mapping[str, Any]) -> Test:
        name = column.column.name
        if column.wire.name == "JSON":
            path = given["path"]
            test = self._json({key: each for key, each in given.items() if key != "path"})
            return lambda record: test(at_path(record[name], path))
        of_value = self._value(given, column.wire)
        return lambda record: of_value(record[name])

    def _value(self, given: Mapping[str, Any], kind: Wire) -> Test:
        """The test of a column's operators on a value that may be null."""
        tests: list[Test] = []
        for operator, value in given.items():
            if value is None or (isinstance(value, list) and None in value):
                raise Refused("FILTER_INVALID", f"{operator} is null")
            if operator == "isNull":
                tests.append(_nothing(value))
            else:
                tests.append(self._compared(operator, self._comparable(operator, value, kind)))
        return _every(tests)

    def _comparable(self, operator: str, value: Any, kind: Wire) -> Any:
        if operator in ("withinLast", "olderThan"):
            return duration(value)
        if operator in ("contains", "startsWith"):
            return text.fold(value)
        return [inward(each, kind) for each in value] if isinstance(value, list) else inward(value, kind)

    def _compared(self, operator: str, given: Any) -> Test:
        met = self._operators[operator]
        if operator in ("ne", "notIn"):
            return lambda value: value is None or met(value, given)
        return lambda value: value is not None and met(value, given)

    def _json(self, given: Mapping[str, Any]) -> Test:
        tests: list[Test] = []
        for operator, value in given.items():
            if value is None or (operator == "in" and None in value):
                raise Refused("FILTER_INVALID", f"{operator} is null")
            tests.append(self._json_operator(operator, value))
        return _every(tests)

    def _json_operator(self, operator: str, given: Any) -> Test:
        if operator == "isNull":
            return lambda value: (value is None) is given
        if operator == "eq":
            return lambda value: value is not None and same_json(value, given)
        if operator == "ne":
            return lambda value: value is None or not same_json(value, given)
        if operator == "in":
            return lambda value: value is not None and any(same_json(value, each) for each in given)
        met = self._operators[operator]
        if operator == "contains":
            needle = text.fold(given)
            return lambda value: isinstance(value, str) and met(value, needle)
        return lambda value: is_number(value) and met(exact(value), exact(given))

    def _one(self, link: One, given: Mapping[str, Any]) -> Test:
        target = self._data.catalog.target(link.target)
        test = self.on(target, given)

        def met(record: Record) -> bool:
            found = self._data.get(target.name, record[link.by])
            return found is not None and test(found)

        return met

    def _many(self, link: Many, given: Mapping[str, Any]) -> Test:
        target = self._data.catalog.target(link.target)
        where = self.on(target, given.get("where"))
        whole: list[Callable[[list[Record]], bool]] = []
        part: list[Callable[[list[Record]], bool]] = []
        for key, value in given.items():
            if value is None or key == "where":
                continue
            if key == "count":
                of_count = self._value(value, scalars.INT)
                part.append(_of(len, of_count))
            elif key in FIGURES:
                part.extend(self._figures(target, key, value))
            else:
                whole.append(self._quantified(key, self.on(target, value)))

        def met(record: Record) -> bool:
            linked = self._data.linked(target.name, link.by, record["id"])
            if not all(test(linked) for test in whole):
                return False
            chosen = [each for each in linked if where(each)] if part else []
            return all(test(chosen) for test in part)

        return met

    def _quantified(self, key: str, test: Test) -> Callable[[list[Record]], bool]:
        if key == "some":
            return lambda rows: any(test(each) for each in rows)
        if key == "none":
            return lambda rows: not any(test(each) for each in rows)
        assert key == "every", key
        return lambda rows: all(test(each) for each in rows)

    def _figures(self, row: Row, key: str, given: Mapping[str, Any]) -> list[Callable[[list[Record]], bool]]:
        currency = given.get("currency")
        tests: list[Callable[[list[Record]], bool]] = []
        for name, value in given.items():
            if value is None or name == "currency":
                continue
            column = row.columns[name]
            figure = figure_of(row, key, column, currency)
            test = self._value(value, scalars.DECIMAL if column.wire.number else column.wire)
            tests.append(_of(figure, test))
        return tests


def figure_of(row: Row, function: str, column: Column, currency: str | None) -> Callable[[list[Record]], Any]:
    """A figure over rows: the sum of none is 0, the others of none are null; money only in the currency."""
    if column.wire.money and currency is None:
        raise Refused("CURRENCY_REQUIRED", f"{column.name} is money")
    name, money = column.column.name, column.wire.money
    beside = row.currency or ""

    def figure(rows: list[Record]) -> Any:
        chosen = [each for each in rows if each[beside] == currency] if money else rows
        values = [each[name] for each in chosen if each[name] is not None]
        if function == "sum":
            return plus(values)
        if not values:
            return None
        if function == "avg":
            return average(values)
        found = min(values) if function == "min" else max(values)
        return Decimal(found) if isinstance(found, int) else found

    return figure
