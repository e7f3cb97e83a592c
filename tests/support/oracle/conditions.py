"""Filters by brute force: a filter becomes a function of a row that says whether the row meets it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.scalars import ScalarType
from hub.engine.graphql_types.inputs import COMPARE, HOLDS, UNDER
from hub.model.declarations import ToMany, ToOne
from hub.model.normal_forms import NormalForm, RowNormalForm
from hub.model.unicode_text import single_line
from oracle import text
from oracle.data import DataRecord, Dataset, is_in_subtree
from oracle.faults import OracleError
from oracle.figures import least
from oracle.values import (
    at_path,
    average,
    exact_sum,
    is_number,
    parse_duration,
    parse_id,
    same_json,
    to_comparable,
    to_decimal,
)

RecordTest = Callable[[Any], bool]
AGGREGATES = ("sum", "avg", "min", "max")


def _operators(now: datetime) -> Mapping[str, Callable[[Any, Any], bool]]:
    """What each operator says of a value that is not null and the operator's own, already in comparable form."""
    return {
        "eq": lambda value, operand: value == operand,
        "ne": lambda value, operand: value != operand,
        "in": lambda value, operand: value in operand,
        "notIn": lambda value, operand: value not in operand,
        "lt": lambda value, operand: value < operand,
        "lte": lambda value, operand: value <= operand,
        "gt": lambda value, operand: value > operand,
        "gte": lambda value, operand: value >= operand,
        "contains": lambda value, operand: operand.strip(" ") in text.fold(value),
        "startsWith": lambda value, operand: text.fold(value).startswith(" " + operand.strip(" ")),
        "has": lambda value, operand: operand in value,
        "withinLast": lambda value, operand: now - operand <= value <= now,
        "olderThan": lambda value, operand: value < now - operand,
    }


def _null_test(is_null: bool) -> RecordTest:
    return lambda value: (value is None) is is_null


def _empty_test(is_empty: bool) -> RecordTest:
    return lambda value: (not value) is is_empty


def _aggregate_test(aggregate: Callable[[list[DataRecord]], Any], test: RecordTest) -> RecordTest:
    return lambda rows: test(aggregate(rows))


def _all_of(tests: Sequence[RecordTest]) -> RecordTest:
    return lambda value: all(test(value) for test in tests)


