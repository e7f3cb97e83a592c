"""Splink on the same records as the hub, with the comparisons and the training that its documentation recommends."""

import importlib
import logging
import time
from typing import Any

import pyarrow as pa

from bench.children import BenchmarkError
from bench.matching_records import BenchPerson, MatchingSet, ScoredPairs

EM_PAIRS, RANDOM_PAIRS = 1e6, 2e6
RECALL = 0.8  # of the deterministic rules, as the hub assumes it
SHARE_OF_SAMPLE = 1.0


def score_with_splink(people: MatchingSet) -> ScoredPairs:
    """The pairs that Splink finds with their match weights, and the CPU seconds that it takes; trained without labels."""
    try:
        splink: Any = importlib.import_module("splink")
        library: Any = importlib.import_module("splink.comparison_library")
    except ImportError:
        raise BenchmarkError("splink is not installed: pip install splink, for this suite alone.") from None
    logging.disable(logging.WARNING)  # it reports each step
    started_at = time.process_time()
    table = pa.Table.from_pylist([_row(index, person) for index, person in enumerate(people.people)], _SCHEMA)
    database = splink.DuckDBAPI()
    linker = splink.Linker(database.register(table, dataset_display_name="people"), _settings(splink, library, table))
    block_on = splink.block_on
    deterministic = [block_on("first_name", "surname", "dob"), block_on("email", "surname"), block_on("tax_id")]
    linker.training.estimate_probability_two_random_records_match(deterministic, recall=RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS)
    for rule in (("first_name", "surname"), ("dob",), ("email",), ("phone",), ("postal_code", "surname")):
        if all(_is_known(table, column) for column in rule):
            linker.training.estimate_parameters_using_expectation_maximisation(
                block_on(*rule), record_sample_proportion=SHARE_OF_SAMPLE
            )
    predicted = linker.inference.predict(threshold_match_weight=-10)
    rows = predicted.as_record_list()
    weights = {
        (min(row["unique_id_l"], row["unique_id_r"]), max(row["unique_id_l"], row["unique_id_r"])): row["match_weight"]
        for row in rows
    }
    return ScoredPairs("Splink", weights, time.process_time() - started_at)


_COLUMNS = ("first_name", "surname", "full_name", "dob", "email", "phone", "tax_id", "street", "city", "postal_code")
_SCHEMA = pa.schema([("unique_id", pa.int64()), *((column, pa.string()) for column in _COLUMNS)])


def _row(index: int, person: BenchPerson) -> dict[str, object]:
    """A record as Splink wants it: cleaned, with nulls, and with the parts of the name apart, which the hub does not get."""
    first, family = person.first.lower(), person.family.lower()
    values = {
        "first_name": first,
        "surname": family,
        "full_name": f"{first} {family}".strip(),
        "dob": _iso(person.born_on),
        "email": person.email.lower(),
        "phone": person.phone,
        "tax_id": person.tax_id,
        "street": person.street.lower(),
        "city": person.city.lower(),
        "postal_code": person.postal_code.lower(),
    }
    return {"unique_id": index, **{name: value or None for name, value in values.items()}}


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 else day


def _is_known(table: pa.Table, column: str) -> bool:
    return bool(table.column(column).null_count < len(table))


def _settings(splink: Any, library: Any, table: pa.Table) -> Any:
    comparisons = {
        "first_name": library.ForenameSurnameComparison(
            "first_name", "surname", forename_surname_concat_col_name="full_name"
        ),
        "dob": library.DateOfBirthComparison("dob", input_is_string=True, invalid_dates_as_null=False),
        "email": library.EmailComparison("email"),
        "phone": library.LevenshteinAtThresholds("phone", 1),
        "tax_id": library.DamerauLevenshteinAtThresholds("tax_id", [1, 2]),
        "street": library.JaroWinklerAtThresholds("street", [0.92, 0.8]),
        "city": library.JaroWinklerAtThresholds("city", [0.9]).configure(term_frequency_adjustments=True),
        "postal_code": library.DamerauLevenshteinAtThresholds("postal_code", [1, 2]),
    }
    rules = (
        *(("email",), ("phone",), ("tax_id",), ("first_name", "surname", "city"), ("surname", "dob")),
        *(("first_name", "dob"), ("surname", "postal_code"), ("first_name", "postal_code"), ("street", "city")),
        *(("street", "postal_code"), ("dob", "postal_code"), ("dob", "city"), ("first_name", "street")),
    )
    return splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=[comparison for column, comparison in comparisons.items() if _is_known(table, column)],
        blocking_rules_to_generate_predictions=[
            splink.block_on(*rule) for rule in rules if all(_is_known(table, column) for column in rule)
        ],
    )
