"""Public holidays and make-up working days of countries, from the library `holidays`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import metadata

import holidays

from hub.errors import BadInput

RELEASE = metadata.version("holidays")
LANGUAGE = "en_US"
MAX_LISTED = 60  # parts of a country in an error


@dataclass(frozen=True, slots=True)
class CountryDays:
    """The days of a country that differ from its weeks: holidays with their names, and make-up working days.

    `published_until` is the last day for which the make-up days are known; None where the country has none."""

    holidays: Mapping[date, str]
    workdays: frozenset[date]
    published_until: date | None


NO_DAYS = CountryDays({}, frozenset(), None)


def require_known(country: str, subdivision: str | None) -> None:
    """Raises BadInput for a country, or a part of one, whose holidays the library does not know."""
    supported = holidays.list_supported_countries(include_aliases=False)
    if country not in supported:
        message = f"country: the public holidays of {country} are not known; leave it out, and give the days yourself."
        raise BadInput(message, argument="country")
    if subdivision is not None and subdivision not in supported[country]:
        names = ", ".join(supported[country][:MAX_LISTED]) or "none"
        message = (
            f"subdivision: {subdivision[:20]!r} is no part of {country} with holidays of its own; give one of {names}."
        )
        raise BadInput(message, argument="subdivision")


def country_days(country: str | None, subdivision: str | None, years: range) -> CountryDays:
    """The days of these years; none without a country."""
    if country is None:
        return NO_DAYS
    calendar = holidays.country_holidays(country, subdiv=subdivision, years=years, language=LANGUAGE)
    workdays = frozenset(day for day in calendar.weekend_workdays if day.year in years)
    published = None
    if calendar.has_substituted_holidays:
        published = date(max((day.year for day in workdays), default=years[0] - 1), 12, 31)
    names = {day: name for day, name in calendar.items() if day.year in years}
    return CountryDays(names, workdays, published)
