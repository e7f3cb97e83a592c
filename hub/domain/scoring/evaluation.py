"""Computes scores of some customers by a model, compares them with the stored ones, and writes what differs.

A change within a band is written in place; another band is a new row, which supersedes the last. A customer for whom a model
counts nothing has no score. Reasons are stored with the value."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.sql.compiler import SQLCompiler

from hub.db.pool import Connection
from hub.db.sql_text import DIALECT
from hub.domain.scoring.model_definitions import ModelDefinition, ScoreBand, active_models
from hub.domain.scoring.purchase_scores import purchase_contributions
from hub.domain.scoring.rfm_model import rfm_contributions
from hub.domain.scoring.rule_statements import CUSTOMERS, NOW, Contributions, rule_contributions
from hub.errors import BadInput
from hub.model.customer_derivations import NextMoment, derived_from_customers
from hub.schema.scoring.score_models import ScoreModelKind
from hub.schema.scoring.scores import Score

_UPDATE = """
update scores as s set value = n.value, reasons = n.reasons::jsonb, score_model_id = $4,
    computed_at = greatest(s.computed_at, $5), version = s.version + 1, updated_at = $5
from unnest($1::uuid[], $2::numeric[], $3::text[]) as n (id, value, reasons) where s.id = n.id
"""
_SUPERSEDE = """
update scores set superseded_at = greatest(computed_at, $2), version = version + 1, updated_at = $2 where id = any($1)
"""
_INSERT = """
insert into scores (customer_id, model, value, band, reasons, computed_at, score_model_id, audience, created_at, updated_at)
select n.customer_id, $5, n.value, n.band, n.reasons::jsonb, greatest($8, n.not_before), $6, $7, $8, $8
from unnest($1::uuid[], $2::numeric[], $3::text[], $4::text[], $9::timestamptz[])
    as n (customer_id, value, band, reasons, not_before)
