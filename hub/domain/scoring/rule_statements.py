"""The contributions of a rule as a SELECT: for each customer its points, the facts behind them, and when time changes them.

Points are rounded to four digits for each rule, so that they add up to the value exactly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by

from hub.domain.scoring.model_definitions import RuleDefinition
from hub.model import exact_json, stored_filters
from hub.model.columns import timestamp
from hub.model.entity import Entity
from hub.model.registry import entity_named
from hub.schema.customers.customers import Customer
from hub.schema.scoring.score_models import ScoreMeasure
from hub.text_case import camel_case

CUSTOMERS = sa.bindparam("customers", type_=ARRAY(sa.Uuid()))
NOW = sa.bindparam("now", type_=timestamp())
MAX_POINTS = Decimal(10) ** 12  # of one rule, so that no value outgrows its column
MAX_ROWS_NAMED = 5  # as evidence, the newest
DIGITS = 4
DAY = timedelta(days=1)

Expression = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Contributions:
    """A SELECT of `customer_id, position, rule, points, facts, changes_at`, and what fills the parameters of its filters."""

    select: sa.Select[Any]
    arguments: Mapping[str, Callable[[], Any]]


def moment_column(entity: type[Entity]) -> str | None:
    """The column that says when a row of an entity counts; None for customers, who always do."""
    options = entity.definition.options
    if entity is Customer:
        return None
    superseding = options.get("superseding")
    return options.get("timeline") or (superseding.moment if superseding is not None else "created_at")


def currency_column(entity: type[Entity]) -> str:
    """The column that holds the currency of an entity's amounts, if it has one."""
    return entity.definition.options.get("amounts_in", "currency")


def rule_contributions(rule: RuleDefinition, position: int) -> Contributions:
    """The contributions of a rule; raises BadInput for a filter that cannot be planned any more."""
    entity = entity_named(rule.entity)
    row = entity.table.alias(f"rule${position}")
    owner = row.c.id if entity is Customer else row.c.customer_id
    arguments: dict[str, Callable[[], Any]] = {}

    def condition(text: str | None, prefix: str) -> Expression:
        if text is None:
            return sa.true()
        matches, values = stored_filters.condition(rule.entity, exact_json.loads(text), row, f"{prefix}{position}_")
        arguments.update(values)
        return matches

    matches = condition(rule.match, "match$")
    population = matches if rule.share_of is None else condition(rule.share_of, "share$")
    conditions = [population]
    if rule.currency is not None:
        conditions.append(row.c[currency_column(entity)] == sa.literal(rule.currency))
    name = moment_column(entity)
    moment = None if name is None else row.c[name]
    window = None if rule.window_days is None else sa.literal(DAY * rule.window_days)
    if moment is not None and window is not None:
        conditions.append(moment > NOW - window)
    counted = sa.true() if moment is None else moment <= NOW
    numbers = _Numbers(rule, row, moment, counted, matches)
    points = numbers.points()
    changes: list[Expression] = [] if moment is None else [sa.func.min(moment).filter(moment > NOW)]
    if moment is not None and window is not None:
        changes.append(sa.func.min(moment + window).filter(counted))
    if rule.half_life_days is not None:
        changes.append(sa.case((points != 0, _next_midnight())))
    changes_at: Expression = sa.func.least(*changes) if changes else sa.cast(sa.null(), timestamp())
    columns = (
        sa.literal(position).label("position"),
        sa.literal(rule.name).label("rule"),
        points.label("points"),
        numbers.facts(entity.definition.options["prefix"]).label("facts"),
        changes_at.label("changes_at"),
    )
    if rule.without_rows is None:
        select = sa.select(owner.label("customer_id"), *columns).where(owner == sa.any_(CUSTOMERS), *conditions)
        return Contributions(select.group_by(owner), arguments)
    customer = sa.func.unnest(CUSTOMERS).table_valued("id", name=f"customer${position}").render_derived()
    joined = sa.outerjoin(customer, row, sa.and_(owner == customer.c.id, *conditions))
    select = sa.select(customer.c.id.label("customer_id"), *columns).select_from(joined)
    return Contributions(select.group_by(customer.c.id), arguments)


