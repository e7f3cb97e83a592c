"""Scoring and training without a database: what names have in common, weights that add up, and what training does not do."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from hub.domain.matching.blocking import blocking_keys
from hub.domain.matching.candidates import reasons_json
from hub.domain.matching.comparisons import FIELDS, LEVELS, MatchField, compare
from hub.domain.matching.model import MatchModel
from hub.domain.matching.names import organisation_name, person_name
from hub.domain.matching.pairs import candidate_pairs
from hub.domain.matching.records import MatchRecord, match_address, match_record
from hub.domain.matching.scoring import MatchScorer
from hub.domain.matching.training import collect, train
from hub.model import exact_json

FIRST_NAMES = ("Ada", "Bela", "Cora", "Dirk", "Emil", "Fritz", "Gero", "Hilda", "Ines", "Jost", "Karl", "Lena")
FAMILY_NAMES = ("Adler", "Brandt", "Conrad", "Dorn", "Ebert", "Falk", "Graf", "Hahn", "Igel", "Jahn", "Kern", "Lang")


def level(name: MatchField, a: MatchRecord, b: MatchRecord) -> str:
    return LEVELS[name][compare(a, b)[FIELDS.index(name)]]


@pytest.mark.parametrize(
    ("one", "other", "first", "family"),
    [
        ("Robert Smith", "Bob Smith", "SHORT_FORM", "EQUAL"),
        ("Smith, Robert", "Dr. Robert Smith", "EQUAL", "EQUAL"),
        ("Robert Smith", "Smith Robert", "EQUAL", "EQUAL"),
        ("José García López", "Jose Garcia", "EQUAL", "PARTIAL"),
        ("Anna Meier", "Anna Maier", "EQUAL", "NEAR"),
        ("R. Smith", "Robert Smith", "INITIAL", "EQUAL"),
        ("Robert Smith", "Ruth Smith", "DIFFERENT", "EQUAL"),
        ("王小明", "王 小明", "EQUAL", "EQUAL"),
        ("張偉", "张伟", "EQUAL", "EQUAL"),
        ("王小明", "王小红", "DIFFERENT", "EQUAL"),
        ("ＡＤＡ Ｋｅｒｎ", "Ada Kern", "EQUAL", "EQUAL"),
        ("Ada", "Ada Kern", "EQUAL", "MISSING"),
    ],
)
def test_names_agree_as_people_would_say(one: str, other: str, first: str, family: str) -> None:
    a, b = match_record(1, one), match_record(2, other)
    assert (level(MatchField.FIRST_NAME, a, b), level(MatchField.FAMILY_NAME, a, b)) == (first, family)
    assert compare(a, b) == compare(b, a)


def test_a_legal_form_is_no_part_of_a_name() -> None:
    assert organisation_name("Müller & Söhne GmbH") == organisation_name("MÜLLER & SÖHNE")
    assert organisation_name("野出商事株式会社") == organisation_name("野出商事")
    assert person_name("Dr.") == person_name("dr")


def test_addresses_that_differ_in_digits_do_not_count_in_favour() -> None:
    mails = [match_record(n, "Ada Kern", emails=[f"ada{n}@kern-online.net"]) for n in (1, 2)]
    assert level(MatchField.EMAIL, *mails) == "DIFFERENT"
    misspelt = [
        match_record(n, "Ada Kern", emails=[f"{word}@kern-online.net"])
        for n, word in enumerate(("ada.kern", "ada.kren"))
    ]
    assert level(MatchField.EMAIL, *misspelt) == "NEAR"


def people(count: int, seed: int) -> list[MatchRecord]:
    """Customers, every fifth of whom is recorded twice."""
    generator = random.Random(seed)
    records: list[MatchRecord] = []
    for number in range(count):
        name = f"{generator.choice(FIRST_NAMES)} {generator.choice(FAMILY_NAMES)}"
        born_on = f"{generator.randint(1940, 2005)}-{generator.randint(1, 12):02d}-{generator.randint(1, 28):02d}"
        address = match_address(f"Weg {number}", f"Ort {number % 40}", f"{number % 97:05d}", "DE")
        mail = f"{number}@mail-online.net"
        records.append(match_record(len(records), name, born_on=born_on, emails=[mail], addresses=[address]))
        if number % 5 == 0:
            records.append(match_record(len(records), name, born_on=born_on, emails=[mail]))
    return records


def test_weights_add_up_and_the_order_of_two_does_not_matter() -> None:
    records = people(200, seed=1)
    for model in (MatchModel(), train(collect(records), 1)):
        scorer = MatchScorer(model)
        pairs = candidate_pairs(records)
        assert pairs
        for first, second in pairs:
            score = scorer.score(records[first], records[second])
            assert sum((reason.weight for reason in score.reasons()), Decimal()) == score.score
            assert scorer.score(records[second], records[first]).total == score.total


def test_weights_add_up_whatever_agrees() -> None:
    generator = random.Random(4)
    scorer = MatchScorer(MatchModel())
    for _ in range(2_000):
        levels = tuple(generator.randrange(len(LEVELS[name])) for name in FIELDS)
        score = scorer.score_levels(levels, [-generator.random() * 20 for _ in FIELDS])
        stored = exact_json.loads(reasons_json(score))
        assert sum(Decimal(str(reason["weight"])) for reason in stored) == score.score == Decimal(score.total) / 100
        assert len({reason["field"] for reason in stored}) == len(stored)


def test_training_is_repeatable_and_survives_its_storage() -> None:
    records = people(300, seed=2)
    model = train(collect(records), 7)
    assert train(collect(records), 7) == model
    assert MatchModel.from_json(7, model.as_json()) == model
    scorer = MatchScorer(model)
    matched = {pair for pair in candidate_pairs(records) if scorer.score(records[pair[0]], records[pair[1]]).total >= 0}
    same = {(i, i + 1) for i in range(len(records) - 1) if records[i].emails == records[i + 1].emails}
    assert matched == same


def test_training_on_little_stays_with_the_defaults() -> None:
    for records in ([], people(3, seed=3)):
        model = train(collect(records), 1)
        for name in FIELDS:
            assert model.same[name] == pytest.approx(MatchModel().same[name], abs=0.02)


def test_the_prior_follows_the_customers_and_never_falls_below_the_default() -> None:
    data = collect(people(300, seed=5))
    assert (data.customers, data.sampled, data.partners) == (360, 360, pytest.approx(2 * 60 / 360))
    assert train(replace(data, customers=50_000, partners=0.0), 1).prior == MatchModel(customers=50_000).prior
    many = train(replace(data, customers=50_000, partners=1.6), 1)
    assert many.customers == 50_000
    assert many.duplicates == pytest.approx(2.0, rel=1e-4)


def test_a_sample_has_all_who_share_a_key_with_its_customers() -> None:
    records = people(300, seed=6)
    data = collect(records, limit=120)
    assert (data.customers, data.sampled) == (360, 120)
    assert data == collect(records, limit=120)
    assert 0.2 < data.partners < 0.5  # of all of them, a third


def test_customers_share_a_key_with_themselves_misspelt() -> None:
    address = match_address("Hauptstraße 5", "Bremen", "28195", "DE")
    first = match_record(1, "Katharina Vogt", born_on="1980-05-17", addresses=[address])
    second = match_record(2, "Vogt, Catharina", born_on="1980-05-17")
    assert blocking_keys(first).keys() & blocking_keys(second).keys()
    assert 5 <= len(blocking_keys(first)) <= 14
