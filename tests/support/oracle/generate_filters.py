"""Draws filters that a given row, the witness, meets: most answers shall hold something."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.scalars import RELATIVE, ScalarType
from hub.engine.graphql_types.inputs import COMPARE, HOLDS, UNDER, comparable_fields
from hub.model.declarations import ToMany, ToOne
from oracle.conditions import aggregate_function
from oracle.data import DataRecord, is_in_subtree, non_null_values, public_id
from oracle.generate import OperationDraw
from oracle.values import decimal_text, timestamp_text

FilterValue = dict[str, Any]
MAX_ATTEMPTS = 4
RANGE_OPERATORS = ("lt", "lte", "gt", "gte")


class FilterGenerator:
    """Filters for one operation."""

    def __init__(self, draw: OperationDraw) -> None:
        self.draw = draw

    def filter_for(self, entity: CatalogEntity, witness: DataRecord | None, depth: int = 0) -> FilterValue:
        """A filter of one to three parts."""
        parts: FilterValue = {}
        for _ in range(self.draw.pick((1, 1, 2, 3) if depth == 0 else (1, 1, 2))):
            if self.draw.spend(4):
                for key, value in self._part(entity, witness, depth).items():
                    parts.setdefault(key, value)
        return parts

    def _part(self, entity: CatalogEntity, witness: DataRecord | None, depth: int) -> FilterValue:
        """A part that the witness meets, if a few tries find one."""
        for _ in range(MAX_ATTEMPTS):
            part = self._any_part(entity, witness, depth)
            if witness is None or self.draw.filter_evaluator.record_test(entity, part)(witness):
                return part
            if self.draw.chance(0.3, "filter: not"):
                return {"not": part}
        return {}

    def _any_part(self, entity: CatalogEntity, witness: DataRecord | None, depth: int) -> FilterValue:
        links = [name for name, link in entity.links.items() if isinstance(link, ToOne | ToMany)]
        part_kinds = (
            ["column"] * 7
            + ["json"] * 14 * self._holds_json(entity)
            + ["id", "compare"]
            + ["under"] * 18 * (entity.declaration.tree is not None)
            + [HOLDS] * 8 * entity.declaration.lasting
            + (["link"] * 8 if links and depth < 2 else [])
        )
        part_kinds += ["both"] * (2 if depth < 2 else 0)
        match self.draw.pick(part_kinds):
            case "id":
                self.draw.record_features("filter: id")
                return {"id": self._ids(entity, witness)}
            case "compare":
                return self._field_comparison(entity, witness)
            case "under":
                return self._subtree(entity, witness, entity.declaration.tree or "")
            case "holds":
                return self._holding(entity, witness)
            case "link":
                return self._link(entity, self.draw.pick(self.draw.weighted_links(entity, links)), witness, depth)
            case "both":
                return self._combination(entity, witness, depth)
            case "json":
                candidates = [candidate for candidate in entity.filterable.values() if candidate.scalar.name == "JSON"]
            case _:
                candidates = [candidate for candidate in entity.filterable.values() if candidate.scalar.name != "JSON"]
        if not candidates:
            return {}
        column = self.draw.pick(candidates)
        other = witness if witness and self.draw.chance(0.6) else self._any_record(entity)
        return {column.name: self._column(entity, column, other)} if other else {}

    def _field_comparison(self, entity: CatalogEntity, witness: DataRecord | None) -> FilterValue:
        fields = comparable_fields(entity)
        if not fields:
            return {}
        columns = self.draw.pick(list(fields.values()))
        one, other = self.draw.pick(columns), self.draw.pick(columns)
        operator = self.draw.pick([op for op in ("eq", "ne", *RANGE_OPERATORS) if op in one.scalar.operators])
        self.draw.record_features("filter: compare")
        return {COMPARE: {one.name: {operator: other.column.name.upper()}}}

    def _subtree(self, entity: CatalogEntity, witness: DataRecord | None, path: str) -> FilterValue:
        rows = self.draw.data.rows[entity.name]
        roots = [row for row in rows if witness is None or is_in_subtree(witness[path], row[path])]
        self.draw.record_features("filter: under")
        return {UNDER: public_id(self.draw.data, self.draw.pick(roots))} if roots else {}

    def _holding(self, entity: CatalogEntity, witness: DataRecord | None) -> FilterValue:
        self.draw.record_features("filter: holds")
        other = witness or self._any_record(entity)
        moments = [] if other is None else [m for m in (other["from_at"], other["to_at"]) if m is not None]
        if not moments or self.draw.chance(0.3):
            return {HOLDS: {}}
        return {HOLDS: {"at": timestamp_text(self.draw.pick(moments))}}

    def _holds_json(self, entity: CatalogEntity) -> bool:
        return any(column.scalar.name == "JSON" for column in entity.filterable.values())

    def _combination(self, entity: CatalogEntity, witness: DataRecord | None, depth: int) -> FilterValue:
        if self.draw.chance(0.5):
            self.draw.record_features("filter: and")
            return {"and": [self.filter_for(entity, witness, depth + 1) for _ in range(self.draw.pick((0, 1, 2, 2)))]}
        self.draw.record_features("filter: or")
        others = [
            self.filter_for(entity, self._any_record(entity), depth + 1) for _ in range(self.draw.pick((0, 1, 1, 2)))
        ]
        return {"or": [*others, self.filter_for(entity, witness, depth + 1)]}

    def _any_record(self, entity: CatalogEntity) -> DataRecord | None:
        rows = self.draw.data.rows[entity.name]
        return self.draw.pick(rows) if rows else None

    def _ids(self, entity: CatalogEntity, witness: DataRecord | None) -> FilterValue:
        others = [
            public_id(self.draw.data, record) for record in self.draw.sample(self.draw.data.rows[entity.name], 1, 3)
        ]
        if not others:
            return {"in": []}
        own = [public_id(self.draw.data, witness)] if witness else others[:1]
        return self.draw.pick(({"eq": own[0]}, {"in": [*others, *own]}, {"ne": others[0]}, {"notIn": others}))

    def _column(self, entity: CatalogEntity, column: ColumnField, record: DataRecord) -> Any:
        value = record[column.column.name]
        if column.scalar.name == "JSON":
            conditions = [self._json(value) for _ in range(self.draw.pick((1, 1, 1, 2)))]
            return conditions[0] if len(conditions) == 1 and self.draw.chance(0.5) else conditions
        if value is None or self.draw.chance(0.06):
            self.draw.record_features("filter: isNull")
            return {"isNull": (value is None) is self.draw.chance(0.9)}
        pool = non_null_values(self.draw.sample(self.draw.data.rows[entity.name], 2, 4), column.column.name) or [value]
        operators = [
            operator
            for operator in column.scalar.operators
            if operator != "isNull"
            for _ in range(2 if operator in RELATIVE else 1)
        ]
        chosen = list(dict.fromkeys(self.draw.sample(operators, 1, 2 if self.draw.chance(0.2) else 1)))
        self.draw.record_features(*(f"filter: {operator}" for operator in chosen))
        return {operator: self._operand(operator, value, pool, column.scalar) for operator in chosen}

    def _operand(self, operator: str, value: Any, pool: Sequence[Any], scalar: ScalarType) -> Any:
        if operator in ("in", "notIn"):
            own = [value] if operator == "in" else []
            return [self._input_value(item, scalar) for item in [*own, *pool[: self.draw.random.randint(0, 3)]]]
        if operator in ("withinLast", "olderThan"):
            return self._age(value)
        if operator == "isEmpty":
            return (not value) is self.draw.chance(0.9)
        if operator == "has":
            return self.draw.pick((*value, *self.draw.pick(pool), ""))
        if operator == "contains":
            return self._respelled(self._substring(value))
        if operator == "startsWith":
            return self._respelled(value[: self.draw.random.randint(0, len(value))])
        near = self.draw.chance(0.7) if operator in ("eq", *RANGE_OPERATORS) else self.draw.chance(0.3)
        return self._input_value(value if near else self.draw.pick(pool), scalar)

    def _age(self, value: datetime) -> str:
        seconds = max(0, int((self.draw.now - value).total_seconds())) + self.draw.pick((-86_400, 0, 1, 3_600, 864_000))
        if seconds % 604_800 == 0:
            return f"P{max(seconds, 0) // 604_800}W"
        days, rest = divmod(max(seconds, 0), 86_400)
        return self.draw.pick((f"P{days}DT{rest}S", f"PT{days * 24 + rest // 3600}H{rest % 3600 // 60}M{rest % 60}S"))

    def _substring(self, value: str) -> str:
        start = self.draw.random.randint(0, len(value))
        return value[start : start + self.draw.random.randint(1, 6)]

    def _respelled(self, value: str) -> str:
        return self.draw.pick((value, value, value.upper(), value.lower(), f" {value} ", value.swapcase()))

    def _input_value(self, value: Any, scalar: ScalarType) -> Any:
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
                (decimal_text(value), decimal_text(value.normalize()), f" {value}", decimal_text(value + 1))
            )
        return value + self.draw.pick((0, 0, 1)) if scalar.is_number else value

    def _json(self, value: Any) -> FilterValue:
        paths = list(_paths(value, []))
        plain = [entry for entry in paths if isinstance(entry[1], str | int | Decimal)]
        numbers = [entry for entry in plain if isinstance(entry[1], int | Decimal)] * 3
        path, stored_value = (
            self.draw.pick([*paths, *plain, *plain, *numbers]) if self.draw.chance(0.9) else (["nowhere", "0"], None)
        )
        operators = ["eq", "eq", "ne", "ne", "in", "in", "isNull", "isNull"]
        number = isinstance(stored_value, int | Decimal) and not isinstance(stored_value, bool)
        operators += [*RANGE_OPERATORS] * 7 * number + ["contains"] * 8 * isinstance(stored_value, str)
        operator = self.draw.pick(operators)
        self.draw.record_features(f"filter: json {'range' if operator in RANGE_OPERATORS else operator}")
        return {"path": path, operator: self._json_operand(operator, _with_floats(stored_value))}

    def _json_operand(self, operator: str, stored_value: Any) -> Any:
        if operator == "isNull":
            return stored_value is None if self.draw.chance(0.8) else stored_value is not None
        other = self.draw.pick((10, "10", "a", [], True, {"x": 1}, 10.5))
        if operator == "in":
            return [other] if stored_value is None else [other, stored_value]
        if operator == "contains":
            return self._respelled(self._substring(stored_value))
        return other if stored_value is None or (operator == "ne" and self.draw.chance(0.5)) else stored_value

    def _link(self, entity: CatalogEntity, name: str, witness: DataRecord | None, depth: int) -> FilterValue:
        link = entity.links[name]
        assert isinstance(link, ToOne | ToMany)
        target = self.draw.catalog.target(link.target)
        if isinstance(link, ToOne):
            target_record = self.draw.data.get(target.name, witness[link.by]) if witness else None
            self.draw.record_features("filter: one")
            return {
                name: {}
                if self.draw.chance(0.1)
                else self.filter_for(target, target_record or self._any_record(target), depth + 1)
            }
        linked = self.draw.data.linked(target.name, link.by, witness["id"]) if witness else []
        return {name: self._list(target, linked, depth)}

    def _list(self, target: CatalogEntity, linked: Sequence[DataRecord], depth: int) -> FilterValue:
        one = self.draw.pick(linked) if linked else self._any_record(target)
        if self.draw.chance(0.4):
            word = self.draw.pick(("some", "none", "every"))
            self.draw.record_features(f"filter: {word}")
            return {word: self.filter_for(target, one, depth + 1)}
        list_filter: FilterValue = {}
        chosen = list(linked)
        if self.draw.chance(0.5):
            self.draw.record_features("filter: where")
            list_filter["where"] = self.filter_for(target, one, depth + 1)
            test = self.draw.filter_evaluator.record_test(target, list_filter["where"])
            chosen = [record for record in linked if test(record)]
        columns = list(target.aggregable)
        if self.draw.chance(0.25):
            self.draw.record_features("filter: count")
            list_filter["count"] = self._comparison(len(chosen), int)
        else:
            list_filter |= self._aggregate(target, columns, chosen)
        return list_filter

    def _aggregate(
        self, target: CatalogEntity, columns: Sequence[ColumnField], chosen: list[DataRecord]
    ) -> FilterValue:
        numbers = [candidate for candidate in columns if candidate.scalar.is_number]
        function = self.draw.pick(
            ("sum", "sum", "sum", "avg", "avg", "avg", "min", "min", "max") if numbers else ("min", "max")
        )
        column = self.draw.pick(numbers if function in ("sum", "avg") else columns)
        self.draw.record_features(f"filter: {function}", *(["filter: money"] if column.scalar.is_money else []))
        currencies = (
            non_null_values(chosen or self.draw.data.rows[target.name][:9], "currency") if target.currency else []
        )
        currency = self.draw.pick(currencies) if currencies else "EUR"
        value = aggregate_function(target, function, column, currency)(chosen)
        condition = (
            {"isNull": True} if value is None else self._comparison(value, lambda bound: self._exact(bound, column))
        )
        currency_input = (
            {"currency": currency} if column.scalar.is_money or (target.currency and self.draw.chance(0.2)) else {}
        )
        return {function: {column.name: condition, **currency_input}}

    def _exact(self, value: Any, column: ColumnField) -> Any:
        # What Postgres's avg says in its last decimals is nobody's business here.
        return decimal_text(round(value, 6)) if isinstance(value, Decimal) else self._input_value(value, column.scalar)

    def _comparison(self, value: Any, to_input: Callable[[Any], Any]) -> FilterValue:
        step = timedelta(days=1) if isinstance(value, date) else 1
        return self.draw.pick(
            (
                {"gte": to_input(value)},
                {"lte": to_input(value)},
                {"eq": to_input(value)},
                {"gt": to_input(value - step)},
                {"lt": to_input(value + step)},
                {"gte": to_input(value - step), "lte": to_input(value + step)},
                {"ne": to_input(value + step)},
                {"in": [to_input(value), to_input(value + step)]},
            )
        )


def _paths(value: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    """Every place inside a JSON value, list entries also counted from the end."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, [*path, key])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, [*path, str(index)])
            yield [*path, str(index - len(value))], item


def _with_floats(value: Any) -> Any:
    """A stored JSON value as a request carries it: numbers are floats there."""
    if isinstance(value, dict):
        return {key: _with_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_with_floats, value))
    return float(value) if isinstance(value, Decimal) else value
