"""Commands of score models: create a revision, look at what it would do, and activate it."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.scoring.model_definitions import read_model
from hub.domain.scoring.model_inputs import (
    ModelInput,
    PurchasesInput,
    RfmCutsInput,
    ScoreBandInput,
    ScoreRuleInput,
    check_definition,
)
from hub.domain.scoring.model_preview import ModelPreview, freeze, preview
from hub.domain.scoring.templates import ScoreTemplate, template_definition
from hub.errors import BadInput
from hub.model import rows, validators
from hub.model.commands import command
from hub.schema.scoring.score_models import ScoreAudience, ScoreModel, ScoreModelKind, ScoreModelStatus, ScoreRule
from hub.viewer import Viewer

MAX_REVISIONS = 1_000

_LOCK_CODE = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_LATEST = "select id, revision, kind, audience from score_models where code = $1 order by revision desc limit 1"
_RECORDED = "select exists (select from scores where model = $1 and score_model_id is null)"
_RETIRE = """
update score_models set status = 'RETIRED', retired_at = $2, updated_at = $2, version = version + 1, computes_at = null
where code = $1 and status = 'ACTIVE'
"""
_RUN = "update score_models set computes_at = $2, computed_to = null where id = $1"


class ScoreModelCreatePayload(NamedTuple):
    """The payload of scoreModelCreate."""

    score_model: Annotated[UUID, ScoreModel, "The new revision, a DRAFT."]


class ScoreModelPreviewPayload(NamedTuple):
    """The payload of scoreModelPreview."""

    score_model: Annotated[UUID, ScoreModel, "The revision."]
    customers: Annotated[int, "Customers who were scored for the preview: all, or a sample of them."]
    scored: Annotated[int, "Of these, those who would have a score."]
    bands: Annotated[list[dict[str, object]], "Each `band` with the customers who are in it `before` and `after`."]
    moves: Annotated[
        list[dict[str, object]], "Twenty customers who would change their band: `customer`, `before`, `after`, `value`."
    ]
    rows_read: Annotated[int, "Rows that Postgres expects to read for one customer."]
    problems: Annotated[list[dict[str, object]], "What keeps it from being activated: `code` and `message`."]
    notes: Annotated[list[dict[str, object]], "What should be known before: `code` and `message`."]


class ScoreModelActivatePayload(NamedTuple):
    """The payload of scoreModelActivate."""

    score_model: Annotated[UUID, ScoreModel, "The revision, in force. Its first run over all customers begins."]


@command("scoreModelCreate")
async def create_model(
    tx: Connection,
    viewer: Viewer,
    *,
    code: Annotated[str, "Name of the model, in small words joined by dots: `engagement`. Its scores bear it."],
    name: Annotated[str, "What people call it."],
    template: Annotated[ScoreTemplate | None, "A model that comes with the hub, in place of a definition."] = None,
    kind: Annotated[ScoreModelKind | None, "What it computes; RULES if it and `template` are left out."] = None,
    audience: Annotated[
        ScoreAudience | None, "Who reads its scores; INSIDE if left out. All revisions keep it."
    ] = None,
    rules: Annotated[list[ScoreRuleInput] | None, "What counts, for a model of RULES."] = None,
    bands: Annotated[list[ScoreBandInput] | None, "Bands of its values, the lowest first."] = None,
    currency: Annotated[str | None, "ISO 4217 code of the amounts that RFM and PURCHASES look at."] = None,
    rfm_cuts: Annotated[
        RfmCutsInput | None, "Cuts of RFM; without them the quintiles at the time of the activation."
    ] = None,
    purchases: Annotated[PurchasesInput | None, "What a model of PURCHASES says."] = None,
    now: datetime,
) -> ScoreModelCreatePayload:
    """Describes a model, or a new revision of the model of this code. It scores nobody until `scoreModelActivate`."""
    ScoreModel.require(viewer, "create")
    texts = {"code": code, "name": name}
    texts = validators.check_values(texts, {"code": validators.dotted_name, "name": validators.single_line})
    await tx.execute(_LOCK_CODE, f"score_models.code={texts['code']}")
    if template is not None:
        if kind is not None or rules or rfm_cuts is not None or purchases is not None:
            message = "template: it brings its own definition; leave out kind, rules, rfm_cuts and purchases."
            raise BadInput(message, argument="template", code="SCORE_MODEL_INVALID")
        kind, rules, template_bands = template_definition(template, currency)
        bands = bands or template_bands
        currency = currency if kind is not ScoreModelKind.RULES else None
    kind = kind or ScoreModelKind.RULES
    definition = check_definition(kind, rules or (), bands or (), currency, rfm_cuts, purchases)
    latest = await tx.fetchrow(_LATEST, texts["code"])
    if latest is None and await tx.fetchval(_RECORDED, texts["code"]):
        message = "code: other systems record scores under this name; give another one."
        raise BadInput(message, argument="code", code="SCORE_MODEL_INVALID")
    if latest is not None:
        _require_same(latest, kind, audience)
    who = audience or (ScoreAudience.INSIDE if latest is None else ScoreAudience(latest["audience"]))
    identity = {"revision": 1 if latest is None else latest["revision"] + 1, "kind": kind.value, "audience": who.value}
    return ScoreModelCreatePayload(await _store(tx, viewer, texts | identity, definition, now))


def _require_same(latest: Any, kind: ScoreModelKind, audience: ScoreAudience | None) -> None:
    """Raises BadInput unless a new revision computes the same kind for the same readers as those before it."""
    if latest["revision"] >= MAX_REVISIONS:
        raise BadInput(f"code: there are {MAX_REVISIONS} revisions; give another code.", argument="code")
    for name, value in (("kind", kind), ("audience", audience)):
        if value is not None and value.value != latest[name]:
            message = f"{name}: the model's is {latest[name]}; give the same, or another code."
            raise BadInput(message, argument=name, code="SCORE_MODEL_INVALID")


async def _store(
    tx: Connection, viewer: Viewer, identity: dict[str, Any], definition: ModelInput, now: datetime
) -> UUID:
    values = {**identity, **definition.columns, "parameters": {}, "status": ScoreModelStatus.DRAFT.value}
    key = await rows.insert_row(tx, viewer, ScoreModel, values, now)
    for rule in definition.rules:
        await rows.insert_row(tx, viewer, ScoreRule, {"score_model_id": key, **rule}, now)
    return key


@command("scoreModelPreview")
async def preview_model(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, ScoreModel, "The revision."],
    now: datetime,
) -> ScoreModelPreviewPayload:
    """Says what a revision would do: who moves between bands, what it reads, and what keeps it from being activated.

    It changes nothing. Customers are all of them, or a sample of 2,000."""
    ScoreModel.require(viewer, "update")
    await rows.lock_row(tx, viewer, ScoreModel, id, "id")
    result = await preview(tx, await read_model(tx, id), now)
    return ScoreModelPreviewPayload(id, *result.counts, problems=result.problems, notes=result.notes)


@command("scoreModelActivate")
async def activate_model(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, ScoreModel, "The revision; a retired one goes into force again."],
    now: datetime,
) -> ScoreModelActivatePayload:
    """Puts a revision into force in place of the one before it, freezes its cuts or parameters, and scores all customers.

    Customers are scored in the background, thousands at a time, and from then on as they change."""
    ScoreModel.require(viewer, "update")
    row = await rows.lock_row(tx, viewer, ScoreModel, id, "id")
    await tx.execute(_LOCK_CODE, f"score_models.code={row['code']}")
    if row["status"] == ScoreModelStatus.ACTIVE:
        return ScoreModelActivatePayload(id)
    model = await read_model(tx, id)
    result: ModelPreview = await preview(tx, model, now)
    if result.problems:
        first = result.problems[0]["message"]
        raise BadInput(
            f"id: {first}", argument="id", code="SCORE_MODEL_REFUSED", extensions={"problems": result.problems}
        )
    await tx.execute(_RETIRE, row["code"], now)
    values = {"status": "ACTIVE", "activated_at": now, "retired_at": None, "computed_at": None}
    parameters = await freeze(tx, model, now)
    await rows.update_row(tx, viewer, ScoreModel, id, {**values, "parameters": parameters}, now)
    await tx.execute(_RUN, id, now)
    return ScoreModelActivatePayload(id)