class FilterEvaluator:
    """Makes tests of filters, over the rows that one viewer sees, for one moment."""

    def __init__(self, data: Dataset, now: datetime) -> None:
        self._data = data
        self._rows = list(data.catalog.entities.values())
        self._now = now
        self._operators = _operators(now)

    def record_test(self, entity: CatalogEntity, filter_input: Mapping[str, Any] | None) -> RecordTest:
        """The test of a filter on rows of a type; no filter is met by all."""
        return _all_of(
            [
                self._part(entity, key, value, filter_input or {})
                for key, value in (filter_input or {}).items()
                if value is not None
            ]
        )

    def _part(self, entity: CatalogEntity, key: str, value: Any, siblings: Mapping[str, Any]) -> RecordTest:
        if key == "and":
            return _all_of([self.record_test(entity, nested) for nested in value])
        if key == "or":
            tests = [self.record_test(entity, nested) for nested in value]
            return lambda record: any(test(record) for test in tests)
        if key == "not":
            test = self.record_test(entity, value)
            return lambda record: not test(record)
        if key == "id":
            key_test = self._value_test(
                {op: self._parse_ids(entity, operand) for op, operand in value.items()}, scalars.ID
            )
            return lambda record: key_test(record["id"])
        if key == COMPARE:
            return _all_of(
                [self._field_test(entity, name, operators) for name, operators in value.items() if operators]
            )
        if key == UNDER and entity.declaration.tree is not None:
            return self._subtree_test(entity, entity.declaration.tree, value)
        if key == HOLDS and entity.declaration.lasting:
            moment = self._now if value.get("at") is None else to_comparable(value["at"], scalars.DATETIME)
            return lambda record: record["from_at"] <= moment and (record["to_at"] is None or moment < record["to_at"])
        if key in entity.filterable:
            column = entity.filterable[key]
            return self._column(column, value, siblings)
        link = entity.links[key]
        assert isinstance(link, ToOne | ToMany), key
        return self._to_one(link, value) if isinstance(link, ToOne) else self._to_many(link, value)

    def _field_test(self, entity: CatalogEntity, name: str, operators: Mapping[str, Any]) -> RecordTest:
        """The test of a column against other columns of its row."""
        if None in operators.values():
            raise OracleError("FILTER_INVALID", f"{name} is compared with null")
        own = entity.filterable[name].column.name
        comparisons = [(operator, field.lower()) for operator, field in operators.items()]

        def holds(record: DataRecord, operator: str, other: str) -> bool:
            if record[own] is None or record[other] is None:
                return operator == "ne" and record[own] is not record[other]
            return self._operators[operator](record[own], record[other])

        return lambda record: all(holds(record, operator, other) for operator, other in comparisons)

    def _subtree_test(self, entity: CatalogEntity, path: str, value: str) -> RecordTest:
        root = self._data.get(entity.name, parse_id(value, self._rows, entity)[1])
        return lambda record: root is not None and is_in_subtree(record[path], root[path])

    def _parse_ids(self, entity: CatalogEntity, ids: Any) -> Any:
        if ids is None:
            return None
        return (
            [self._parse_ids(entity, id_) for id_ in ids]
            if isinstance(ids, list)
            else parse_id(ids, self._rows, entity)[1]
        )

    def _column(self, column: ColumnField, operators: Any, siblings: Mapping[str, Any]) -> RecordTest:
        name = column.column.name
        if column.scalar.name == "JSON":
            conditions = operators if isinstance(operators, list) else [operators]
            return _all_of([self._json_test(name, condition) for condition in conditions])
        pairs = normalized_operators(column, operators, siblings)
        value_test = _all_of([self._value_test({operator: operand}, column.scalar) for operator, operand in pairs])
        return lambda record: value_test(record[name])

    def _json_test(self, name: str, operators: Mapping[str, Any]) -> RecordTest:
        path = operators["path"]
        test = self._json({key: operand for key, operand in operators.items() if key != "path"})
        return lambda record: test(at_path(record[name], path))

    def _value_test(self, operators: Mapping[str, Any], scalar: ScalarType) -> RecordTest:
        """The test of a column's operators on a value that may be null."""
        tests: list[RecordTest] = []
        for operator, value in operators.items():
            if value is None or (isinstance(value, list) and None in value):
                raise OracleError("FILTER_INVALID", f"{operator} is null")
            if operator == "isNull":
                tests.append(_null_test(value))
            elif operator == "isEmpty":
                tests.append(_empty_test(value))
            else:
                tests.append(self._comparison(operator, self._comparable(operator, value, scalar)))
        return _all_of(tests)

    def _comparable(self, operator: str, value: Any, scalar: ScalarType) -> Any:
        if operator in ("withinLast", "olderThan"):
            return parse_duration(value)
        if operator in ("contains", "startsWith"):
            return text.fold(value)
        return (
            [to_comparable(item, scalar) for item in value] if isinstance(value, list) else to_comparable(value, scalar)
        )

    def _comparison(self, operator: str, operand: Any) -> RecordTest:
        matches = self._operators[operator]
        if operator in ("ne", "notIn"):
            return lambda value: value is None or matches(value, operand)
        return lambda value: value is not None and matches(value, operand)

    def _json(self, operators: Mapping[str, Any]) -> RecordTest:
        tests: list[RecordTest] = []
        for operator, value in operators.items():
            if value is None or (operator == "in" and None in value):
                raise OracleError("FILTER_INVALID", f"{operator} is null")
            tests.append(self._json_operator(operator, value))
        return _all_of(tests)

    def _json_operator(self, operator: str, operand: Any) -> RecordTest:
        if operator == "isNull":
            return lambda value: (value is None) is operand
        if operator == "eq":
            return lambda value: value is not None and same_json(value, operand)
        if operator == "ne":
            return lambda value: value is None or not same_json(value, operand)
        if operator == "in":
            return lambda value: value is not None and any(same_json(value, item) for item in operand)
        matches = self._operators[operator]
        if operator == "contains":
            needle = text.fold(operand)
            return lambda value: isinstance(value, str) and matches(value, needle)
        return lambda value: is_number(value) and matches(to_decimal(value), to_decimal(operand))

    def _to_one(self, link: ToOne, nested_filter: Mapping[str, Any]) -> RecordTest:
        target = self._data.catalog.target(link.target)
        test = self.record_test(target, nested_filter)

        def matches(record: DataRecord) -> bool:
            target_record = self._data.get(target.name, record[link.by])
            return target_record is not None and test(target_record)

        return matches

    def _to_many(self, link: ToMany, list_filter: Mapping[str, Any]) -> RecordTest:
        target = self._data.catalog.target(link.target)
        where = self.record_test(target, list_filter.get("where"))
        quantifier_tests: list[Callable[[list[DataRecord]], bool]] = []
        aggregate_tests: list[Callable[[list[DataRecord]], bool]] = []
        for key, value in list_filter.items():
            if value is None or key == "where":
                continue
            if key == "count":
                count_test = self._value_test(value, scalars.INT)
                aggregate_tests.append(_aggregate_test(len, count_test))
            elif key in AGGREGATES:
                aggregate_tests.extend(self._aggregate_tests(target, key, value))
            else:
                quantifier_tests.append(self._quantifier_test(key, self.record_test(target, value)))

        def matches(record: DataRecord) -> bool:
            linked = self._data.linked(target.name, link.by, record["id"])
            if not all(test(linked) for test in quantifier_tests):
                return False
            selected = [linked_record for linked_record in linked if where(linked_record)] if aggregate_tests else []
            return all(test(selected) for test in aggregate_tests)

        return matches

    def _quantifier_test(self, quantifier: str, test: RecordTest) -> Callable[[list[DataRecord]], bool]:
        if quantifier == "some":
            return lambda rows: any(test(record) for record in rows)
        if quantifier == "none":
            return lambda rows: not any(test(record) for record in rows)
        assert quantifier == "every", quantifier
        return lambda rows: all(test(record) for record in rows)

    def _aggregate_tests(
        self, entity: CatalogEntity, key: str, operators: Mapping[str, Any]
    ) -> list[Callable[[list[DataRecord]], bool]]:
        currency = operators.get("currency")
        tests: list[Callable[[list[DataRecord]], bool]] = []
        for name, value in operators.items():
            if value is None or name == "currency":
                continue
            column = entity.columns[name]
            aggregate = aggregate_function(entity, key, column, currency)
            test = self._value_test(value, scalars.DECIMAL if column.scalar.is_number else column.scalar)
            tests.append(_aggregate_test(aggregate, test))
        return tests


