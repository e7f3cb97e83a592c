"""Plans the arguments of lists other than the filter: order, search, page, and the cursors that bound the page."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.input_values import bad_input, storable_text
from hub.engine.catalog.page_sizes import NESTED_PAGE, ROOT_PAGE
from hub.engine.catalog.scalars import ScalarType
from hub.engine.cursors import decode, list_fingerprint, signing_key
from hub.engine.plan.arguments import ArgumentTree, ArgumentValue, plan_value
from hub.engine.plan.codecs import TextCodec
from hub.engine.plan.context import PlanningContext, object_items, required_value
from hub.engine.plan.filters import (
    ORDER_FACTOR,
    aggregate_expression,
    count_aggregate,
    list_rows,
    plan_filter,
    plan_join,
)
from hub.engine.plan.list_nodes import (
    CodeSource,
    CursorBound,
    CursorSigning,
    GroupKey,
    GroupSortTerm,
    PagePlan,
    SearchTerms,
    SortColumn,
    SortTerm,
)
from hub.engine.plan.parameters import PROBE_TIMES, Codec, ExecutionContext, Parameter, Runtime
from hub.engine.plan.predicates import AggregateExpression, AggregateFunctionName, Join
from hub.model.declarations import AscDesc, ToMany

MAX_SORT_TERMS = 4
MAX_WORDS = 8
MAX_CHARACTERS = 200
# Scripts without spaces, as in the database's hub_fold: each character is a word.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Accents, points of Hebrew and Arabic, tatweel, format characters and variation selectors: the database's hub_fold leaves
# them out, so that they make no word.
LEFT_OUT = (
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08ca-\u08e1\u08e3-\u08ff"
    "\u00ad\u061c\u06dd\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000e0001-\U000e007f\U000e0100-\U000e01ef"
)
LEFT_OUT_CHARACTER = re.compile(f"[{LEFT_OUT}]")
WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


def search_words(text: str) -> tuple[str, ...]:
    """The words of a search. A text that is too long gives more words than are allowed."""
    return _split_words(text) if len(text) <= MAX_CHARACTERS else ("",) * (MAX_WORDS + 1)


@lru_cache(maxsize=4096)
def _split_words(text: str) -> tuple[str, ...]:
    return tuple(WORD.findall(LEFT_OUT_CHARACTER.sub("", unicodedata.normalize("NFKC", text))))


@dataclass(frozen=True, slots=True)
class SearchWordCodec(Codec):
    """One word of a searched text."""

    argument: str
    index: int

    def encode(self, value: str, context: ExecutionContext) -> str:
        """The word."""
        return search_words(storable_text(value, self.argument))[self.index]


def plan_search(
    planning: PlanningContext, tree: ArgumentTree, entity: CatalogEntity, argument: str
) -> SearchTerms | None:
    """The search of a list; raises SEARCH_EMPTY and SEARCH_TOO_LONG. The number of words is part of the plan's cache key."""
    if tree is None:
        return None
    value = required_value(tree, argument)
    planning.uses_search = True

    count = len(search_words(storable_text(planning.reader.current_value(value), argument)))
    if count == 0:
        bad_input("SEARCH_EMPTY", argument, "the text has no words; leave it out to list all rows.")
    if count > MAX_WORDS:
        bad_input(
            "SEARCH_TOO_LONG",
            argument,
            f"the text is too long; give at most {MAX_WORDS} words and {MAX_CHARACTERS} characters.",
        )
    words = [planning.parameter(sa.Text(), value.source, SearchWordCodec(argument, index)) for index in range(count)]
    sources = tuple(
        CodeSource(plan_join(planning, entity, ToMany(source.declaration.entity, "customer_id", "")), codes)
        for source in planning.catalog.identifying(entity)
        if (codes := source.declaration.identifies)
    )
    return SearchTerms(planning.parameter(sa.Text(), value.source, TextCodec(argument)), tuple(words), sources)


