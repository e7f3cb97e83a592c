"""Compiles filters of segments: who matches and when time changes it, and the conditions that hold with their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.compiler import SQLCompiler

from hub.db.sql_text import DIALECT
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.catalog.scalars import ID
from hub.engine.plan.moments import TimedValue, timed_values
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import (
    AggregateComparison,
    AggregateExpression,
    And,
    Comparison,
    Exists,
    Predicate,
)
from hub.engine.plan.row_filters import AgeArgument, RightArgument
from hub.engine.sql.conditions import aggregate_value, condition
from hub.engine.sql.expressions import AliasGenerator, Condition, SelectSource, Value
from hub.model.columns import timestamp
from hub.rights import UNLIMITED_RIGHTS
from hub.viewer import ADMIN

KEYS, NOW = "segment_keys", "segment_now"
_NOW: Value = sa.bindparam(NOW, type_=timestamp())


@dataclass(frozen=True, slots=True)
class SegmentStatement:
    """The text of a statement, and where its arguments come from."""

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    sources: Mapping[str, Parameter]

    def bind(self, keys: Sequence[UUID], now: datetime) -> list[Any]:
        """The arguments for some rows at a moment."""
        own: dict[str, Any] = {KEYS: list(keys), NOW: now}
        return [self._argument(name, own) for name in self.names]

    def _argument(self, name: str, own: Mapping[str, Any]) -> Any:
        if name in self.sources:
            source = self.sources[name].source
            if isinstance(source, AgeArgument):
                return source.read_at(own[NOW])
            assert isinstance(source, RightArgument)
            return source.read_viewer(ADMIN)
        return own[name] if name in own else self.constants[name]


def compile_evaluation(
    entity: CatalogEntity, predicate: Predicate, parameters: Sequence[Parameter]
) -> SegmentStatement:
    """For rows of some keys: `id`, whether the predicate `matches`, and when time changes that next, `changes_at`."""
    row = entity.table.alias("m$")
    source = SelectSource(AliasGenerator(UNLIMITED_RIGHTS, "r$"), row, grouped=False)
    flips = [_next_flip(source, value) for value in dict.fromkeys(timed_values(predicate))]
    changes_at: Value = sa.func.least(*flips) if flips else sa.cast(sa.null(), timestamp())
    matches = sa.func.coalesce(condition(source, predicate), sa.false())
    columns = (row.c.id.label("customer_id"), matches.label("matches"), changes_at.label("changes_at"))
    return _compile(sa.select(*columns).where(_is_asked(row)), parameters)


def compile_reasons(
    entity: CatalogEntity,
    conditions: Sequence[tuple[str, Predicate]],
    parameters: Sequence[Parameter],
) -> SegmentStatement:
    """For rows of some keys: `id`, and of each condition, which is JSON, those that hold with their values, `reasons`."""
    row = entity.table.alias("m$")
    source = SelectSource(AliasGenerator(UNLIMITED_RIGHTS, "r$"), row, grouped=False)
    # A value and not an alias of rows: the conditions stay in their order.
    parts = [
        sa.case(
            (
                condition(source, predicate),
                sa.func.jsonb_build_array(_reason(source, text, predicate)),
            ),
            else_=sa.cast(sa.literal("[]"), JSONB()),
        )
        for text, predicate in conditions
    ]
    reasons: Value = sa.cast(sa.literal("[]"), JSONB())
    for part in parts:
        reasons = reasons.op("||", return_type=JSONB())(part)
    columns = (row.c.id.label("customer_id"), sa.cast(reasons, sa.Text()).label("reasons"))
    return _compile(sa.select(*columns).where(_is_asked(row)), parameters)


def _is_asked(row: sa.FromClause) -> Condition:
    return row.c.id == sa.any_(sa.bindparam(KEYS, type_=ARRAY(sa.Uuid)))


def _reason(source: SelectSource, text: str, predicate: Predicate) -> Value:
    pairs: list[Value] = [sa.literal("condition"), sa.cast(sa.literal(text), JSONB())]
    value = _value(source, predicate)
    if value is not None:
        pairs += [sa.literal("value"), value]
    return sa.func.jsonb_build_object(*pairs)


def _value(source: SelectSource, predicate: Predicate) -> Value | None:
    """What a condition looks at: a column, an aggregate, or how many rows match; None for what has no single value."""
    match predicate:
        case And(parts) if parts:
            return _value(source, parts[0])
        case Comparison(column=column, scalar=scalar) if column is not None and scalar is not ID:
            value: Value = source.row.c[column.column.name]
            return value if scalar.is_list else scalar.to_json(value)
        case AggregateComparison(aggregate, comparison):
            return comparison.scalar.to_json(aggregate_value(source, aggregate))
        case Exists(join, part, fails=False):
            return aggregate_value(source, AggregateExpression(join, part, "COUNT", None, None))
    return None


def _next_flip(source: SelectSource, timed: TimedValue) -> Value:
    """The least moment after now at which one of the compared values comes of age; other conditions do not count."""
    row, tables, keys = source.row, [], []
    for join in timed.path:
        joined = source.aliases.for_table(join.entity.table)
        keys.append(joined.c[join.their_column] == row.c[join.our_column])
        tables.append(joined)
        row = joined
    if timed.aggregate is not None:
        moment = aggregate_value(SelectSource(source.aliases, row, grouped=False), timed.aggregate)
    else:
        assert timed.column is not None
        moment = row.c[timed.column]
    flip: Value = sa.type_coerce(moment, timestamp()) + sa.literal(timed.age)
    if not tables:
        return sa.case((flip > _NOW, flip))
    select = sa.select(sa.func.min(flip, type_=timestamp())).select_from(*tables).where(*keys, flip > _NOW)
    return select.correlate_except(*tables).scalar_subquery()


def _compile(select: sa.Select[Any], parameters: Sequence[Parameter]) -> SegmentStatement:
    compiled = select.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    assert isinstance(compiled, SQLCompiler)
    sources = {parameter.name: parameter for parameter in parameters}
    return SegmentStatement(str(compiled), tuple(compiled.positiontup or ()), dict(compiled.params), sources)