def normalized_operators(
    column: ColumnField, operators: Mapping[str, Any], siblings: Mapping[str, Any]
) -> list[tuple[str, Any]]:
    """The operators with texts as writes store them: a text that depends on its row is one of several."""
    form = column.normal_form
    known = {name: (siblings.get(name) or {}).get("eq") for name in ("kind", "country")}

    def convert(operator: str, operand: Any) -> Any:
        if (
            operator not in (*scalars.EQUALITY, *scalars.RANGE)
            or operand is None
            or (isinstance(operand, list) and None in operand)
        ):
            return operand
        if isinstance(form, RowNormalForm):
            if operator in scalars.RANGE:
                return NormalForm(single_line, is_code=False).convert(operand)
            texts = operand if isinstance(operand, list) else [operand]
            return sorted({spelling for item in texts for spelling in form.spellings(item, known)})
        assert form is not None
        return [form.convert(item) for item in operand] if isinstance(operand, list) else form.convert(operand)

    if form is None:
        return list(operators.items())
    several = {"eq": "in", "ne": "notIn"} if isinstance(form, RowNormalForm) else {}
    try:
        return [
            (several.get(operator, operator), convert(operator, operand)) for operator, operand in operators.items()
        ]
    except ValueError as fault:
        raise OracleError("VALUE_INVALID", str(fault)) from None


def aggregate_function(
    entity: CatalogEntity, function: str, column: ColumnField, currency: str | None
) -> Callable[[list[DataRecord]], Any]:
    """A figure over rows: that of none is null; money only in the currency."""
    if column.scalar.is_money and currency is None:
        raise OracleError("CURRENCY_REQUIRED", f"{column.name} is money")
    name, money = column.column.name, column.scalar.is_money
    currency_column = entity.currency or ""

    def aggregate(rows: list[DataRecord]) -> Any:
        selected = [record for record in rows if record[currency_column] == currency] if money else rows
        values = [record[name] for record in selected if record[name] is not None]
        if len(values) < least(entity):
            return None
        if function == "sum":
            return exact_sum(values)
        if function == "avg":
            return average(values)
        extreme = min(values) if function == "min" else max(values)
        return Decimal(extreme) if isinstance(extreme, int) else extreme

    return aggregate
