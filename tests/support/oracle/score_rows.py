"""Edge rows of score models: revisions in every state, with rules of every measure."""

import json
from decimal import Decimal
from uuid import UUID

from hub.schema.scoring import score_models
from oracle.edge_operations import NAMES, TIMESTAMPS
from oracle.edge_row_builder import EdgeRowBuilder

MATCHES = (None, json.dumps({"status": {"eq": "PLACED"}}))


def add_score_models(builder: EdgeRowBuilder) -> list[UUID]:
    """Two models with two revisions each; returns the keys."""
    return [_model(builder, code, revision) for code in ("edge.a", "edge.b") for revision in (1, 2)]


def _model(builder: EdgeRowBuilder, code: str, revision: int) -> UUID:
    model = builder.add(
        score_models.ScoreModel,
        code=code,
        revision=revision,
        name=builder.pick(NAMES),
        kind=builder.member(score_models.ScoreModelKind),
        audience=builder.member(score_models.ScoreAudience),
        status="RETIRED" if revision == 1 else "DRAFT",  # an active one would score the other rows
        bands=json.dumps(builder.pick(([], [{"band": "Ü", "from": "1.5"}]))),
        settings=json.dumps({"currency": "EUR"}),
        parameters=json.dumps({}),
        activated_at=builder.maybe(TIMESTAMPS),
        retired_at=builder.maybe(TIMESTAMPS),
        computed_at=builder.maybe(TIMESTAMPS),
        computes_at=None,
        computed_to=None,
    )
    key: UUID = model["id"]
    for position in (1, 2):
        counts = position == 1
        builder.add(
            score_models.ScoreRule,
            score_model_id=key,
            position=position,
            name=f"rule{position}",
            entity="Order",
            match=builder.pick(MATCHES),
            measure="COUNT" if counts else builder.pick(("SUM", "AVERAGE")),
            column_name=None if counts else "net",
            currency=None if counts else "EUR",
            points=Decimal(builder.pick(("1", "-2.5", "0.0001"))),
            share_of=builder.pick(MATCHES) if counts else None,
            without_rows=builder.maybe((Decimal(0),)),
            window_days=builder.maybe((1, 365)),
            half_life_days=builder.maybe((30,)),
            max_points=builder.maybe((Decimal("9.5"),)),
        )
    return key