where exists (select from customers where id = n.customer_id)
"""


class ComputedScore(NamedTuple):
    """What a model gives a customer now, beside the stored score; `value` is None for no score."""

    customer_id: UUID
    value: Decimal | None
    band: str | None
    reasons: str | None
    changes_at: datetime | None
    score_id: UUID | None
    stored_value: Decimal | None
    stored_band: str | None
    stored_at: datetime | None
    is_overridden: bool
    was_set_by_hand: bool
    differs: bool

    @property
    def stays_in_band(self) -> bool:
        """Whether the stored score can be changed in place."""
        is_stored = self.score_id is not None and not self.was_set_by_hand
        return is_stored and self.value is not None and self.band == self.stored_band


@dataclass(frozen=True, slots=True)
class ScoreStatement:
    """The statement that computes scores: its text, and what fills its parameters."""

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    arguments: Mapping[str, Callable[[], Any]]

    def bind(self, customers: Collection[UUID], now: datetime) -> list[Any]:
        """Its arguments for some customers at a moment."""
        own: dict[str, Any] = {"customers": list(customers), "now": now}
        return [self._argument(name, own) for name in self.names]

    def _argument(self, name: str, own: Mapping[str, Any]) -> Any:
        if name in self.arguments:
            return self.arguments[name]()
        return own[name] if name in own else self.constants[name]


@derived_from_customers("scores")
async def refresh_scores(
    tx: Connection, customers: Sequence[UUID], now: datetime, subject: UUID | None = None
) -> list[NextMoment]:
    """Brings the scores of customers up to date by all active models, or by one; returns when time changes them next.

    A model with a filter that cannot be planned any more changes nothing: `hub doctor` names it."""
    moments: list[NextMoment] = []
    for model in await active_models(tx):
        if subject is None or model.key == subject:
            try:
                scores = await compute(tx, model, customers, now)
            except BadInput:
                continue
            await _save(tx, model, [score for score in scores if score.differs], now)
            moments += [NextMoment(model.key, s.customer_id, s.changes_at) for s in scores if s.changes_at is not None]
    return moments


async def compute(
    tx: Connection, model: ModelDefinition, customers: Sequence[UUID], now: datetime, *, everything: bool = False
) -> list[ComputedScore]:
    """The scores of customers that differ from the stored ones or that time will change; with `everything`, all of them.

    Raises BadInput for a filter that cannot be planned any more."""
    statement = await _statement(tx, model, customers, now)
    rows = await tx.fetch(statement.text, *statement.bind(customers, now))
    scores = (ComputedScore(**row) for row in rows)
    return [score for score in scores if everything or score.differs or score.changes_at is not None]


async def explain(tx: Connection, model: ModelDefinition, customer: UUID, now: datetime) -> Any:
    """The plan of the statement for one customer, as EXPLAIN prints it in JSON, without sequential scans if it can be."""
    statement = await _statement(tx, model, [customer], now)
    await tx.execute("set local enable_seqscan = off")
    plan = await tx.fetchval(f"explain (format json) {statement.text}", *statement.bind([customer], now))
    await tx.execute("set local enable_seqscan = on")
    return plan


async def _statement(
    tx: Connection, model: ModelDefinition, customers: Sequence[UUID], now: datetime
) -> ScoreStatement:
    if model.kind is ScoreModelKind.PURCHASES:
        return _compile(model, await purchase_contributions(tx, model, customers, now))
    return _fixed_statement(model)


@lru_cache(maxsize=200)
def _fixed_statement(model: ModelDefinition) -> ScoreStatement:
    if model.kind is ScoreModelKind.RFM:
        return _compile(model, rfm_contributions(model))
    parts = [rule_contributions(rule, position) for position, rule in enumerate(model.rules, 1)]
    arguments = {name: value for part in parts for name, value in part.arguments.items()}
    return _compile(
        model, Contributions(sa.select(sa.union_all(*(p.select for p in parts)).subquery("all")), arguments)
    )


def _compile(model: ModelDefinition, contributions: Contributions) -> ScoreStatement:
    """Adds contributions up, finds the band, and sets the stored score beside the result."""
    total = _total(contributions)
    stored = Score.table.alias("stored")
    customer = sa.func.unnest(CUSTOMERS).table_valued("id", name="asked").render_derived()
    band = _band(model, total.c.value)
    is_stored = sa.and_(
        stored.c.customer_id == customer.c.id,
        stored.c.model == sa.literal(model.code),
        stored.c.superseded_at.is_(None),
    )
    overridden = sa.func.coalesce(stored.c.expires_at > NOW, sa.false())
    was_set_by_hand = stored.c.expires_at.is_not(None)
    differs = sa.or_(
        was_set_by_hand,
        total.c.value.is_distinct_from(stored.c.value),
        band.is_distinct_from(stored.c.band),
        sa.cast(total.c.reasons, JSONB()).is_distinct_from(stored.c.reasons),
        stored.c.score_model_id.is_distinct_from(sa.literal(model.key, sa.Uuid())),
    )
    exists = sa.or_(stored.c.id.is_not(None), total.c.value.is_not(None))
    select = sa.select(
        customer.c.id.label("customer_id"),
        total.c.value,
        band.label("band"),
        sa.cast(total.c.reasons, sa.Text()).label("reasons"),
        sa.func.least(total.c.changes_at, sa.case((overridden, stored.c.expires_at))).label("changes_at"),
        stored.c.id.label("score_id"),
        stored.c.value.label("stored_value"),
        stored.c.band.label("stored_band"),
        stored.c.computed_at.label("stored_at"),
        overridden.label("is_overridden"),
        was_set_by_hand.label("was_set_by_hand"),
        sa.and_(sa.not_(overridden), exists, differs).label("differs"),
    )
    totals = sa.outerjoin(customer, total, total.c.customer_id == customer.c.id)
    return _prepare(select.select_from(sa.outerjoin(totals, stored, is_stored)), contributions)


def _total(contributions: Contributions) -> sa.Subquery:
    """The value of each customer, with its reasons, and when time changes it next."""
    part = contributions.select.subquery("part")
    names = sa.func.jsonb_build_object("rule", part.c.rule, "points", sa.cast(part.c.points, sa.Text()))
    reason = sa.cast(names, JSONB()).op("||")(part.c.facts)
    reasons = sa.func.jsonb_agg(aggregate_order_by(reason, part.c.position)).filter(part.c.points.is_not(None))
    return (
        sa.select(
            part.c.customer_id,
            sa.func.sum(part.c.points).label("value"),
            reasons.label("reasons"),
            sa.func.min(part.c.changes_at).label("changes_at"),
        )
        .group_by(part.c.customer_id)
        .subquery("total")
    )


def _prepare(select: sa.Select[Any], contributions: Contributions) -> ScoreStatement:
    compiled = select.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    assert isinstance(compiled, SQLCompiler)
    names = tuple(compiled.positiontup or ())
    return ScoreStatement(str(compiled), names, dict(compiled.params), contributions.arguments)


def _band(model: ModelDefinition, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The band of a value: that of the greatest bound which it reaches, or the lowest; RFM's bands are its values."""
    if not model.bands:
        text = sa.cast(sa.func.trunc(value), sa.Text()) if model.kind is ScoreModelKind.RFM else sa.null()
        return sa.cast(text, sa.Text())
    lowest, *others = model.bands
    reached = [(value >= sa.literal(band.lower, sa.Numeric()), sa.literal(band.name)) for band in reversed(others)]
    return sa.case(*reached, (value.is_not(None), sa.literal(lowest.name)))


def band_of(bands: Sequence[ScoreBand], value: Decimal) -> str | None:
    """The same for one value that a person gives."""
    reached = [band.name for band in bands if value >= band.lower] or [band.name for band in bands[:1]]
    return reached[-1] if reached else None


async def _save(tx: Connection, model: ModelDefinition, scores: Sequence[ComputedScore], now: datetime) -> None:
    in_place = [score for score in scores if score.stays_in_band]
    crossed = [score for score in scores if not score.stays_in_band]
    ended = [score.score_id for score in crossed if score.score_id is not None]
    new = [score for score in crossed if score.value is not None]
    if in_place:
        changed = ([s.score_id for s in in_place], [s.value for s in in_place], [s.reasons for s in in_place])
        await tx.execute(_UPDATE, *changed, model.key, now)
    if ended:
        await tx.execute(_SUPERSEDE, ended, now)
    if new:
        columns = ([getattr(score, name) for score in new] for name in ("customer_id", "value", "band", "reasons"))
        not_before = [score.stored_at for score in new]
        await tx.execute(_INSERT, *columns, model.code, model.key, model.audience, now, not_before)
