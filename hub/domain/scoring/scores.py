"""Recording scores: a model's new score of a customer supersedes its last one, in whatever order the two are recorded."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.scoring.model_definitions import is_described
from hub.errors import BadInput
from hub.model import validators
from hub.model.clock_skew import past_moment
from hub.model.commands import command
from hub.model.history_rows import insert_current
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.schema.scoring.scores import Score
from hub.viewer import Viewer

MAX_REASONS = 50


class ScoreRecordPayload(NamedTuple):
    """The payload of scoreRecord."""

    score: Annotated[UUID, Score, "The score; it is current unless a later one is already stored."]


@command("scoreRecord", bulk_name="scoresRecord")
async def record(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The customer who is scored."],
    model: Annotated[str, "Name of the model, in small words joined by dots: `churn.risk`."],
    value: Annotated[Decimal, "The model's value."],
    band: Annotated[str | None, "The value's class within its model."] = None,
    reasons: Annotated[
        list[dict[str, Any]] | None, "Reasons of the value: a list of facts, each with its number."
    ] = None,
    computed_at: Annotated[
        datetime | None, "Time that the score describes; now by default, and where it is up to five minutes ahead."
    ] = None,
    now: datetime,
) -> ScoreRecordPayload:
    """Records a model's score of a customer; it supersedes the model's last one, or counts until the next if it is late."""
    Score.require(viewer, "create")
    checked = writer_of(Score).canonical({"model": model, "band": band})
    if await is_described(tx, checked["model"]):
        message = "model: the hub computes its scores; record yours under another name, or set one by scoreOverride."
        raise BadInput(message, argument="model", code="SCORE_COMPUTED")
    computed = past_moment("computed_at", computed_at, now)
    check_value(value)
    if reasons is not None and len(reasons) > MAX_REASONS:
        raise BadInput(f"reasons: give at most {MAX_REASONS}.", argument="reasons")
    reasons_by_path = {f"reasons[{index}]": reason for index, reason in enumerate(reasons or ())}
    validators.check_values(reasons_by_path, dict.fromkeys(reasons_by_path, validators.json_object_value))
    row = checked | {"customer_id": customer_id, "value": value, "reasons": reasons or [], "computed_at": computed}
    optional = {"band": band, "reasons": reasons, "computed_at": computed_at}
    fields = ["model", "value", *(name for name, supplied in optional.items() if supplied is not None)]
    return ScoreRecordPayload(await insert_current(tx, viewer, Score, row, now, fields=fields))


def check_value(value: Decimal) -> None:
    """Raises BadInput for a value that no score can have."""
    if abs(value) >= validators.AMOUNT_LIMIT or value != round(value, 4):
        message = "value: give a figure of at most 14 digits before the point and four behind it."
        raise BadInput(message, argument="value")
