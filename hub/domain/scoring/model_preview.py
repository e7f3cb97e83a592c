"""What a revision of a score model would do, and what keeps it from being activated. It writes nothing."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.scoring import purchase_scores
from hub.domain.scoring.evaluation import ComputedScore, compute, explain
from hub.domain.scoring.model_definitions import ModelDefinition, active_models, filter_faults, find_cycle
from hub.domain.scoring.rfm_model import freeze_cuts
from hub.errors import BadInput
from hub.model import exact_json
from hub.schema.scoring.score_models import ScoreModelKind

SAMPLE = 2_000  # customers whom a preview scores
SHOWN = 20  # customers who move, in a preview
MAX_ROWS_READ = 100_000  # for one customer

_SAMPLE = """
select id from customers, (select count(*) as n from customers) as total
where total.n <= $1 or (hashtext(id::text) & 2147483647)::bigint % total.n < $1
order by id limit $1
"""

Problem = dict[str, object]


class PreviewCounts(NamedTuple):
    """What a revision would do to the customers who were looked at."""

    customers: int
    scored: int
    bands: list[dict[str, object]]
    moves: list[dict[str, object]]
    rows_read: int


class ModelPreview(NamedTuple):
    """What a revision would do, and what speaks against it."""

    counts: PreviewCounts
    problems: list[Problem]
    notes: list[Problem]


async def freeze(tx: Connection, model: ModelDefinition, now: datetime) -> dict[str, list[str]]:
    """What an activation freezes: cuts or fitted parameters. Raises BadInput where there are none."""
    if model.kind is ScoreModelKind.RFM:
        return await freeze_cuts(tx, model, now)
    return await purchase_scores.fit(tx, model, now) if model.kind is ScoreModelKind.PURCHASES else {}


async def preview(tx: Connection, model: ModelDefinition, now: datetime) -> ModelPreview:
    """What a revision would do now."""
    nothing = PreviewCounts(0, 0, [], [], 0)
    broken: list[Problem] = [{"code": "FILTER_INVALID", "message": fault} for fault in filter_faults(model)]
    problems = [*broken, *await _cycles(tx, model)]
    if problems:
        return ModelPreview(nothing, problems, [])
    try:
        frozen = await freeze(tx, model, now)
    except BadInput as error:
        return ModelPreview(nothing, [{"code": error.code, "message": error.message}], [])
    model = model._replace(parameters=exact_json.dumps(frozen))
    customers: Sequence[UUID] = [row["id"] for row in await tx.fetch(_SAMPLE, SAMPLE)]
    if not customers:
        return ModelPreview(nothing, [], [])
    rows_read, unbounded = _reads(await explain(tx, model, customers[0], now))
    if unbounded is not None:
        return ModelPreview(nothing._replace(rows_read=rows_read), [unbounded], [])
    scores = await compute(tx, model, customers, now, everything=True)
    return ModelPreview(_counts(customers, scores, rows_read), [], [*_notes(model, scores)])


async def _cycles(tx: Connection, model: ModelDefinition) -> Sequence[Problem]:
    others = [other for other in await active_models(tx) if other.code != model.code]
    cycle = find_cycle(model, others)
    if cycle is None:
        return ()
    return [{"code": "CYCLE", "message": f"The models read the scores of each other: {' reads '.join(cycle)}."}]


def _reads(plan: Any) -> tuple[int, Problem | None]:
    """The rows that a plan reads for one customer, and the problem if it would read a whole table or too many of them."""
    (root,) = json.loads(plan)
    rows = 0.0
    for node, times in _scans(root["Plan"], 1.0):
        if "Index Cond" not in node and node["Node Type"] != "Bitmap Heap Scan":
            message = (
                f"It would read all of {node['Relation Name']} for each customer; narrow it to the customer's rows."
            )
            return 0, {"code": "UNBOUNDED", "message": message}
        rows += node["Plan Rows"] * times
    if rows > MAX_ROWS_READ:
        message = f"It would read {rows:,.0f} rows for each customer, of at most {MAX_ROWS_READ:,}; narrow its filters."
        return round(rows), {"code": "UNBOUNDED", "message": message}
    return round(rows), None


def _scans(node: Mapping[str, Any], times: float) -> Iterator[tuple[Mapping[str, Any], float]]:
    if "Relation Name" in node:
        yield node, times
    outer = 1.0
    for child in node.get("Plans", ()):
        repeated = node["Node Type"] == "Nested Loop" and child.get("Parent Relationship") == "Inner"
        yield from _scans(child, times * (max(1.0, outer) if repeated else 1.0))
        outer = child["Plan Rows"]


def _counts(customers: Sequence[UUID], scores: Sequence[ComputedScore], rows_read: int) -> PreviewCounts:
    before: Counter[str] = Counter(score.stored_band or "" for score in scores if score.score_id is not None)
    after: Counter[str] = Counter(score.band or "" for score in scores if score.value is not None)
    bands: list[dict[str, object]] = [
        {"band": band or None, "before": before[band], "after": after[band]} for band in sorted(before | after)
    ]
    moves: list[dict[str, object]] = [
        {
            "customer": f"cus_{score.customer_id.hex}",
            "before": score.stored_band,
            "after": score.band,
            "value": None if score.value is None else str(score.value),
        }
        for score in scores
        if score.differs and score.band != score.stored_band
    ]
    scored = sum(score.value is not None for score in scores)
    return PreviewCounts(len(customers), scored, bands, moves[:SHOWN], rows_read)


def _notes(model: ModelDefinition, scores: Sequence[ComputedScore]) -> Iterator[Problem]:
    """Shares of nothing: for how many customers a rule has nothing to divide by, and so counts nothing."""
    for rule in model.rules:
        if rule.share_of is None or rule.without_rows is not None:
            continue
        counted = sum(f'"rule": "{rule.name}"' in (score.reasons or "") for score in scores)
        if counted < len(scores):
            message = (
                f"{rule.name}: {len(scores) - counted:,} of {len(scores):,} customers have no rows to divide by, and the rule"
                " counts nothing for them; `withoutRows` says what it counts."
            )
            yield {"code": "DIVISION_BY_ZERO", "message": message}
