"""Plans what the arguments of lists say beside the filter: order, search, page, and the cursors that bound it."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache, partial
from typing import cast

import sqlalchemy as sa

from hub.engine.catalog.catalog import Column, Row
from hub.engine.catalog.scalars import Wire
from hub.engine.cursors import key_of, mark_of, opened
from hub.engine.plan.arguments import Given, Leaf
from hub.engine.plan.context import Draft, leaf_of, objects, refuse, storable
from hub.engine.plan.filters import Function, count_figure, figure_of, join_of, predicate
from hub.engine.plan.list_nodes import Bound, Cursors, Order, Page, Search, SortColumn
from hub.engine.plan.predicates import MOMENTS, Figure, Join, Run, Slot
from hub.model.declarations import Direction, Many

DEFAULT_PAGE = 20
MOST_KEYS = 4
MOST_WORDS = 8
MOST_CHARACTERS = 200
# Scripts written without spaces, as in the database's hub_fold: their characters are words of their own.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
MARK = re.compile("[\u0300-\u036f]")
WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


def words(text: str) -> tuple[str, ...]:
    """The words of a search, each to be found by itself; one too many when the text is too long to be looked at."""
    return _words(text) if len(text) <= MOST_CHARACTERS else ("",) * (MOST_WORDS + 1)


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(WORD.findall(MARK.sub("", unicodedata.normalize("NFKC", text))))


def search(draft: Draft, given: Given, argument: str) -> Search | None:
    """The search of a list; raises SEARCH_EMPTY and SEARCH_TOO_LONG. The number of words is part of the plan's key."""
    if given is None:
        return None
    leaf = leaf_of(given, argument)

    def text(run: Run) -> str:
        return cast(str, storable(leaf.fetch(run.variables), argument))

    def word(at: int) -> Callable[[Run], str]:
        return lambda run: words(text(run))[at]

    count = len(words(storable(draft.read.peek(leaf), argument)))
    if count == 0:
        refuse("SEARCH_EMPTY", argument, "there is no word in it; leave it out to see all rows.")
    if count > MOST_WORDS:
        refuse(
            "SEARCH_TOO_LONG",
            argument,
            f"it is too long; give at most {MOST_WORDS} words and {MOST_CHARACTERS} characters.",
        )
    slots = [draft.slot(sa.Text(), word(at)) for at in range(count)]
    return Search(draft.slot(sa.Text(), text), tuple(slots))


def order(draft: Draft, given: Given, row: Row, argument: str, *, searched: bool) -> tuple[Order, ...]:
    """The sort keys of a list, the id last; raises ORDER_INVALID."""
    keys = [_key(draft, each, row, f"{argument}[{at}]") for at, each in enumerate(objects(given))]
    if len(keys) > MOST_KEYS or len({key.key for key in keys}) < len(keys):
        refuse("ORDER_INVALID", argument, f"give at most {MOST_KEYS} sort keys, none of them twice.")
    if keys:
        return (*keys, Order("id", keys[-1].direction))
    if searched:
        return (Order("rank", "asc"), Order("similarity", "asc"), Order("id", "asc"))
    name, direction = row.declaration.order
    key = row.sort_keys[name.upper()]
    return (Order(SortColumn(key.column.name, key.missing), direction), Order("id", direction))


def _key(draft: Draft, given: dict[str, Given], row: Row, argument: str) -> Order:
    chosen = {name: part for name, part in given.items() if name != "direction" and part is not None}
    if len(chosen) != 1:
        refuse(
            "ORDER_INVALID", argument, "name exactly one field or one list to sort by; order several keys as a list."
        )
    direction: Direction = "desc" if _known(given.get("direction")) == "DESC" else "asc"
    name, part = next(iter(chosen.items()))
    if name == "field":
        key = row.sort_keys[str(_known(part))]
        return Order(SortColumn(key.column.name, key.missing), direction)
    assert isinstance(part, dict)
    return Order(_figure(draft, part, row, name, f"{argument}.{name}"), direction)


