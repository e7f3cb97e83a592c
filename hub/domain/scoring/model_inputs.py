"""Inputs of scoreModelCreate: rules, bands and settings as people write them become rows, or an error that names the fault."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, NoReturn

import sqlalchemy as sa

from hub.domain.customers.derivations import FOLLOWED
from hub.domain.scoring.model_definitions import ANY_MODEL, scores_read
from hub.domain.scoring.rule_statements import MAX_POINTS, currency_column, moment_column
from hub.errors import BadInput
from hub.model import stored_filters, validators
from hub.model.entity import Entity
from hub.model.scalars import MoneyAmount
from hub.schema.scoring.score_models import PurchaseFigure, ScoreMeasure, ScoreModelKind
from hub.text_case import camel_case

MAX_RULES, MAX_BANDS = 50, 20
MAX_DAYS = 36_500
MAX_WEEKS = 520
CUTS = 4


class ScoreRuleInput(NamedTuple):
    """A rule: rows of a customer that match a filter bring points."""

    name: Annotated[str, "Name of the rule in reasons, in small words joined by dots; unique in its model."]
    entity: Annotated[str, "Name of the type whose rows count: `Order`. Each of them belongs to one customer."]
    points: Annotated[Decimal, "Points for each occurrence, or the weight of the number."]
    match: Annotated[
        dict[str, object] | None, "Filter of the rows that count, as in lists of the type; all if left out."
    ] = None
    measure: Annotated[ScoreMeasure, "The number that is taken of the rows."] = ScoreMeasure.COUNT
    column_name: Annotated[str | None, "The field that a SUM or an AVERAGE is of: `net`."] = None
    currency: Annotated[str | None, "ISO 4217 code of the amounts that count. A measure of money needs it."] = None
    share_of: Annotated[dict[str, object] | None, "Filter of the rows of which the rows that count are a share."] = None
    without_rows: Annotated[Decimal | None, "The share where there are no such rows; none if left out."] = None
    window_days: Annotated[int | None, "Days for which a row counts; for ever if left out."] = None
    half_life_days: Annotated[int | None, "Days after which a row counts half; always the same if left out."] = None
    max_points: Annotated[Decimal | None, "Points of the rule at most, whatever their sign."] = None


class ScoreBandInput(NamedTuple):
    """A band of values."""

    band: Annotated[str, "Name of the band."]
    lower: Annotated[Decimal, "The least value of the band; the first band also holds all below it."]


class RfmCutsInput(NamedTuple):
    """Fixed cuts of RFM: four for each of the three, between its five bands."""

    recency_days: Annotated[list[int], "Days since the last order, falling: fewer than the last make the best band."]
    frequency: Annotated[list[int], "Numbers of orders, rising: more than the last make the best band."]
    monetary: Annotated[list[Decimal], "Net amounts, rising: more than the last make the best band."]


class PurchasesInput(NamedTuple):
    """What a model of purchases says."""

    figure: Annotated[PurchaseFigure, "The value of its scores."]
    weeks: Annotated[int, f"Weeks that it looks ahead, 1 to {MAX_WEEKS}."] = 52


class ModelInput(NamedTuple):
    """The definition of a revision, checked: its columns and the rows of its rules."""

    columns: Mapping[str, Any]
    rules: Sequence[Mapping[str, Any]]


def check_definition(
    kind: ScoreModelKind,
    rules: Sequence[ScoreRuleInput],
    bands: Sequence[ScoreBandInput],
    currency: str | None,
    rfm_cuts: RfmCutsInput | None,
    purchases: PurchasesInput | None,
) -> ModelInput:
    """The definition as rows; raises BadInput."""
    if (kind is ScoreModelKind.RULES) != bool(rules):
        _refuse("rules", "give rules for a model of RULES, and for no other")
    settings: dict[str, Any] = {}
    if kind is not ScoreModelKind.RULES:
        if currency is None:
            message = "currency: amounts of several currencies cannot be compared; name the one that counts."
            raise BadInput(message, code="CURRENCY_REQUIRED", argument="currency")
        settings["currency"] = _currency(currency, "currency")
    elif currency is not None:
        _refuse("currency", "rules name their own currencies")
    if rfm_cuts is not None:
        settings["cuts"] = _cuts(kind, rfm_cuts)
    if (kind is ScoreModelKind.PURCHASES) != (purchases is not None):
        _refuse("purchases", "give it for a model of PURCHASES, and for no other")
    if purchases is not None:
        if not 1 <= purchases.weeks <= MAX_WEEKS:
            _refuse("purchases.weeks", f"give 1 to {MAX_WEEKS}")
        settings |= {"figure": purchases.figure.value, "weeks": purchases.weeks}
    return ModelInput({"bands": _bands(bands), "settings": settings}, _rules(rules))


def _rules(rules: Sequence[ScoreRuleInput]) -> list[dict[str, Any]]:
    if len(rules) > MAX_RULES:
        _refuse("rules", f"give at most {MAX_RULES}")
    names: set[str] = set()
    rows = []
    for index, rule in enumerate(rules):
        argument = f"rules[{index}]"
        (name,) = validators.check_values(
            {f"{argument}.name": rule.name}, {f"{argument}.name": validators.dotted_name}
        ).values()
        if name in names:
            _refuse(f"{argument}.name", "there is a rule of this name already; each needs its own")
        names.add(name)
        rows.append({"position": index + 1, **_rule(rule, argument), "name": name})
    return rows


def _rule(rule: ScoreRuleInput, argument: str) -> dict[str, Any]:
    entity = _entity(rule.entity, f"{argument}.entity")
    for name, value in (("match", rule.match), ("share_of", rule.share_of)):
        if value:
            stored_filters.check(rule.entity, value, f"{argument}.{name}")
        if (value or name == "match") and ANY_MODEL in scores_read(rule.entity, value):
            _refuse(f"{argument}.{name}", 'say of which models the scores are: {"model": {"eq": "nps"}}')
    _check_numbers(rule, argument)
    currency = None if rule.currency is None else _currency(rule.currency, f"{argument}.currency")
    column = None
    if (rule.measure is ScoreMeasure.COUNT) != (rule.column_name is None):
        _refuse(f"{argument}.column_name", "give it for a SUM or an AVERAGE, and not for a COUNT")
    if rule.column_name is not None:
        column = _column(entity, rule.column_name, f"{argument}.column_name")
    _check_measure(rule, entity, column, currency, argument)
    return {
        **rule._asdict(),
        "measure": rule.measure.value,
        "match": rule.match or None,
        "currency": currency,
    }


def _check_numbers(rule: ScoreRuleInput, argument: str) -> None:
    for name in ("points", "without_rows", "max_points"):
        number = getattr(rule, name)
        if number is not None and (abs(number) > MAX_POINTS or number != round(number, 4)):
            _refuse(f"{argument}.{name}", f"give a number of at most four decimals, up to {MAX_POINTS:,}")
    if rule.max_points is not None and rule.max_points <= 0:
        _refuse(f"{argument}.max_points", "give a number above zero")
    for name in ("window_days", "half_life_days"):
        days = getattr(rule, name)
        if days is not None and not 1 <= days <= MAX_DAYS:
            _refuse(f"{argument}.{name}", f"give 1 to {MAX_DAYS:,}")


def _check_measure(
    rule: ScoreRuleInput, entity: type[Entity], column: str | None, currency: str | None, argument: str
) -> None:
    if column is not None and currency is None and _is_money(entity, column):
        message = f"{argument}.currency: amounts of several currencies cannot be added; name the one that counts."
        raise BadInput(message, code="CURRENCY_REQUIRED", argument=f"{argument}.currency")
    if currency is not None and currency_column(entity) not in entity.table.c:
        _refuse(f"{argument}.currency", f"rows of {entity.__name__} have no currency; leave it out")
    if rule.share_of is not None and (rule.measure is not ScoreMeasure.COUNT or rule.half_life_days is not None):
        _refuse(f"{argument}.share_of", "a share is one of counted rows, without a half-life")
    if rule.without_rows is not None and rule.share_of is None:
        _refuse(f"{argument}.without_rows", "give it with share_of")
    if rule.half_life_days is not None and rule.measure is ScoreMeasure.AVERAGE:
        _refuse(f"{argument}.half_life_days", "a mean has no half-life; give a window in its place")
    if moment_column(entity) is None and (rule.window_days is not None or rule.half_life_days is not None):
        name = "half_life_days" if rule.window_days is None else "window_days"
        _refuse(f"{argument}.{name}", f"rows of {entity.__name__} have no moment; leave it out")


def _is_money(entity: type[Entity], column: str) -> bool:
    annotation = entity.definition.annotations.get(column)
    return annotation is MoneyAmount or MoneyAmount in getattr(annotation, "__args__", ())


def _entity(name: str, argument: str) -> type[Entity]:
    entities = {entity.__name__: entity for entity in FOLLOWED}
    if name not in entities:
        _refuse(argument, f"rows of {name[:63]!r} cannot count; give {', '.join(sorted(entities))}")
    return entities[name]


def _column(entity: type[Entity], name: str, argument: str) -> str:
    """The column of a field that holds numbers; raises BadInput."""
    columns = {
        camel_case(column): column
        for column, options in entity.definition.columns.items()
        if not options.options.is_hidden and isinstance(entity.table.c[column].type, sa.Numeric | sa.Integer)
    }
    if name not in columns:
        _refuse(argument, f"{entity.__name__} has no number of this name; give {', '.join(sorted(columns)) or 'none'}")
    return columns[name]


def _bands(bands: Sequence[ScoreBandInput]) -> list[dict[str, str]]:
    if len(bands) > MAX_BANDS:
        _refuse("bands", f"give at most {MAX_BANDS}")
    for index, (band, lower) in enumerate(bands):
        validators.check_values({f"bands[{index}].band": band}, {f"bands[{index}].band": validators.single_line})
        if index and lower <= bands[index - 1].lower:
            _refuse(f"bands[{index}].lower", "give the bands in rising order")
    if len({band.band for band in bands}) < len(bands):
        _refuse("bands", "give each band a name of its own")
    return [{"band": band, "from": f"{lower:f}"} for band, lower in bands]


def _cuts(kind: ScoreModelKind, cuts: RfmCutsInput) -> dict[str, list[str]]:
    if kind is not ScoreModelKind.RFM:
        _refuse("rfm_cuts", "give cuts for a model of RFM, and for no other")
    days, orders, amounts = cuts
    rising: dict[str, list[Decimal]] = {
        "recency_days": [Decimal(-day) for day in days],
        "frequency": [Decimal(number) for number in orders],
        "monetary": amounts,
    }
    for name, values in rising.items():
        if len(values) != CUTS or values != sorted(values) or any(abs(v) > MAX_POINTS for v in values):
            _refuse(f"rfm_cuts.{name}", f"give {CUTS} cuts in their order")
    if any(not 0 <= day <= MAX_DAYS for day in days):
        _refuse("rfm_cuts.recency_days", f"give days from 0 to {MAX_DAYS:,}")
    return {"recencyDays": [*map(str, days)], "frequency": [*map(str, orders)], "monetary": [f"{a:f}" for a in amounts]}


def _currency(value: str, argument: str) -> str:
    (checked,) = validators.check_values({argument: value}, {argument: validators.currency}).values()
    text: str = checked
    return text


def _refuse(argument: str, problem: str) -> NoReturn:
    raise BadInput(f"{argument}: {problem}.", code="SCORE_MODEL_INVALID", argument=argument)
