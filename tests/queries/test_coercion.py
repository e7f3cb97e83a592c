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

from hub import schema
from hub.engine.document.coercion import Coercers

# What the schema does not use, but may: defaults, exactly one of several, lists of lists.
RARE = """
type Query { a(b: Rare): Int }
input Rare { must: Int! = 3, may: [[Int!]] = [[1]], one: One, more: [Rare!], none: String = null }
input One @oneOf { number: Int, text: String }
"""
INPUTS = [
    kind
    for core in (schema.build().core, *[build_schema(RARE)] * 20)
    for kind in core.type_map.values()
    if isinstance(kind, GraphQLInputObjectType)
]
COERCERS = Coercers()
TEXTS = ("2026-01-31T12:00:00Z", "2026-01-31", "12.50", "P1D", "cus_" + "0" * 31 + "1", "EUR", "")
JUNK = st.sampled_from([None, True, 0, -1, 2**40, 1.5, [], [None], {}, {"id": 1}, "NONE_OF_THEM", *TEXTS])


@cache
def values(of: GraphQLInputType, depth: int) -> st.SearchStrategy[Any]:
    """Mostly what fits a type, sometimes what does not."""
    if isinstance(of, GraphQLNonNull):
        return values(of.of_type, depth)
    if isinstance(of, GraphQLList):
        inner = values(of.of_type, depth)
        return st.one_of(st.lists(inner, max_size=2), inner)
    if isinstance(of, GraphQLEnumType):
        return st.one_of(st.sampled_from(sorted(of.values)), JUNK)
    if isinstance(of, GraphQLInputObjectType) and depth > 0:
        return st.one_of(objects(of, depth - 1), objects(of, depth - 1), JUNK)
    return JUNK


@cache
def objects(of: GraphQLInputObjectType, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the fields that must be there, some others, and seldom one that is unknown."""
    fields = {name: values(each.type, depth) for name, each in of.fields.items()}
    must = {name: part for name, part in fields.items() if isinstance(of.fields[name].type, GraphQLNonNull)}
    may = {name: part for name, part in fields.items() if name not in must} | {
        "unknown": st.nothing() if depth else JUNK
    }
    some = st.lists(st.sampled_from(sorted(may)), max_size=3, unique=True)
    return some.flatmap(lambda names: st.fixed_dictionaries(must | {each: may[each] for each in names}))


def alike(one: Any, other: Any) -> bool:
    """Undefined equals null in graphql-core, but is not the same."""
    return (one is Undefined) is (other is Undefined) and type(one) is type(other) and repr(one) == repr(other)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_values_are_coerced_as_graphql_core_does_it(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(INPUTS))
    value = data.draw(values(kind, 2))
    assert alike(COERCERS.of(kind)(value), coerce_input_value(value, kind)), (kind, value)