def _figure(draft: Draft, given: dict[str, Given], row: Row, name: str, argument: str) -> Figure:
    link = row.links[name]
    assert isinstance(link, Many)
    join = join_of(draft, row, link)
    where = predicate(draft, given.get("where"), join.row, f"{argument}.where")
    function = cast(Function, _known(given["by"]))
    field = _known(given.get("field"))
    if (function == "COUNT") is (field is not None):
        refuse("ORDER_INVALID", argument, "COUNT takes no field, every other figure needs one.")
    if field is None:
        count_figure(draft, argument)
        return Figure(join, where, "COUNT", None, None)
    column = next(each for each in join.row.aggregable if each.column.name.upper() == field)
    if function in ("SUM", "AVG") and not column.wire.number:
        refuse("ORDER_INVALID", argument, f"{function} is for numbers; sort by MIN or MAX of {field}.")
    return figure_of(draft, join, where, function, column, given.get("currency"), argument)


def _known(given: Given) -> object:
    return given.known if isinstance(given, Leaf) else None


def page(draft: Draft, given: Mapping[str, Given]) -> tuple[int | Slot, bool]:
    """How many rows, and whether from the end; raises PAGE_ARGUMENTS and PAGE_LIMIT."""
    first, last = given.get("first"), given.get("last")
    if isinstance(first, Leaf) and isinstance(last, Leaf):
        refuse("PAGE_ARGUMENTS", "last", "first and last cannot both be given; take one end of the list.")
    if isinstance(last, Leaf):
        return draft.size(last, "last"), True
    return (draft.size(first, "first") if isinstance(first, Leaf) else DEFAULT_PAGE), False


@dataclass(frozen=True, slots=True)
class ListName:
    """What tells a list from others: where it stands, its order, and the values that its order hangs on."""

    signature: str
    values: tuple[Slot, ...]

    def mark(self, run: Run) -> bytes:
        """The mark that this list's cursors carry in a run. An age is spelled the same at every moment."""
        still = run._replace(at=MOMENTS[0]) if self.values else run
        return mark_of("\0".join([self.signature, *(repr(each.value(still)) for each in self.values)]))


def list_name(field: str, keys: tuple[Order, ...], searching: Search | None) -> ListName:
    """The name of a list by its field and order."""
    values: list[Slot] = []
    spelled = ", ".join(f"{_spelled(each.key, values)} {each.direction}" for each in keys)
    if searching is not None and keys[0].key == "rank":
        values.append(searching.text)
    return ListName(f"{field} by {spelled}", tuple(values))


def _spelled(part: object, values: list[Slot]) -> str:
    """A sort key without the numbers of its slots, whose values are gathered: the same order is spelled the same."""
    if isinstance(part, Slot):
        values.append(part)
        return "?"
    if isinstance(part, Row | Column | Wire):
        return part.name
    if isinstance(part, Join):  # whether it is checked is not part of the order
        return f"Join({part.row.name}, {part.theirs}, {part.ours})"
    if is_dataclass(part):
        inner = (_spelled(getattr(part, each.name), values) for each in fields(part))
        return f"{type(part).__name__}({', '.join(inner)})"
    if isinstance(part, tuple):
        return f"({', '.join(_spelled(each, values) for each in part)})"
    return str(part)


def cursors(draft: Draft, name: ListName) -> Cursors:
    """The two parameters that cursors of a list are made with."""
    return Cursors(
        draft.slot(sa.LargeBinary(), name.mark),
        draft.slot(sa.LargeBinary(), lambda run: key_of(run.secret, name.mark(run))),
    )


def bound(draft: Draft, given: Given, name: ListName, keys: int, argument: str) -> Bound | None:
    """One end of a page, from a cursor; raises CURSOR_MALFORMED and CURSOR_WRONG_LIST when the plan runs."""
    if given is None:
        return None
    leaf = leaf_of(given, argument)

    def key(at: int, run: Run) -> str:
        return opened(leaf.fetch(run.variables), name.mark(run), run.secret, argument)[at]

    return Bound(tuple(draft.slot(sa.Text(), partial(key, at)) for at in range(keys)))


def page_of(draft: Draft, given: Mapping[str, Given], name: ListName, keys: int) -> Page:
    """The page of a list with a name and a number of sort keys."""
    size, backward = page(draft, given)
    after = bound(draft, given.get("after"), name, keys, "after")
    return Page(size, backward, after, bound(draft, given.get("before"), name, keys, "before"))
