"""Faults of the duplicates that the matching benchmark plants: typing errors, moved fields, short forms, scripts.

The short forms are a list of its own, so that the hub's list is not measured by itself."""

import random
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from bench.matching_records import BenchPerson
from hub.demo.synthetic.countries import markets

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORT_FORMS = {
    "robert": ("Bob", "Rob", "Bobby"), "william": ("Bill", "Will", "Billy"), "james": ("Jim", "Jimmy"),
    "john": ("Jack", "Johnny"), "michael": ("Mike", "Mick"), "richard": ("Dick", "Rick"), "thomas": ("Tom", "Tommy"),
    "charles": ("Charlie", "Chuck"), "christopher": ("Chris",), "daniel": ("Dan", "Danny"), "matthew": ("Matt",),
    "anthony": ("Tony",), "joseph": ("Joe",), "edward": ("Ed", "Ted"), "andrew": ("Andy", "Drew"), "steven": ("Steve",),
    "elizabeth": ("Liz", "Beth", "Betty"), "margaret": ("Maggie", "Peggy"), "katherine": ("Kate", "Kathy"),
    "mary": ("Molly", "Polly"), "jennifer": ("Jenny", "Jen"), "patricia": ("Pat", "Trish"), "susan": ("Sue",),
    "deborah": ("Deb", "Debbie"), "barbara": ("Barb",), "dorothy": ("Dot",), "rebecca": ("Becky",), "victoria": ("Vicky",),
    "johannes": ("Hans",), "wolfgang": ("Wolf",), "josef": ("Sepp",), "friedrich": ("Fritz",), "elisabeth": ("Lisa", "Elli"),
    "francisco": ("Paco", "Pancho"), "josé": ("Pepe",), "ignacio": ("Nacho",), "dolores": ("Lola",), "maría": ("Mari",),
    "giuseppe": ("Beppe",), "francesco": ("Ciccio", "Franco"), "antonio": ("Toni",), "luigi": ("Gigi",),
    "alexander": ("Alex", "Sascha"), "alexandra": ("Alex",), "nicolas": ("Nico",), "vincent": ("Vince",),
}  # fmt: skip
FULL_WIDTH = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})
TO_TRADITIONAL = str.maketrans(
    "张陈刘黄杨赵吴孙马郑谢许邓冯萧叶国伟丽强军静兰华云丰", "張陳劉黃楊趙吳孫馬鄭謝許鄧馮蕭葉國偉麗強軍靜蘭華雲豐"
)
LEGAL_FORMS = (
    "Inc.",
    "Ltd",
    "GmbH",
    "SARL",
    "S.L.",
    "S.r.l.",
    "B.V.",
    "AB",
    "Sp. z o.o.",
    "s.r.o.",
    "S.A.",
    "Ltda.",
    "A.Ş.",
    "有限公司",
    "株式会社",
)
MAIL_DOMAINS = ("mailbox-online.net", "post-haus.de", "webpost.org")