def plan_order(
    planning: PlanningContext, tree: ArgumentTree, entity: CatalogEntity, argument: str, *, uses_search: bool
) -> tuple[SortTerm, ...]:
    """The sort keys of a list, the id last; raises ORDER_INVALID."""
    terms = [
        _sort_term(planning, item, entity, f"{argument}[{index}]") for index, item in enumerate(object_items(tree))
    ]
    if len(terms) > MAX_SORT_TERMS or len({term.key for term in terms}) < len(terms):
        bad_input(
            "ORDER_INVALID",
            argument,
            f"the sort keys are too many or repeated; give at most {MAX_SORT_TERMS} different ones.",
        )
    if terms:
        return (*terms, SortTerm("id", terms[-1].direction))
    if uses_search:
        return (SortTerm("rank", "asc"), SortTerm("similarity", "asc"), SortTerm("id", "asc"))
    name, direction = entity.declaration.order
    term = entity.sort_keys.get(name.upper())
    if term is None:  # the viewer may not sort by it
        return (SortTerm("id", direction),)
    return (SortTerm(SortColumn(term.column.name, term.null_as), direction), SortTerm("id", direction))


def _sort_term(
    planning: PlanningContext, order_by: dict[str, ArgumentTree], entity: CatalogEntity, argument: str
) -> SortTerm:
    sort_fields = {name: part for name, part in order_by.items() if name != "direction" and part is not None}
    if len(sort_fields) != 1:
        bad_input(
            "ORDER_INVALID", argument, "a sort key needs exactly one field or list; give several sort keys as a list."
        )
    direction: AscDesc = "desc" if plan_value(order_by.get("direction")) == "DESC" else "asc"
    name, part = next(iter(sort_fields.items()))
    if name == "field":
        key = entity.sort_keys[str(plan_value(part))]
        return SortTerm(SortColumn(key.column.name, key.null_as), direction)
    assert isinstance(part, dict)
    return SortTerm(_sort_aggregate(planning, part, entity, name, f"{argument}.{name}"), direction)


def _sort_aggregate(
    planning: PlanningContext, order_by: dict[str, ArgumentTree], entity: CatalogEntity, name: str, argument: str
) -> AggregateExpression:
    link = entity.links[name]
    assert isinstance(link, ToMany)
    join = plan_join(planning, entity, link)
    with planning.multiplied_by(ORDER_FACTOR * list_rows(planning, entity, link), argument):
        where = plan_filter(planning, order_by.get("where"), join.entity, f"{argument}.where")
    function, column = aggregate_of_order(order_by, join.entity, argument)
    if column is None:
        count_aggregate(planning, argument)
        return AggregateExpression(join, where, function, None, None)
    currency = (order_by.get("currency"), f"{argument}.currency")
    return aggregate_expression(planning, join, where, function, column, currency, argument)


def aggregate_of_order(
    order_by: Mapping[str, ArgumentTree], entity: CatalogEntity, argument: str
) -> tuple[AggregateFunctionName, ColumnField | None]:
    """The function and the column of an aggregate that rows or groups are sorted by, no column for COUNT.

    Raises ORDER_INVALID for a function and a column that do not go together."""
    function = cast(AggregateFunctionName, plan_value(order_by["by"]))
    field = plan_value(order_by.get("field"))
    if (function == "COUNT") is (field is not None):
        bad_input(
            "ORDER_INVALID", argument, "COUNT takes no field, and every other function needs one; change one of them."
        )
    column = next((candidate for candidate in entity.aggregable if candidate.column.name.upper() == field), None)
    if column is not None and function in ("SUM", "AVG") and not column.scalar.is_number:
        bad_input(
            "ORDER_INVALID", argument, f"{function} needs a number, and {field} is none; sort by MIN or MAX of {field}."
        )
    return function, column


def page_size(
    planning: PlanningContext, arguments: Mapping[str, ArgumentTree], *, nested: bool
) -> tuple[int | Parameter, bool]:
    """How many rows, and whether from the end; raises PAGE_ARGUMENTS and PAGE_LIMIT. A nested list has a smaller default."""
    first, last = arguments.get("first"), arguments.get("last")
    if isinstance(first, ArgumentValue) and isinstance(last, ArgumentValue):
        bad_input("PAGE_ARGUMENTS", "last", "first and last exclude each other; give one of them.")
    if isinstance(last, ArgumentValue):
        return planning.page_size(last, "last"), True
    if isinstance(first, ArgumentValue):
        return planning.page_size(first, "first"), False
    return NESTED_PAGE if nested else ROOT_PAGE, False


@dataclass(frozen=True, slots=True)
class ListSignature:
    """The identity of a list: its field, its order, and the values that its order depends on."""

    text: str
    parameters: tuple[Parameter, ...]

    def fingerprint(self, context: ExecutionContext) -> bytes:
        """The fingerprint that the list's cursors carry. A relative time has the same fingerprint at every request."""
        at_fixed_time = context._replace(now=PROBE_TIMES[0]) if self.parameters else context
        return list_fingerprint(
            "\0".join([self.text, *(repr(parameter.evaluate(at_fixed_time)) for parameter in self.parameters)])
        )


