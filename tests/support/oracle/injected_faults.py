"""Faults to plant in the engine: each breaks one thing that a planner can get wrong. The comparison must notice every one."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from hub.engine import document_stores
from hub.engine.document import limits
from hub.engine.plan import filters
from hub.engine.plan.predicates import And, Not
from hub.engine.sql import conditions, connections, expressions, selections

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault by name; with a binding it shows only to a key that is bound so."""

    name: str
    patch: Patch
    binding: str = ""


def _patch_everywhere(monkeypatch: pytest.MonkeyPatch, name: str, replacement: Any) -> None:
    """Puts `replacement` in the place of what sql/conditions.py calls `name`, in every module of the engine that uses it."""
    original = getattr(conditions, name)
    for module in [candidate for key, candidate in sys.modules.items() if key.startswith("hub.engine.")]:
        if getattr(module, name, None) is original:
            monkeypatch.setattr(module, name, replacement)


def _page_is_one_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.PageSelection, "limit", lambda selection: selection.size + sa.literal_column("1"))


def _links_ignore_visibility(monkeypatch: pytest.MonkeyPatch) -> None:
    _patch_everywhere(monkeypatch, "visibility", lambda aliases, join, target: [])


def _or_is_and(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "Or", And)


def _ties_are_not_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    original = selections.SelectionCompiler._sort_expression

    def sort_by_update_time(compiler: Any, order: Any, connection: Any, source: Any) -> Any:
        sort_expression = original(compiler, order, connection, source)
        other_column = source.row.c.updated_at
        return (
            replace(sort_expression, value=other_column, type=other_column.type)
            if order.key == "id"
            else sort_expression
        )

    monkeypatch.setattr(selections.SelectionCompiler, "_sort_expression", sort_by_update_time)


def _aggregates_ignore_their_where(monkeypatch: pytest.MonkeyPatch) -> None:
    original = conditions.aggregate_value
    _patch_everywhere(
        monkeypatch, "aggregate_value", lambda source, aggregate: original(source, replace(aggregate, where=And(())))
    )


def _aliases_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    def next_alias(aliases: Any) -> str:
        aliases.count += 1
        return f"t{aliases.count - 1}"

    monkeypatch.setattr(expressions.AliasGenerator, "next", next_alias)


def _long_keys_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_stores, "Limits", partial(limits.Limits, alias_bytes=1_000))


def _pages_include_the_cursor_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "after_cursor", partial(connections.after_cursor, inclusive=True))


def _not_is_three_valued(monkeypatch: pytest.MonkeyPatch) -> None:
    original = conditions.condition

    def condition(source: Any, part: Any) -> Any:
        return sa.not_(condition(source, part.part)) if isinstance(part, Not) else original(source, part)

    _patch_everywhere(monkeypatch, "condition", condition)


INJECTED_FAULTS: tuple[InjectedFault, ...] = (
    InjectedFault("a page is one row too long", _page_is_one_too_long),
    InjectedFault("links forget rights", _links_ignore_visibility, "region"),
    InjectedFault("links forget a customer's rights", _links_ignore_visibility, "customer"),
    InjectedFault("or is and", _or_is_and),
    InjectedFault("ties are not by id", _ties_are_not_by_id),
    InjectedFault("figures forget their where", _aggregates_ignore_their_where),
    InjectedFault("aliases capture", _aliases_collide),
    InjectedFault("long keys are let through", _long_keys_are_accepted),
    InjectedFault("pages begin with the cursor's row", _pages_include_the_cursor_row),
    InjectedFault("not is three-valued", _not_is_three_valued),
)
