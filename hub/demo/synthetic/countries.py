"""Countries of synthetic customers, with names of people, places and trades from mimesis."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from mimesis import Address, Person
from mimesis.enums import Gender
from mimesis.locales import Locale

SEED = 1
GENDERS = (Gender.FEMALE, Gender.MALE)


@dataclass(frozen=True, slots=True)
class Country:
    """A market; `weight` is its share of the customers in percent, `rate` is cents per US dollar."""

    locale: Locale
    code: str
    language: str
    currency: str
    rate: int
    dial: str
    weight: int
    company: str  # the pattern of a company's name: {a} and {b} are surnames, {city} a city
    family_first: bool = False


COUNTRIES = (
    Country(Locale.EN, "US", "en", "USD", 100, "+1", 22, "{a} & {b} Inc."),
    Country(Locale.EN_GB, "GB", "en", "GBP", 79, "+44", 9, "{a}, {b} & Co. Ltd"),
    Country(Locale.DE, "DE", "de", "EUR", 92, "+49", 12, "{a} & {b} GmbH"),
    Country(Locale.FR, "FR", "fr", "EUR", 92, "+33", 10, "Maison {a}-{b} SARL"),
    Country(Locale.ES, "ES", "es", "EUR", 92, "+34", 6, "{a} y {b}, S.L."),
    Country(Locale.IT, "IT", "it", "EUR", 92, "+39", 6, "Fratelli {a} e {b} S.r.l."),
    Country(Locale.NL, "NL", "nl", "EUR", 92, "+31", 3, "{a} en {b} B.V."),
    Country(Locale.SV, "SE", "sv", "SEK", 1050, "+46", 3, "{a} & {b} AB"),
    Country(Locale.PL, "PL", "pl", "PLN", 395, "+48", 4, "{a} i {b} Sp. z o.o."),
    Country(Locale.CS, "CZ", "cs", "CZK", 2300, "+420", 2, "{a} a {b} s.r.o."),
    Country(Locale.ES_MX, "MX", "es", "MXN", 1700, "+52", 4, "Comercial {a} {b} S.A."),
    Country(Locale.PT_BR, "BR", "pt", "BRL", 500, "+55", 6, "Comércio {a} e {b} Ltda."),
    Country(Locale.TR, "TR", "tr", "TRY", 3200, "+90", 2, "{a} {b} A.Ş."),
    Country(Locale.EL, "GR", "el", "EUR", 92, "+30", 1, "{a} & {b} Α.Ε."),
    Country(Locale.ZH, "CN", "zh", "CNY", 720, "+86", 5, "{city}{a}{b}贸易有限公司", family_first=True),
    Country(Locale.JA, "JP", "ja", "JPY", 15000, "+81", 4, "{a}{b}商事株式会社", family_first=True),
    Country(Locale.KO, "KR", "ko", "KRW", 135000, "+82", 1, "{a}{b}상사(주)", family_first=True),
)
WHOLE_UNITS = ("JPY", "KRW")  # these have no cents


@dataclass(frozen=True, slots=True)
class Market:
    """A country with its names; first names and surnames are grouped by gender, in the order of GENDERS."""

    country: Country
    first_names: tuple[Sequence[str], ...]
    surnames: tuple[Sequence[str], ...]
    titles: Sequence[str]
    streets: Sequence[str]
    cities: Sequence[str]
    regions: Sequence[str]
    postal_codes: Sequence[str]

    def full_name(self, first_name: str, surname: str) -> str:
        return f"{surname}{first_name}" if self.country.family_first else f"{first_name} {surname}"

    def price(self, dollar_cents: int) -> int:
        """Returns a price in hundredths of the market's currency."""
        hundredths = dollar_cents * self.country.rate // 100
        return hundredths - hundredths % 100 if self.country.currency in WHOLE_UNITS else hundredths


def _distinct(name: Callable[[], str], attempts: int) -> tuple[str, ...]:
    """Returns the distinct names of a number of draws, in order of appearance."""
    return tuple(dict.fromkeys(name().strip() for _ in range(attempts)))


def _market(country: Country) -> Market:
    person, address = Person(country.locale, seed=SEED), Address(country.locale, seed=SEED)
    return Market(
        country,
        first_names=tuple(_distinct(partial(person.name, gender=gender), 500) for gender in GENDERS),
        surnames=tuple(_distinct(partial(person.surname, gender=gender), 1000) for gender in GENDERS),
        titles=_distinct(person.occupation, 200),
        streets=_distinct(address.address, 1000),
        cities=_distinct(address.city, 500),
        regions=_distinct(address.region, 100),
        postal_codes=_distinct(address.postal_code, 1000),
    )


@cache
def markets() -> tuple[Market, ...]:
    """Returns a table of 100 market indices, in which each market appears as often as its weight."""
    return tuple(market for country in COUNTRIES for market in [_market(country)] * country.weight)


@cache
def _ascii_letters(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in plain.lower() if letter.isascii() and letter.isalnum())


def build_email(words: Sequence[str], suffix: str) -> str:
    """Returns an address of the words in ASCII letters, with a suffix that makes it unique."""
    return f"{'.'.join(filter(None, map(_ascii_letters, words))) or 'mail'}.{suffix}@example.com"
