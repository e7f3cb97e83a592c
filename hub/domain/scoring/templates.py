"""Models that come with the hub: `scoreModelCreate(input: {template: ENGAGEMENT, …})` describes a revision of one."""

from decimal import Decimal

from hub.domain.scoring.model_inputs import ScoreBandInput, ScoreRuleInput
from hub.model import DescribedEnum
from hub.schema.scoring.score_models import ScoreMeasure, ScoreModelKind


class ScoreTemplate(DescribedEnum):
    """Models that come with the hub."""

    RFM = "RFM", "Recency, frequency and value of orders in quintiles; needs `currency`."
    ENGAGEMENT = "ENGAGEMENT", "Points for what a customer does, which lose half of their weight in time."
    SATISFACTION = "SATISFACTION", "The mean of the scores that are recorded under `csat`, of a year."
    LOYALTY = "LOYALTY", "Net promoter score, −100 to 100: scores that are recorded under `nps`, of a year."
    RELATIONSHIP = "RELATIONSHIP", "Level of the relationship, 1 to 5: one for each thing that the two have done."


Definition = tuple[ScoreModelKind, list[ScoreRuleInput], list[ScoreBandInput]]
YEAR = 365
ONE = Decimal(1)


def template_definition(template: ScoreTemplate, currency: str | None) -> Definition:
    """The kind, the rules and the bands of a template."""
    return {
        ScoreTemplate.RFM: lambda: (ScoreModelKind.RFM, [], []),
        ScoreTemplate.ENGAGEMENT: _engagement,
        ScoreTemplate.SATISFACTION: _satisfaction,
        ScoreTemplate.LOYALTY: _loyalty,
        ScoreTemplate.RELATIONSHIP: _relationship,
    }[template]()


def _bands(**lowest: str) -> list[ScoreBandInput]:
    return [ScoreBandInput(name.upper(), Decimal(number)) for name, number in lowest.items()]


def _engagement() -> Definition:
    inbound: dict[str, object] = {"direction": {"eq": "INBOUND"}}
    rules = [
        ScoreRuleInput("contact", "Interaction", Decimal(5), inbound, half_life_days=90, max_points=Decimal(50)),
        ScoreRuleInput("orders", "Order", Decimal(10), half_life_days=180, max_points=Decimal(100)),
        ScoreRuleInput(
            "returns", "Order", Decimal(-10), {"status": {"eq": "RETURNED"}}, window_days=YEAR, max_points=Decimal(30)
        ),
    ]
    return ScoreModelKind.RULES, rules, _bands(cold="0", warm="20", hot="60")


def _recorded(model: str) -> dict[str, object]:
    return {"model": {"eq": model}}


def _satisfaction() -> Definition:
    rule = ScoreRuleInput(
        "csat",
        "Score",
        ONE,
        _recorded("csat"),
        measure=ScoreMeasure.AVERAGE,
        column_name="value",
        window_days=YEAR,
    )
    return ScoreModelKind.RULES, [rule], _bands(poor="0", fair="3", good="4")


def _loyalty() -> Definition:
    promoters = {**_recorded("nps"), "value": {"gte": "9"}}
    detractors = {**_recorded("nps"), "value": {"lte": "6"}}
    rules = [
        ScoreRuleInput(name, "Score", Decimal(points), match, share_of=_recorded("nps"), window_days=YEAR)
        for name, points, match in (("promoters", 100, promoters), ("detractors", -100, detractors))
    ]
    return ScoreModelKind.RULES, rules, _bands(detractor="-100", passive="0", promoter="50")


def _relationship() -> Definition:
    has_ordered: dict[str, object] = {"orders": {"some": {}}}
    rules = [
        ScoreRuleInput("known", "Customer", ONE),
        ScoreRuleInput("contact", "Interaction", ONE, {"direction": {"eq": "INBOUND"}}, max_points=ONE),
        ScoreRuleInput("ordered", "Customer", ONE, has_ordered),
        ScoreRuleInput("active", "Customer", ONE, {"stage": {"in": ["ACTIVE", "LOYAL"]}}),
        ScoreRuleInput("loyal", "Customer", ONE, {"stage": {"eq": "LOYAL"}}),
    ]
    return ScoreModelKind.RULES, rules, [ScoreBandInput(str(level), Decimal(level)) for level in range(1, 6)]
