"""Models of scores, as data: what counts, how much, and which value lies in which band. Only commands write them."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from hub.model import (
    GLOBAL,
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    every_unit,
    field,
    index,
    stored_filter,
    unique,
)

NOT_PERSONAL = PersonalData.NOT_PERSONAL


class ScoreModelKind(DescribedEnum):
    RULES = "RULES", "Points for rows that rules name, and weighted sums, means and shares of them."
    RFM = "RFM", "How recently, how often and for how much a customer ordered, each in five bands."
    PURCHASES = "PURCHASES", "Purchases to be expected, by BG/NBD and Gamma–Gamma; needs the extra `hub[scoring]`."


class ScoreModelStatus(DescribedEnum):
    DRAFT = "DRAFT", "Being put together: it scores nobody."
    ACTIVE = "ACTIVE", "In force: it scores every customer. One revision of a code is."
    RETIRED = "RETIRED", "Replaced by a later revision."


class ScoreAudience(DescribedEnum):
    """Who reads scores."""

    INSIDE = "INSIDE", "Whoever sees the customer, but never the customer."
    CUSTOMER = "CUSTOMER", "The customer too: the model is public."


class ScoreMeasure(DescribedEnum):
    """The number that a rule takes of its rows."""

    COUNT = "COUNT", "How many there are."
    SUM = "SUM", "The sum of a column."
    AVERAGE = "AVERAGE", "The mean of a column."


class PurchaseFigure(DescribedEnum):
    """The value of a model of purchases."""

    EXPECTED_PURCHASES = "EXPECTED_PURCHASES", "Purchases in the coming weeks."
    PROBABILITY_ALIVE = "PROBABILITY_ALIVE", "The probability that the customer still buys."
    LIFETIME_VALUE = "LIFETIME_VALUE", "Purchases in the coming weeks, times the value of one."


class ScoreModel(
    Entity,
    prefix="scm",
    owned_by=every_unit,
    operations=(),
    order="code",
    sortable=("updated_at",),
    unique=(unique("code", "revision", among=GLOBAL),),
    indexes=(index("computes_at", where="computes_at is not null", name="computes_at"),),
    checks={
        "bands_are_a_list": "jsonb_typeof(bands) = 'array'",
        "settings_are_an_object": "jsonb_typeof(settings) = 'object'",
        "parameters_are_an_object": "jsonb_typeof(parameters) = 'object'",
    },
):
    """How the hub scores customers. A changed definition is a new revision; scores name the one that they come from."""

    code: Column[str] = field(
        "Name of the model, in small words joined by dots; its scores bear it. All revisions share it.",
        personal=NOT_PERSONAL,
    )
    revision: Column[int] = field("Number of the revision, from 1.", sortable=True)
    name: Column[str] = field("What people call it.", personal=NOT_PERSONAL)
    kind: Column[ScoreModelKind] = field("What it computes.")
    audience: Column[ScoreAudience] = field(
        "Who reads its scores; the same for all revisions.", default=ScoreAudience.INSIDE
    )
    status: Column[ScoreModelStatus] = field("Whether it scores customers.", default=ScoreModelStatus.DRAFT)
    bands: Column[Json] = field(
        "Bands of its values: a list of `band` and the value `from` which it holds, the lowest first.",
        server_default=[],
        personal=NOT_PERSONAL,
    )
    settings: Column[Json] = field(
        "What its kind needs: cuts, currency, weeks.", server_default={}, personal=NOT_PERSONAL
    )
    parameters: Column[Json] = field(
        "What the activation froze: cuts of quintiles, or fitted parameters.", server_default={}, personal=NOT_PERSONAL
    )
    activated_at: Column[datetime | None] = field("Time of the activation.")
    retired_at: Column[datetime | None] = field("Time when a later revision replaced it.")
    computed_at: Column[datetime | None] = field("Time when all customers had been scored; empty before.")
    computes_at: Column[datetime | None] = field(
        "When the full run goes on; empty if there is none.", hidden=True, unlogged=True
    )
    computed_to: Column[UUID | None] = field(
        "Customer up to whom the full run has come.", hidden=True, unlogged=True, personal=NOT_PERSONAL
    )


class ScoreRule(
    Entity,
    prefix="scr",
    owned_by=every_unit,
    part_of=ScoreModel,
    parent=("score_model", "The model that it is part of."),
    inverse=("rules", "What counts, in its order."),
    permission="score_models",
    operations=(),
    order="position",
    unique=(unique("score_model_id", "position", among=GLOBAL), unique("score_model_id", "name", among=GLOBAL)),
    checks={
        "column_stands_with_its_measure": "(measure = 'COUNT') = (column_name is null)",
        "spans_are_positive": "window_days > 0 and half_life_days > 0 and max_points > 0",
    },
):
    """A rule of a model: rows of a customer that match a filter bring points."""

    position: Column[int] = field("Its place in the model, from 1.", sortable=True)
    name: Column[str] = field("Name of the rule in reasons, unique in its model.", personal=NOT_PERSONAL)
    entity: Column[str] = field("Name of the type whose rows count.", personal=NOT_PERSONAL)
    match: Column[Json | None] = stored_filter("Filter of the rows that count; empty for all.", entity_in="entity")
    measure: Column[ScoreMeasure] = field("The number that is taken of the rows.", default=ScoreMeasure.COUNT)
    column_name: Column[str | None] = field(
        "The field that a SUM or an AVERAGE is of; empty for a COUNT.", personal=NOT_PERSONAL
    )
    currency: Column[str | None] = field(
        "ISO 4217 code of the amounts that count; others do not.", personal=NOT_PERSONAL
    )
    points: Column[Decimal] = field("Points for each occurrence, or the weight of the number.", precision=(18, 4))
    share_of: Column[Json | None] = stored_filter(
        "Filter of the rows of which a COUNT is the share; empty for the number itself.", entity_in="entity"
    )
    without_rows: Column[Decimal | None] = field(
        "The share where there are no such rows; empty if there always are.", precision=(18, 4)
    )
    window_days: Column[int | None] = field("Days for which a row counts; empty for ever.")
    half_life_days: Column[int | None] = field("Days after which a row counts half; empty for a constant weight.")
    max_points: Column[Decimal | None] = field(
        "Points of the rule at most, whatever their sign; empty for no limit.", precision=(18, 4)
    )