def corrupted(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """A second record of the person or company, as another system or another clerk would write it."""
    if person.is_organisation:
        changed = _with_company_faults(person, generator)
    elif person.is_family_first:
        changed = _with_ideographic_faults(person, generator)
    else:
        changed = _with_name_faults(person, generator)
    faults: list[Callable[[BenchPerson, random.Random], BenchPerson]] = [
        _moved,
        _with_other_contact,
        _with_typing_errors,
        _with_gaps,
    ]
    for fault in generator.sample(faults, generator.choice((1, 1, 2, 2, 3))):
        changed = fault(changed, generator)
    return _with_evidence(changed, person, generator)


def _with_evidence(changed: BenchPerson, person: BenchPerson, generator: random.Random) -> BenchPerson:
    """One value beside the name stays as it was: nobody can tell that two are one of whom only the name is the same."""
    values = {name: getattr(person, name) for name in ("born_on", "email", "phone", "street") if getattr(person, name)}
    if any(getattr(changed, name) == value for name, value in values.items()):
        return changed
    name = generator.choice(sorted(values))
    if name == "street":
        return replace(changed, street=person.street, city=person.city, postal_code=person.postal_code)
    return replace(changed, **{name: values[name]})


def misspelt(text: str, generator: random.Random) -> str:
    """The text with one typing error: a letter that is lost, doubled, replaced, or exchanged with the next one."""
    if len(text) < 3:
        return text
    position = generator.randrange(1, len(text) - 1)
    before, letter, after = text[:position], text[position], text[position + 1 :]
    replacement = generator.choice("0123456789") if letter.isdigit() else generator.choice(LETTERS)
    match generator.randrange(4):
        case 0:
            return before + after
        case 1:
            return before + letter + letter + after
        case 2:
            return before + replacement + after
        case _:
            return before + after[0] + letter + after[1:]


def _with_name_faults(person: BenchPerson, generator: random.Random) -> BenchPerson:
    first, family, written = person.first, person.family, ""
    short_forms = SHORT_FORMS.get(first.lower())
    draw = generator.random()
    if short_forms and draw < 0.4:
        first = generator.choice(short_forms)
    elif draw < 0.44:
        first = f"{first[:4]}y"  # a pet name that no list has
    elif draw < 0.52:
        first, family = family, first
    elif draw < 0.58:
        written = f"{family}, {first}"
    elif draw < 0.62:
        written = f"Dr. {first} {family}"
    elif draw < 0.66:
        written = f"{first} {generator.choice(LETTERS).upper()}. {family}"
    elif draw < 0.69:
        first = f"{first[0]}."
    elif draw < 0.72:
        family = f"{family}-{generator.choice(('Smith', 'Weber', 'Rossi', 'Moreau', 'Novak'))}"
    elif draw < 0.85:
        family = misspelt(family, generator)
    elif draw < 0.95:
        first = misspelt(first, generator)
    if generator.random() < 0.3:
        first, family = _without_accents(first), _without_accents(family)
    if generator.random() < 0.1:
        first, family, written = first.upper(), family.upper(), written.upper()
    return replace(person, first=first, family=family, written_name=written)


def _with_ideographic_faults(person: BenchPerson, generator: random.Random) -> BenchPerson:
    first, family, written = person.first, person.family, ""
    draw = generator.random()
    if draw < 0.3:
        written = f"{family} {first}"
    elif draw < 0.4:
        written = f"{family}\u3000{first}"
    elif draw < 0.65:
        first, family = first.translate(TO_TRADITIONAL), family.translate(TO_TRADITIONAL)
    elif draw < 0.75 and len(first) > 1:  # a character that sounds the same
        first = first[:-1] + generator.choice("明伟丽子美郎华英")
    elif draw < 0.8:
        first, family = family, first
    return replace(person, first=first, family=family, written_name=written)


def _with_company_faults(person: BenchPerson, generator: random.Random) -> BenchPerson:
    name = person.family
    draw = generator.random()
    if draw < 0.5:
        for form in LEGAL_FORMS:
            name = name.replace(form, "").strip(" ,")
    elif draw < 0.75:
        name = misspelt(name, generator)
    elif draw < 0.85:
        name = name.upper()
    elif draw < 0.95:
        name = name.replace("&", "and")
    return replace(person, family=name)


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")


def _moved(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """Another address; one person in three stays in the city."""
    market = next(market for market in markets() if market.country.code == person.country)
    return replace(
        person,
        street=generator.choice(market.streets),
        postal_code=generator.choice(market.postal_codes),
        city=person.city if generator.random() < 0.33 else generator.choice(market.cities),
    )


def _with_other_contact(person: BenchPerson, generator: random.Random) -> BenchPerson:
    email, phone = person.email, person.phone
    if generator.random() < 0.6:
        local = "".join(filter(str.isalnum, _without_accents(person.first + person.family).lower()))
        email = f"{local[:30]}{generator.randrange(1, 99)}@{generator.choice(MAIL_DOMAINS)}"
    if generator.random() < 0.6:
        phone = f"{phone[:2] or '49'}9{generator.randrange(10**8, 10**9)}"
    return replace(person, email=email, phone=phone)


def _with_typing_errors(person: BenchPerson, generator: random.Random) -> BenchPerson:
    born_on = person.born_on
    if born_on and generator.random() < 0.3:
        year, month, day = born_on.split("-")
        if int(day) <= 12 and generator.random() < 0.5:
            month, day = day, month
        else:
            day = f"{min(int(day[0]) * 10 + generator.randrange(1, 9), 28):02d}"
        born_on = f"{year}-{month}-{day}"
    return replace(
        person,
        born_on=born_on,
        street=misspelt(_abbreviated(person.street), generator) if generator.random() < 0.5 else person.street,
        city=misspelt(person.city, generator) if generator.random() < 0.3 else person.city,
        postal_code=misspelt(person.postal_code, generator) if generator.random() < 0.3 else person.postal_code,
        email=misspelt(person.email, generator) if generator.random() < 0.2 else person.email,
        phone=misspelt(person.phone, generator) if generator.random() < 0.3 else person.phone,
    )


def _abbreviated(street: str) -> str:
    for long, short in (("Street", "St"), ("straße", "str."), ("Avenue", "Ave"), ("Road", "Rd"), ("Calle", "C/")):
        street = street.replace(long, short)
    return street


def _with_gaps(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """Values that the other system does not ask for."""
    return replace(
        person,
        born_on=person.born_on if generator.random() < 0.5 else "",
        email=person.email if generator.random() < 0.6 else "",
        phone=person.phone if generator.random() < 0.6 else "",
        street=person.street if generator.random() < 0.7 else "",
        postal_code=person.postal_code if generator.random() < 0.7 else "",
    )
