"""Definitions of score models as values: what statements are built from. They are read from the rows of revisions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.model import exact_json, stored_filters
from hub.schema.scoring.score_models import ScoreModelKind

_ACTIVE = "select * from score_models where status = 'ACTIVE' order by code"
_ONE = "select * from score_models where id = $1"
_DESCRIBED = "select exists (select from score_models where code = $1)"
_RULES = "select * from score_rules where score_model_id = any($1) order by score_model_id, position"


class RuleDefinition(NamedTuple):
    """A rule; filters are JSON texts, or None for all rows."""

    name: str
    entity: str
    match: str | None
    measure: str
    column_name: str | None
    currency: str | None
    points: Decimal
    share_of: str | None
    without_rows: Decimal | None
    window_days: int | None
    half_life_days: int | None
    max_points: Decimal | None


class ScoreBand(NamedTuple):
    """A band: it holds values from a number on, up to the next band. The lowest holds all below it."""

    name: str
    lower: Decimal


class ModelDefinition(NamedTuple):
    """A revision of a model. Revisions never change once they are active."""

    key: UUID
    code: str
    revision: int
    kind: ScoreModelKind
    audience: str
    bands: tuple[ScoreBand, ...]
    settings: str
    parameters: str
    rules: tuple[RuleDefinition, ...]

    def setting(self, name: str) -> Any:
        """A setting of the model's kind; None if there is none of the name."""
        return exact_json.loads(self.settings).get(name)

    def parameter(self, name: str) -> Any:
        """What the activation froze under a name."""
        return exact_json.loads(self.parameters).get(name)


async def active_models(tx: Connection) -> Sequence[ModelDefinition]:
    """The active models; one comes after those whose scores its rules read."""
    return in_order(await _read(tx, await tx.fetch(_ACTIVE)))


async def read_model(tx: Connection, key: UUID) -> ModelDefinition:
    """One revision of a model, which exists."""
    (model,) = await _read(tx, await tx.fetch(_ONE, key))
    return model


def filter_faults(model: ModelDefinition) -> Iterator[str]:
    """The rules whose filters the hub cannot plan any more, each with the reason."""
    for rule in model.rules:
        for text in (rule.match, rule.share_of):
            fault = None if text is None else stored_filters.fault(rule.entity, exact_json.loads(text))
            if fault is not None:
                yield f"{rule.name}: {fault}"


async def broken_models(connection: Connection) -> list[str]:
    """The rules of active models that the hub cannot apply any more: these models change no score."""
    return [f"score model {m.code}, {fault}" for m in await active_models(connection) for fault in filter_faults(m)]


async def is_described(tx: Connection, code: str) -> bool:
    """Whether there is a model of this code, in force or not: its scores are the hub's."""
    described: bool = await tx.fetchval(_DESCRIBED, code)
    return described


async def _read(tx: Connection, rows: Sequence[asyncpg.Record]) -> list[ModelDefinition]:
    rules: dict[UUID, list[RuleDefinition]] = {}
    for rule in await tx.fetch(_RULES, [row["id"] for row in rows]):
        rules.setdefault(rule["score_model_id"], []).append(RuleDefinition(*(rule[n] for n in RuleDefinition._fields)))
    return [_definition(row, tuple(rules.get(row["id"], ()))) for row in rows]


def _definition(row: asyncpg.Record, rules: tuple[RuleDefinition, ...]) -> ModelDefinition:
    bands = tuple(ScoreBand(band["band"], Decimal(band["from"])) for band in exact_json.loads(row["bands"]))
    identity = (row["id"], row["code"], row["revision"], ScoreModelKind(row["kind"]), row["audience"])
    return ModelDefinition(*identity, bands, row["settings"], row["parameters"], rules)


def read_codes(model: ModelDefinition) -> set[str]:
    """The codes of the models whose scores its rules read; None stands for a filter that names no model, so reads all."""
    codes: set[str] = set()
    for rule in model.rules:
        for text in (rule.match, rule.share_of):
            codes |= scores_read(rule.entity, None if text is None else exact_json.loads(text))
    return codes


ANY_MODEL = "*"


def scores_read(entity: str, value: Any) -> set[str]:
    """The codes of models whose scores a filter reads; ANY_MODEL if it does not say of which models they are."""
    if entity == "Score":
        return _named_models(value)
    return set(_nested(value))


def _nested(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name == "scores":
                yield from _named_models(part)
            else:
                yield from _nested(part)
    elif isinstance(value, list):
        for part in value:
            yield from _nested(part)


def _named_models(value: Any) -> set[str]:
    """The models that a filter of scores is limited to, by `model` beside or around its other conditions."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name == "model" and isinstance(part, Mapping):
                if isinstance(part.get("eq"), str):
                    return {part["eq"]}
                if isinstance(part.get("in"), list):
                    return set(part["in"])
            if name in ("some", "every", "none") and (codes := _named_models(part)) != {ANY_MODEL}:
                return codes
            if name == "and" and isinstance(part, list):
                for item in part:
                    if (codes := _named_models(item)) != {ANY_MODEL}:
                        return codes
    return {ANY_MODEL}


def in_order(models: Sequence[ModelDefinition]) -> list[ModelDefinition]:
    """The models, each after those that it reads; those on a cycle, which no activation lets pass, come last."""
    waiting = {model.code: model for model in models}
    ordered: list[ModelDefinition] = []
    while waiting:
        ready = [model for model in waiting.values() if not (read_codes(model) & waiting.keys())]
        for model in ready or waiting.values():
            ordered.append(model)
        waiting = {} if not ready else {c: m for c, m in waiting.items() if m not in ready}
    return ordered


def find_cycle(model: ModelDefinition, others: Sequence[ModelDefinition]) -> list[str] | None:
    """The codes on the way from a model through those that it reads back to it; None if there is no such way."""
    reads = {other.code: read_codes(other) for other in others} | {model.code: read_codes(model)}
    paths = [[model.code]]
    visited: set[str] = set()
    while paths:
        path = paths.pop()
        for code in sorted(reads.get(path[-1], ())):
            if code == model.code:
                return [*path, code]
            if code in reads and code not in visited:
                visited.add(code)
                paths.append([*path, code])
    return None
