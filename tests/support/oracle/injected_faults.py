"""Faults to plant in the engine: each breaks one thing that a planner can get wrong. The comparison must notice every one."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from hub.engine import engine
from hub.engine.document import limits
from hub.engine.plan import filters
from hub.engine.plan.predicates import All, Not
from hub.engine.sql import conditions, connections, selections

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault by name; with a binding it shows only to a key that is bound so."""

    name: str
    patch: Patch
    binding: str = ""


def _everywhere(monkeypatch: pytest.MonkeyPatch, name: str, made: Any) -> None:
    """Puts `made` in the place of what where.py calls `name`, in every module of the engine that uses it."""
    original = getattr(conditions, name)
    for module in [each for key, each in sys.modules.items() if key.startswith("hub.engine.")]:
        if getattr(module, name, None) is original:
            monkeypatch.setattr(module, name, made)


def _page_is_one_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.Wanted, "limit", lambda wanted: wanted.size + sa.literal_column("1"))


def _links_forget_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    _everywhere(monkeypatch, "visible", lambda names, join, theirs: [])


def _or_is_and(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "Some", All)


def _ties_are_not_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    original = selections.Writer._key

    def key(writer: Any, order: Any, listing: Any, source: Any) -> Any:
        found = original(writer, order, listing, source)
        other = source.row.c.updated_at
        return replace(found, value=other, type=other.type) if order.key == "id" else found

    monkeypatch.setattr(selections.Writer, "_key", key)


def _figures_forget_their_where(monkeypatch: pytest.MonkeyPatch) -> None:
    original = conditions.figure_value
    _everywhere(monkeypatch, "figure_value", lambda source, figure: original(source, replace(figure, where=All(()))))


def _aliases_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    def following(names: Any) -> str:
        names.made += 1
        return f"t{names.made - 1}"

    monkeypatch.setattr(conditions.Names, "next", following)


def _long_keys_are_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "Limits", partial(limits.Limits, alias_bytes=1_000))


def _pages_begin_with_the_cursors_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "behind", partial(connections.behind, itself=True))


def _not_is_three_valued(monkeypatch: pytest.MonkeyPatch) -> None:
    original = conditions.condition

    def condition(source: Any, part: Any) -> Any:
        return sa.not_(condition(source, part.part)) if isinstance(part, Not) else original(source, part)

    _everywhere(monkeypatch, "condition", condition)


PLANTED: tuple[Plant, ...] = (
    Plant("a page is one row too long", _page_is_one_too_long),
    Plant("links forget rights", _links_forget_rights, "region"),
    Plant("links forget a customer's rights", _links_forget_rights, "customer"),
    Plant("or is and", _or_is_and),
    Plant("ties are not by id", _ties_are_not_by_id),
    Plant("figures forget their where", _figures_forget_their_where),
    Plant("aliases capture", _aliases_capture),
    Plant("long keys are let through", _long_keys_are_let_through),
    Plant("pages begin with the cursor's row", _pages_begin_with_the_cursors_row),
    Plant("not is three-valued", _not_is_three_valued),
)