@dataclass(frozen=True, slots=True)
class FingerprintCodec(Codec):
    """The fingerprint of a list, whatever the value."""

    signature: ListSignature

    def encode(self, value: Any, context: ExecutionContext) -> bytes:
        """The fingerprint."""
        return self.signature.fingerprint(context)


@dataclass(frozen=True, slots=True)
class SigningKeyCodec(Codec):
    """The hub's secret, as the signing key of a list."""

    signature: ListSignature

    def encode(self, value: bytes, context: ExecutionContext) -> bytes:
        """The key."""
        return signing_key(value, self.signature.fingerprint(context))


@dataclass(frozen=True, slots=True)
class CursorKeyCodec(Codec):
    """One sort key of a cursor."""

    signature: ListSignature
    index: int
    argument: str

    def encode(self, value: str, context: ExecutionContext) -> str:
        """The key; raises CURSOR_MALFORMED and CURSOR_WRONG_LIST."""
        return decode(value, self.signature.fingerprint(context), context.secret, self.argument)[self.index]


def list_signature(field: str, terms: tuple[SortTerm, ...], search_terms: SearchTerms | None) -> ListSignature:
    """The signature of a list by its field and order."""
    parameters: list[Parameter] = []
    canonical = ", ".join(f"{_canonical(term.key, parameters)} {term.direction}" for term in terms)
    if search_terms is not None and terms[0].key == "rank":
        parameters.append(search_terms.text)
    return ListSignature(f"{field} by {canonical}", tuple(parameters))


def groups_signature(field: str, keys: tuple[GroupKey, ...], order: tuple[GroupSortTerm, ...]) -> ListSignature:
    """The signature of a list of groups by its field, the parts of the groups' key, and their order."""
    parameters: list[Parameter] = []
    canonical = ", ".join(_canonical(part, parameters) for part in (keys, order))
    return ListSignature(f"{field} by {canonical}", tuple(parameters))


def _canonical(part: object, parameters: list[Parameter]) -> str:
    """A sort key as text without the names of its parameters, which are collected: equal orders have equal texts."""
    if isinstance(part, Parameter):
        parameters.append(part)
        return "?"
    if isinstance(part, CatalogEntity | ColumnField | ScalarType):
        return part.name
    if isinstance(part, Join):  # check_visibility is not part of the order
        return f"Join({part.entity.name}, {part.their_column}, {part.our_column})"
    if is_dataclass(part):
        inner = (_canonical(getattr(part, item.name), parameters) for item in fields(part))
        return f"{type(part).__name__}({', '.join(inner)})"
    if isinstance(part, tuple):
        return f"({', '.join(_canonical(item, parameters) for item in part)})"
    return str(part)


def cursor_signing(planning: PlanningContext, signature: ListSignature) -> CursorSigning:
    """The two parameters that sign the cursors of a list."""
    return CursorSigning(
        planning.parameter(sa.LargeBinary(), Runtime("secret"), FingerprintCodec(signature)),
        planning.parameter(sa.LargeBinary(), Runtime("secret"), SigningKeyCodec(signature)),
    )


def cursor_bound(
    planning: PlanningContext, tree: ArgumentTree, signature: ListSignature, key_count: int, argument: str
) -> CursorBound | None:
    """One end of a page, from a cursor; raises CURSOR_MALFORMED and CURSOR_WRONG_LIST when the plan runs."""
    if tree is None:
        return None
    value = required_value(tree, argument)

    keys = (CursorKeyCodec(signature, index, argument) for index in range(key_count))
    return CursorBound(tuple(planning.parameter(sa.Text(), value.source, key) for key in keys))


def plan_page(
    planning: PlanningContext,
    arguments: Mapping[str, ArgumentTree],
    signature: ListSignature,
    key_count: int,
    *,
    nested: bool = True,
) -> PagePlan:
    """The page of a list with a signature and a number of sort keys."""
    size, backward = page_size(planning, arguments, nested=nested)
    after = cursor_bound(planning, arguments.get("after"), signature, key_count, "after")
    return PagePlan(
        size, backward, after, cursor_bound(planning, arguments.get("before"), signature, key_count, "before")
    )
