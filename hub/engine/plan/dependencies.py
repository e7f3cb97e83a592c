"""What a plan reads: its tables, which a live query must look at again when they change, and the plans behind its keys."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from hub.engine.catalog.catalog import Row
from hub.engine.plan.nodes import ById, Listing, Plan, Splice
from hub.engine.plan.predicates import Join


@dataclass(frozen=True, slots=True)
class Reach:
    """The tables of which any row may matter, and those of which only rows of the one customer do who is asked for."""

    anywhere: frozenset[str]
    of_customer: frozenset[str]


def reach_of(plan: Plan) -> Reach:
    """What a plan reads: in selections, filters, sort keys, look-ups, and behind keys that resolvers give."""
    found = {table: False for each in behind_keys(plan.splice) for table, _ in _tables(each.roots, kept=False)}
    for table, kept in _tables(plan.roots, kept=False):
        found[table] = kept and found.get(table, True)
    anywhere = frozenset(table for table, kept in found.items() if not kept)
    return Reach(anywhere, frozenset(found) - anywhere)


def _tables(part: Any, *, kept: bool) -> Iterator[tuple[str, bool]]:
    """Each table, and whether its rows belong to the customer of the root: joins that need no check keep it."""
    if isinstance(part, Row):
        yield part.table.name, kept
    elif isinstance(part, tuple):
        for each in part:
            yield from _tables(each, kept=kept)
    elif is_dataclass(part):
        join = getattr(part, "join", None)
        if isinstance(join, Join):
            kept = kept and not join.check
        elif isinstance(part, Listing):
            kept = False
        elif isinstance(part, ById):
            kept = part.row.declaration.scope.key == "id"
        for each in fields(part):
            yield from _tables(getattr(part, each.name), kept=kept)


def behind_keys(splice: Splice | None) -> Iterator[Plan]:
    """The plans of the rows behind keys that resolvers give, and of those behind theirs."""
    if splice is None:
        return
    for fill in splice.fills:
        if fill.keyed is not None:
            yield fill.keyed
            yield from behind_keys(fill.keyed.splice)
    for _, deeper in (*splice.deeper, *splice.by_type):
        yield from behind_keys(deeper)
