"""Values of variables are coerced as graphql-core does it, for every input type of the schema, whether they fit or not."""

from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    build_schema,
    coerce_input_value,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import graph
from hub.engine.document.coercion import InputCoercers

# What the schema does not use, but may: defaults, exactly one of several, lists of lists.
RARE = """
type Query { a(b: Rare): Int }
input Rare { must: Int! = 3, may: [[Int!]] = [[1]], one: One, more: [Rare!], none: String = null }
input One @oneOf { number: Int, text: String }
"""
INPUTS = [
    input_type
    for core in (graph.build().core, *[build_schema(RARE)] * 20)
    for input_type in core.type_map.values()
    if isinstance(input_type, GraphQLInputObjectType)
]
COERCERS = InputCoercers()
TEXTS = ("2026-01-31T12:00:00Z", "2026-01-31", "12.50", "P1D", "cus_" + "0" * 31 + "1", "EUR", "")
JUNK = st.sampled_from([None, True, 0, -1, 2**40, 1.5, [], [None], {}, {"id": 1}, "NONE_OF_THEM", *TEXTS])


@cache
def value_strategy(type_: GraphQLInputType, depth: int) -> st.SearchStrategy[Any]:
    """Mostly what fits a type, sometimes what does not."""
    if isinstance(type_, GraphQLNonNull):
        return value_strategy(type_.of_type, depth)
    if isinstance(type_, GraphQLList):
        inner = value_strategy(type_.of_type, depth)
        return st.one_of(st.lists(inner, max_size=2), inner)
    if isinstance(type_, GraphQLEnumType):
        return st.one_of(st.sampled_from(sorted(type_.values)), JUNK)
    if isinstance(type_, GraphQLInputObjectType) and depth > 0:
        return st.one_of(object_strategy(type_, depth - 1), object_strategy(type_, depth - 1), JUNK)
    return JUNK


@cache
def object_strategy(type_: GraphQLInputObjectType, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the fields that must be there, some others, and seldom one that is unknown."""
    fields = {name: value_strategy(field.type, depth) for name, field in type_.fields.items()}
    must = {name: part for name, part in fields.items() if isinstance(type_.fields[name].type, GraphQLNonNull)}
    may = {name: part for name, part in fields.items() if name not in must} | {
        "unknown": st.nothing() if depth else JUNK
    }
    some = st.lists(st.sampled_from(sorted(may)), max_size=3, unique=True)
    return some.flatmap(lambda names: st.fixed_dictionaries(must | {field: may[field] for field in names}))


def identical(one: Any, other: Any) -> bool:
    """Undefined equals null in graphql-core, but is not the same."""
    return (one is Undefined) is (other is Undefined) and type(one) is type(other) and repr(one) == repr(other)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_values_are_coerced_as_graphql_core_does_it(data: st.DataObject) -> None:
    input_type = data.draw(st.sampled_from(INPUTS))
    value = data.draw(value_strategy(input_type, 2))
    assert identical(COERCERS.for_type(input_type)(value), coerce_input_value(value, input_type)), (input_type, value)
