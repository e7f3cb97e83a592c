"""Compiles aggregates over a set of rows: counts, sums, averages, extremes; money by currency. One scan computes them all.

The scan groups by currency when money is selected, and by the keys of groups. A second level folds the currencies into lists
and all other aggregates into one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from hub.engine.plan.list_nodes import GroupAggregate
from hub.engine.plan.nodes import Aggregate, Constant, MoneyByCurrency, Stats, TotalCount
from hub.engine.sql.expressions import EMPTY_LIST, AliasGenerator, Value, json_object, param, sql_literal, text

# The sort key of an aggregate without a value, by whether it is a number.
SORTS_FIRST = {True: "'-infinity'::numeric", False: "'-infinity'::timestamptz"}
TOTAL_COUNT = Stats((("", TotalCount()),))


@dataclass(slots=True)
class AggregateScan:
    """The columns of the first level, added as aggregates need them, and whether it groups by currency.

    Fewer values than `minimum` give no aggregate."""

    row: sa.FromClause
    currency_column: str  # of the row's amounts
    minimum: int = 0
    columns: list[sa.Label[Any]] = field(default_factory=list)
    by_currency: bool = False

    @property
    def currency(self) -> sa.ColumnElement[Any]:
        """The currency of the row's amounts."""
        return self.row.c[self.currency_column]

    def enough(self, value: Value, count: Value) -> Value:
        """An aggregate over so many values, null where these are too few."""
        if not self.minimum:
            return value
        return sa.case((count >= sql_literal(str(self.minimum)), value))

    def add_column(self, value: Value) -> str:
        """Adds a column to the first level; gives its name."""
        name = f"f${len(self.columns)}"
        self.columns.append(value.label(name))
        return name


@dataclass(frozen=True, slots=True)
class AggregateValue:
    """An aggregate of the second level, over columns of the first level."""

    scan: AggregateScan
    column_names: tuple[str, ...]
    aggregate: TotalCount | Aggregate

    def value(self, scan_rows: sa.FromClause, alias: str) -> Value:
        """The aggregate's value over the rows of the first level."""
        columns = [scan_rows.c[name] for name in self.column_names]
        if isinstance(self.aggregate, TotalCount):
            return sa.cast(sa.func.coalesce(sa.func.sum(columns[0]), sql_literal("0")), sa.BigInteger)
        if self.aggregate.money is not None:
            return self._money_by_currency(columns, scan_rows, self.aggregate.money, alias)
        match self.aggregate.function:
            case "sum":
                value: Value = sa.cast(sa.func.sum(columns[0]), sa.Text)
            case "avg":
                value = _average(sa.func.sum(columns[0]), sa.func.sum(columns[1]))
            case function:
                value = _to_json(self.aggregate, getattr(sa.func, function)(columns[0]))
        # Here, since the first level may have the rows in several parts.
        return self.scan.enough(value, sa.func.sum(columns[-1]))

    def _money_by_currency(
        self, columns: Sequence[Value], scan_rows: sa.FromClause, money: MoneyByCurrency, alias: str
    ) -> Value:
        amount = columns[0]
        amount_text = _average(amount, columns[1]) if len(columns) == 2 else sa.cast(amount, sa.Text)
        parts = {"amount": amount_text, "currency": scan_rows.c["currency$"]}
        fields = [(k, text(v.text) if isinstance(v, Constant) else parts[v]) for k, v in money.fields]
        amounts = sa.func.json_agg(aggregate_order_by(json_object(fields, alias), scan_rows.c["currency$"]))
        return sa.func.coalesce(sa.funcfilter(amounts, amount.is_not(None)), EMPTY_LIST)


def _average(total: Value, count: Value) -> Value:
    return sa.cast(sa.func.round(total / sa.func.nullif(count, sql_literal("0")), sql_literal("4")), sa.Text)


def _to_json(aggregate: Aggregate, value: Value) -> Value:
    return aggregate.column.scalar.to_json(value)


def plan_aggregate(scan: AggregateScan, aggregate: TotalCount | Aggregate) -> AggregateValue:
    """Adds the columns that an aggregate needs to the first level."""
    if isinstance(aggregate, TotalCount):
        return AggregateValue(scan, (scan.add_column(sa.func.count()),), aggregate)
    column = scan.row.c[aggregate.column.column.name]
    count: Value = sa.func.count(column)
    if aggregate.function == "avg":
        parts: list[Value] = [sa.cast(sa.func.sum(column), sa.Numeric), count]
    else:
        parts = [getattr(sa.func, aggregate.function)(column)]
    if aggregate.money is not None:  # the amount of each currency is an aggregate of its own
        scan.by_currency = True
        parts = [scan.enough(part, count) for part in parts]
    elif scan.minimum and aggregate.function != "avg":
        parts.append(count)
    return AggregateValue(scan, tuple(scan.add_column(part) for part in parts), aggregate)


