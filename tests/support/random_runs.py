"""How much random tests draw, and from which seed: `make soak` draws all of it, `make test` a tenth.

`make test` draws the same every time, `make soak` anew each time; both print the seed. HUB_TEST_SEED=N draws from another.
HUB_TEST_NUMBERS=5-9 runs these of the numbered long runs alone, to run them in pieces."""

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

import pytest
from hypothesis import settings

SEED_VARIABLE, NUMBERS_VARIABLE = "HUB_TEST_SEED", "HUB_TEST_NUMBERS"
DEFAULT_SEED = 1998
TENTH = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunSize:
    """How much a random test draws in `make soak`, and in `make test`: a tenth, unless another number is needed there."""

    whole: int
    part: int

    @classmethod
    def with_a_tenth(cls, whole: int) -> "RunSize":
        return cls(whole, whole // TENTH)


# Every random run of the suite. Where the part is no tenth, a smaller one reaches too little, or a larger one takes too long.
SIZES: Mapping[str, RunSize] = {
    "oracle operations": RunSize.with_a_tenth(2_000),
    "oracle operations of a bound key": RunSize.with_a_tenth(500),
    "percent of the walk of a bound key": RunSize(100, 4),
    "pairs of random roles": RunSize.with_a_tenth(20),
    "thousandths of the walk of a random role": RunSize(300, 8),
    "viewers of a role": RunSize(5, 2),
    "viewers of a role whose past is compared": RunSize(5, 1),
    "rounds of edits beside live queries": RunSize(8, 1),
    "rows of each type whose past is compared": RunSize(8, 1),
    "thousandths of the mutations of a role": RunSize(1_000, 60),
    "thousandths of the mutations on rows that are only shown": RunSize(1_000, 60),
    "thousandths of the mutations without predicates": RunSize(600, 60),
    "thousandths of the names of a random role": RunSize(1_000, 40),
    "thousandths of the walk without predicates": RunSize(100, 2),
    "thousandths of the walk of a shipped role": RunSize(300, 3),
    "customers handed over": RunSize.with_a_tenth(1_000),
    "schemathesis cases of each root": RunSize(17, 1),
    "percent of the roots that schemathesis calls": RunSize(100, 33),
    "percent of the lists whose plans are read": RunSize(100, 25),
    "model stories": RunSize(500, 40),
    "rounds of identify at once": RunSize.with_a_tenth(100),
    "rounds of edits": RunSize(50, 4),
    "writes among which scores are compared": RunSize(10_000, 100),
    "writes beside segments": RunSize(1_000, 40),
    "rows of an export": RunSize(1_000_000, 50_000),
    "lines that are imported and written": RunSize.with_a_tenth(2_000),
    "orders of Northwind": RunSize(830, 40),
    "lines of an import that is killed": RunSize(200_000, 4_000),
    "concurrent moves": RunSize(2_000, 60),
    "seeds of concurrent merges": RunSize(100, 2),
    "rows of a customer who is merged by a job": RunSize(100_000, 6_000),
    "operations of concurrent merges": RunSize(200, 60),
}

EXAMPLES = RunSize.with_a_tenth(300)  # of a property test of Hypothesis that names no number of its own


def whole_runs(config: pytest.Config) -> bool:
    """Whether the long runs are asked for."""
    return "soak" in str(config.getoption("-m") or "")


def time_limit(seconds: float, config: pytest.Config) -> float:
    """A limit of measured time: it holds in the long runs alone, since other work on the machine takes time as well."""
    return seconds if whole_runs(config) else inf


def size(name: str, config: pytest.Config) -> int:
    """How much a run draws."""
    return SIZES[name].whole if whole_runs(config) else SIZES[name].part


def params(name: str) -> list[Any]:
    """The sizes of a run as pytest's parameters: the part in `make test`, the whole in `make soak`."""
    part, whole = SIZES[name].part, SIZES[name].whole
    return [pytest.param(part, id=f"{part}"), pytest.param(whole, marks=pytest.mark.soak, id="whole")]


def draws(name: str) -> pytest.MarkDecorator:
    """Runs a test with the argument `draws`, the size of a run."""
    return pytest.mark.parametrize("draws", params(name))


def numbers(name: str) -> pytest.MarkDecorator:
    """Runs a test once for each number of a run, as the argument `number`: the first in `make test`, the rest in `make soak`."""
    part, whole = SIZES[name].part, SIZES[name].whole
    first, _, last = os.environ.get(NUMBERS_VARIABLE, f"{part}-{part + whole - 1}").partition("-")
    longer = range(max(part, int(first)), min(part + whole, int(last or first) + 1))
    more = (pytest.param(number, marks=pytest.mark.soak) for number in longer)
    return pytest.mark.parametrize("number", [*range(part), *more])


def values(argument: str, names: Iterable[str], part: Sequence[str] | None = None) -> pytest.MarkDecorator:
    """Runs a test for all values of an argument, or some in `make test`, where it draws the part; in `make soak` the whole."""
    names = list(names)
    whole = (pytest.param(name, marks=pytest.mark.soak, id=f"{name}-whole") for name in names)
    return pytest.mark.parametrize(argument, [*(part or names), *whole])


def share(names: str, items: Sequence[tuple[str, ...]], run: str) -> pytest.MarkDecorator:
    """Runs a test for a share of the items in `make test`, evenly spread, and for the others in `make soak`."""
    part = set(spread(items, SIZES[run].part, names))
    params = [pytest.param(*item, marks=() if item in part else pytest.mark.soak) for item in items]
    return pytest.mark.parametrize(names, params)


def spread(items: Sequence[T], percent: int, label: str) -> Sequence[T]:
    """A share of the items, evenly spread over all of them; the seed and the label say where it begins."""
    step = 100 // percent
    return items[random.Random(f"{seed()} {label}").randrange(step) :: step]


def seed() -> int:
    """The seed of every random test."""
    return int(os.environ.get(SEED_VARIABLE, DEFAULT_SEED))


def choose_seed(config: pytest.Config) -> None:
    """Seeds every random test, those of Hypothesis too. The long runs take a new seed; workers inherit it."""
    if whole_runs(config):
        os.environ.setdefault(SEED_VARIABLE, str(random.SystemRandom().randrange(10**9)))
    settings.register_profile(
        "drawn", max_examples=EXAMPLES.whole if whole_runs(config) else EXAMPLES.part, deadline=None
    )
    settings.register_profile("same every time", settings.get_profile("drawn"), derandomize=True)
    settings.load_profile("drawn" if SEED_VARIABLE in os.environ else "same every time")
