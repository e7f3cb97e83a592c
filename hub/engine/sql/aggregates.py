"""Writes figures over a set of rows as SQL: counts, sums, averages, extremes; money by currency, in one scan.

The scan groups by currency when money is asked for (and by the keys of groups, if there are any); a second level folds the
currencies into lists and everything else into one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from hub.engine.catalog.scalars import raw
from hub.engine.plan.nodes import Constant, Money, StatFigure, Stats, Total
from hub.engine.sql.conditions import Names

Value = sa.ColumnElement[Any]
TOTAL = Stats((("", Total()),))
EMPTY_LIST: Value = raw("'[]'::json")


def text(value: str) -> Value:
    """A text of our own making (a type's name), written into the statement."""
    return raw(f"'{value}'::text")


def json_object(columns: Sequence[tuple[str, Value]], name: str, tables: Sequence[sa.FromClause] = ()) -> Value:
    """A JSON object of expressions, its keys in order, over what is at hand or the one row of `tables`.

    `name` is a fresh alias."""
    if not columns:
        return raw("'{}'::json")
    select = sa.select(*(value.label(key) for key, value in columns)).select_from(*tables)
    inner = select.correlate_except(*tables).subquery(name)
    return sa.select(sa.func.row_to_json(inner.table_valued())).correlate_except(inner).scalar_subquery()


@dataclass(slots=True)
class Scan:
    """The columns of the first level, made as figures ask for them, and whether it must group by currency."""

    row: sa.FromClause
    columns: list[sa.Label[Any]] = field(default_factory=list)
    by_currency: bool = False

    def take(self, value: Value) -> str:
        """The name of a column of the first level that holds the value."""
        name = f"f${len(self.columns)}"
        self.columns.append(value.label(name))
        return name


@dataclass(frozen=True, slots=True)
class Folded:
    """A figure of the second level: made from the first level's columns, with the JSON that it becomes."""

    scan: Scan
    names: tuple[str, ...]
    figure: Total | StatFigure

    def value(self, level: sa.FromClause, alias: str) -> Value:
        """The figure's value over the rows of the first level."""
        columns = [level.c[name] for name in self.names]
        if isinstance(self.figure, Total):
            return sa.cast(sa.func.coalesce(sa.func.sum(columns[0]), raw("0")), sa.BigInteger)
        if self.figure.money is not None:
            return self._money(columns, level, self.figure.money, alias)
        match self.figure.function:
            case "sum":
                return sa.cast(sa.func.sum(columns[0]), sa.Text)
            case "avg":
                return _average(sa.func.sum(columns[0]), sa.func.sum(columns[1]))
            case function:
                return _shown(self.figure, getattr(sa.func, function)(columns[0]))

    def _money(self, columns: Sequence[Value], level: sa.FromClause, money: Money, alias: str) -> Value:
        amount = columns[0]
        shown = _average(amount, columns[1]) if len(columns) == 2 else sa.cast(amount, sa.Text)
        parts = {"amount": shown, "currency": level.c["currency$"]}
        fields = [(k, text(v.text) if isinstance(v, Constant) else parts[v]) for k, v in money.fields]
        listed = sa.func.json_agg(aggregate_order_by(json_object(fields, alias), level.c["currency$"]))
        return sa.func.coalesce(sa.funcfilter(listed, amount.is_not(None)), EMPTY_LIST)


def _average(total: Value, count: Value) -> Value:
    return sa.cast(sa.func.round(total / sa.func.nullif(count, raw("0")), raw("4")), sa.Text)


def _shown(figure: StatFigure, value: Value) -> Value:
    return figure.column.wire.read(value)


def fold(scan: Scan, figure: Total | StatFigure) -> Folded:
    """Notes what a figure needs of the first level."""
    if isinstance(figure, Total):
        return Folded(scan, (scan.take(sa.func.count()),), figure)
    column = scan.row.c[figure.column.column.name]
    scan.by_currency |= figure.money is not None
    if figure.function == "avg":
        total = sa.cast(sa.func.sum(column), sa.Numeric)
        return Folded(scan, (scan.take(total), scan.take(sa.func.count(column))), figure)
    return Folded(scan, (scan.take(getattr(sa.func, figure.function)(column)),), figure)


@dataclass(frozen=True, slots=True)
class Tree:
    """The figures of a `stats` selection with their response keys, nested as selected."""

    fields: tuple[tuple[str, "Constant | Folded | Tree"], ...]

    @staticmethod
    def of(scan: Scan, stats: Stats) -> "Tree":
        """Notes all figures of a selection."""
        fields: list[tuple[str, Constant | Folded | Tree]] = []
        for key, part in stats.fields:
            if isinstance(part, Stats):
                fields.append((key, Tree.of(scan, part)))
            else:
                fields.append((key, part if isinstance(part, Constant) else fold(scan, part)))
        return Tree(tuple(fields))

    def leaves(self) -> "list[Folded]":
        """All figures."""
        found: list[Folded] = []
        for _, part in self.fields:
            if isinstance(part, Tree):
                found += part.leaves()
            elif isinstance(part, Folded):
                found.append(part)
        return found

    def object(self, values: Mapping[int, Value], fresh: Any) -> Value:
        """The JSON object, once every figure stands in a column (by the figure's identity)."""
        columns: list[tuple[str, Value]] = []
        for key, part in self.fields:
            if isinstance(part, Constant):
                columns.append((key, text(part.text)))
            elif isinstance(part, Tree):
                columns.append((key, part.object(values, fresh)))
            else:
                columns.append((key, values[id(part)]))
        return json_object(columns, fresh())


class Figures:
    """The figures that the parts of one connection ask for: the columns of the first level, then the folded values."""

    level: sa.FromClause

    def __init__(self, row: sa.FromClause, parts: Sequence[Total | Stats]) -> None:
        self._scan = Scan(row)
        self._parts = [(part, Tree.of(self._scan, part if isinstance(part, Stats) else TOTAL)) for part in parts]

    def columns(self) -> list[sa.Label[Any]]:
        """The first level's columns."""
        currency = [self._scan.row.c.currency.label("currency$")] if self._scan.by_currency else []
        # Without an aggregate this level would be all the rows, not one.
        return [*currency, *self._scan.columns] or [sa.func.count().label("f$")]

    def groups(self) -> list[Value]:
        """What the first level is grouped by."""
        return [self._scan.row.c.currency] if self._scan.by_currency else []

    def fold(self, first: sa.Select[Any], names: Names) -> None:
        """Takes the first level's select; from now on values can be had."""
        level = first.subquery(names.next())
        leaves = [leaf for _, tree in self._parts for leaf in tree.leaves()]
        folded = [leaf.value(level, names.next()).label(f"v${at}") for at, leaf in enumerate(leaves)]
        self.level = sa.select(*folded).select_from(level).correlate_except(level).subquery(names.next())
        self._values: dict[int, Value] = {id(leaf): self.level.c[f"v${at}"] for at, leaf in enumerate(leaves)}

    def value(self, part: Total | Stats, names: Names) -> Value:
        """The JSON of one part."""
        tree = next(tree for known, tree in self._parts if known is part)
        if isinstance(part, Total):
            return self._values[id(tree.leaves()[0])]
        return tree.object(self._values, names.next)