@dataclass(frozen=True, slots=True)
class SortAggregate:
    """An aggregate of the second level that groups are sorted by. It is never null: without a value, it sorts first."""

    scan: AggregateScan
    aggregate: GroupAggregate
    column_names: tuple[str, ...]

    @staticmethod
    def for_scan(scan: AggregateScan, aggregate: GroupAggregate) -> "SortAggregate":
        """Adds the columns that the aggregate needs to the first level."""
        if aggregate.column is None:
            return SortAggregate(scan, aggregate, (scan.add_column(sa.func.count()),))
        column = scan.row.c[aggregate.column.column.name]
        functions = ["sum", "count"] if aggregate.function == "AVG" else [aggregate.function.lower()]
        if scan.minimum and functions[-1] != "count":
            functions.append("count")
        values: list[Value] = []
        for function in functions:
            value = getattr(sa.func, function)(column)
            if aggregate.currency is not None:
                in_currency = scan.currency == param(aggregate.currency)
                value = sa.type_coerce(sa.funcfilter(value, in_currency), sa.Numeric())
            values.append(value)
        return SortAggregate(scan, aggregate, tuple(scan.add_column(value) for value in values))

    def value(self, scan_rows: sa.FromClause) -> Value:
        """The aggregate's value over the rows of the first level."""
        columns = [scan_rows.c[name] for name in self.column_names]
        match self.aggregate.function:
            case "COUNT" | "SUM":
                value: Value = sa.func.sum(columns[0])
            case "AVG":
                value = sa.func.sum(columns[0]) / sa.func.nullif(sa.func.sum(columns[1]), sql_literal("0"))
            case function:
                value = getattr(sa.func, function.lower())(columns[0])
        value = self.scan.enough(value, sa.func.sum(columns[-1]))
        is_number = self.aggregate.column is None or self.aggregate.column.scalar.is_number
        return sa.func.coalesce(value, sql_literal(SORTS_FIRST[is_number]))


@dataclass(frozen=True, slots=True)
class StatsTree:
    """The aggregates of a `stats` selection with their response keys, nested as selected."""

    fields: tuple[tuple[str, "Constant | AggregateValue | StatsTree"], ...]

    @staticmethod
    def for_stats(scan: AggregateScan, stats: Stats) -> "StatsTree":
        """Plans all aggregates of a selection."""
        fields: list[tuple[str, Constant | AggregateValue | StatsTree]] = []
        for key, part in stats.fields:
            if isinstance(part, Stats):
                fields.append((key, StatsTree.for_stats(scan, part)))
            else:
                fields.append((key, part if isinstance(part, Constant) else plan_aggregate(scan, part)))
        return StatsTree(tuple(fields))

    def leaves(self) -> "list[AggregateValue]":
        """All aggregates."""
        values: list[AggregateValue] = []
        for _, part in self.fields:
            if isinstance(part, StatsTree):
                values += part.leaves()
            elif isinstance(part, AggregateValue):
                values.append(part)
        return values

    def object(self, values: Mapping[int, Value], next_alias: Any) -> Value:
        """The JSON object; `values` has the column of every aggregate, by the aggregate's identity."""
        columns: list[tuple[str, Value]] = []
        for key, part in self.fields:
            if isinstance(part, Constant):
                columns.append((key, text(part.text)))
            elif isinstance(part, StatsTree):
                columns.append((key, part.object(values, next_alias)))
            else:
                columns.append((key, values[id(part)]))
        return json_object(columns, next_alias())


class ConnectionAggregates:
    """The aggregates that the parts of one connection select: columns of the first level, then folded values."""

    row: sa.FromClause

    def __init__(
        self, row: sa.FromClause, currency_column: str, parts: Sequence[TotalCount | Stats], minimum: int = 0
    ) -> None:
        self._scan = AggregateScan(row, currency_column, minimum)
        self._parts = [
            (part, StatsTree.for_stats(self._scan, part if isinstance(part, Stats) else TOTAL_COUNT)) for part in parts
        ]

    def columns(self) -> list[sa.Label[Any]]:
        """The first level's columns."""
        currency = [self._scan.currency.label("currency$")] if self._scan.by_currency else []
        # Without an aggregate this level would have all the rows instead of one.
        return [*currency, *self._scan.columns] or [sa.func.count().label("f$")]

    def group_by(self) -> list[Value]:
        """The GROUP BY of the first level."""
        return [self._scan.currency] if self._scan.by_currency else []

    def aggregate_over(self, scan_select: sa.Select[Any], aliases: AliasGenerator) -> None:
        """Builds the second level over the first one; `value` may be called afterwards."""
        scan_rows = scan_select.subquery(aliases.next())
        leaves = [leaf for _, tree in self._parts for leaf in tree.leaves()]
        columns = [leaf.value(scan_rows, aliases.next()).label(f"v${index}") for index, leaf in enumerate(leaves)]
        self.row = sa.select(*columns).select_from(scan_rows).correlate_except(scan_rows).subquery(aliases.next())
        self._values: dict[int, Value] = {id(leaf): self.row.c[f"v${index}"] for index, leaf in enumerate(leaves)}

    def value(self, part: TotalCount | Stats, aliases: AliasGenerator) -> Value:
        """The JSON of one part."""
        tree = next(tree for candidate, tree in self._parts if candidate is part)
        if isinstance(part, TotalCount):
            return self._values[id(tree.leaves()[0])]
        return tree.object(self._values, aliases.next)