def _next_midnight() -> Expression:
    """The end of the day in UTC: weights of half-lives change then."""
    day = sa.func.date_trunc("day", NOW, "UTC", type_=timestamp())
    return day + sa.literal(DAY)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What a rule computes of its rows; `counted` says which count now."""

    rule: RuleDefinition
    row: sa.FromClause
    moment: Expression | None
    counted: Expression
    matches: Expression

    def points(self) -> Expression:
        """The points of the rule, within its limit; null if no row counts."""
        limit = self.rule.max_points or MAX_POINTS
        weighted = sa.func.round(sa.literal(self.rule.points, sa.Numeric()) * self._number(), sa.literal(DIGITS))
        bounded = sa.func.greatest(-limit, sa.func.least(sa.literal(limit, sa.Numeric()), weighted))
        # greatest() and least() ignore nulls.
        return sa.case((weighted.is_not(None), sa.cast(bounded, sa.Numeric(18, DIGITS))))

    def _number(self) -> Expression:
        rule, count = self.rule, self._count(self.counted)
        if rule.share_of is not None:
            share = sa.cast(self._count(sa.and_(self.counted, self.matches)), sa.Numeric()) / sa.func.nullif(count, 0)
            return share if rule.without_rows is None else sa.func.coalesce(share, sa.literal(rule.without_rows))
        if rule.measure == ScoreMeasure.AVERAGE:
            return sa.func.avg(self._column()).filter(self.counted)
        if rule.measure == ScoreMeasure.SUM:
            return sa.func.sum(self._column() * self._weight()).filter(self.counted)
        if rule.half_life_days is None:
            return sa.cast(sa.func.nullif(count, 0), sa.Numeric())
        return sa.func.sum(self._weight()).filter(self.counted)

    def _count(self, condition: Expression) -> Expression:
        return sa.func.count(self.row.c.id).filter(condition)

    def _column(self) -> Expression:
        column = next(c for c in self.row.c if camel_case(c.name) == self.rule.column_name)
        return sa.cast(column, sa.Numeric())

    def _weight(self) -> Expression:
        """What a row weighs now: half after each half-life, by whole days in UTC."""
        if self.rule.half_life_days is None or self.moment is None:
            return sa.literal(1, sa.Numeric())
        days = sa.func.date(sa.func.timezone("UTC", NOW)) - sa.func.date(sa.func.timezone("UTC", self.moment))
        exponent = sa.cast(days, sa.Numeric()) / sa.literal(Decimal(self.rule.half_life_days), sa.Numeric())
        return sa.func.round(sa.func.power(sa.literal(Decimal("0.5"), sa.Numeric()), exponent), sa.literal(12))

    def facts(self, prefix: str) -> Expression:
        """What the reasons say beside the points: numbers, and the newest rows."""
        counted = self.counted if self.rule.share_of is None else sa.and_(self.counted, self.matches)
        pairs: list[Expression] = [sa.literal("count"), self._count(counted)]
        if self.rule.share_of is not None:
            pairs += [sa.literal("of"), self._count(self.counted)]
        if self.rule.measure != ScoreMeasure.COUNT:
            number = self._number() if self.rule.half_life_days is None else sa.func.sum(self._column()).filter(counted)
            pairs += [
                sa.literal(self.rule.measure.lower()),
                sa.cast(sa.func.round(number, sa.literal(DIGITS)), sa.Text()),
            ]
        if self.rule.currency is not None:
            pairs += [sa.literal("currency"), sa.literal(self.rule.currency)]
        latest = self.row.c.id.desc() if self.moment is None else self.moment.desc()
        row_id = sa.literal(f"{prefix}_") + sa.func.replace(sa.cast(self.row.c.id, sa.Text()), "-", "")
        ids = sa.func.array_agg(
            aggregate_order_by(row_id, latest, self.row.c.id.desc()), type_=ARRAY(sa.Text())
        ).filter(sa.and_(counted, self.row.c.id.is_not(None)))
        pairs += [sa.literal("evidence"), sa.func.coalesce(ids[1:MAX_ROWS_NAMED], sa.cast([], ARRAY(sa.Text())))]
        return sa.cast(sa.func.jsonb_build_object(*pairs), JSONB())
