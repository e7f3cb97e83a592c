"""Reading documents: what is refused and how it is told, how operations are priced, and what is remembered."""

import gc
import tracemalloc

import pytest
from graphql import GraphQLInt, GraphQLObjectType, GraphQLSchema, Undefined, build_schema, get_introspection_query

from bench.attacks import attacks
from bench.attacks import schema as wide_schema
from hub.engine.document.documents import DocumentStore, InvalidDocument
from hub.engine.document.limits import Limits
from hub.errors import CODES, HubError

SDL = """
directive @d repeatable on
  QUERY | FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT | FRAGMENT_DEFINITION | VARIABLE_DEFINITION
scalar JSON
interface Node { id: ID! }
type PageInfo { hasNextPage: Boolean! }
type Query {
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  customer(id: ID!): Customer
  customers(first: Int = 20, last: Int, filter: Filter): CustomerConnection!
  latest(last: Int): [Order!]!
  count: Int!
}
type Customer implements Node {
  id: ID! name: String parent: Customer tags: [Tag!]! likes(limit: Int): [Customer!]!
  orders(first: Int, last: Int): OrderConnection!
}
type Tag { name: String! }
type CustomerEdge { node: Customer! cursor: String! }
type CustomerConnection { nodes: [Customer!]! edges: [CustomerEdge!]! pageInfo: PageInfo! totalCount: Int! }
type Order implements Node { id: ID! total: String customer: Customer! }
type OrderEdge { node: Order! }
type OrderConnection { nodes: [Order!]! edges: [OrderEdge!]! pageInfo: PageInfo! totalCount: Int! stats: Stats! }
type Stats { count: Int! }
input Filter { name: Text! and: [Filter!] status: Status json: JSON }
input Text { eq: String in: [String!] }
enum Status { ACTIVE CLOSED }
type Mutation { rename(id: ID!, name: String!): Customer }
type Subscription { changed: Customer }
"""


def schema() -> GraphQLSchema:
    """The schema above, where some fields have a cost of their own."""
    built = build_schema(SDL)
    for owner, name, cost in (("CustomerConnection", "totalCount", 5), ("OrderConnection", "totalCount", 5),
                              ("OrderConnection", "stats", 7), ("Customer", "likes", 3)):  # fmt: skip
        object_type = built.type_map[owner]
        assert isinstance(object_type, GraphQLObjectType)
        object_type.fields[name].extensions = {"cost": cost}
    return built


@pytest.fixture
def documents() -> DocumentStore:
    return DocumentStore(schema(), Limits(), cache_bytes=1 << 20)


def refused(documents: DocumentStore, text: str) -> InvalidDocument:
    with pytest.raises(InvalidDocument) as caught:
        documents.get(text)
    return caught.value


def cost(documents: DocumentStore, text: str, **variables: object) -> int:
    return documents.get(text).operation(None).cost(variables)


# what is accepted


def test_a_document_holds_its_operations_ready_to_plan(documents: DocumentStore) -> None:
    document = documents.get("query A($n: Int = 3, $m: Int) { customers(first: $n, last: $m) { ...F } }"
                             " mutation B { rename(id: 1, name: \"x\") { id } } subscription C { changed { id } }"
                             " fragment F on CustomerConnection { totalCount }")  # fmt: skip
    assert [(operation.name, operation.operation_type) for operation in document.operations.values()] == [
        ("A", "query"), ("B", "mutation"), ("C", "subscription"),
    ]  # fmt: skip
    operation = document.operation("A")
    assert [(variable.name, variable.type, variable.default) for variable in operation.variables] == [
        ("n", GraphQLInt, 3), ("m", GraphQLInt, Undefined),
    ]  # fmt: skip
    assert list(operation.fragments) == ["F"]
    assert operation.cache == {}


def test_the_only_operation_needs_no_name(documents: DocumentStore) -> None:
    assert documents.get("{ count }").operation(None).name == ""
    assert documents.get("query Q { count }").operation(None).name == "Q"


@pytest.mark.parametrize(("text", "name", "message"), [
    ("query A { count } query B { count }", None,
     "The document has several operations; set operationName to one of 'A', 'B'."),
    ("query A { count }", "C", "The document has no operation 'C'; set operationName to one of 'A'."),
    ("{ count }", "C", "The document has no operation 'C'; leave operationName out."),
])  # fmt: skip
def test_an_unknown_operation_is_refused_with_the_known_names(
    documents: DocumentStore, text: str, name: str | None, message: str
) -> None:
    with pytest.raises(HubError) as caught:
        documents.get(text).operation(name)
    assert (caught.value.code, caught.value.message, caught.value.argument) == (
        "OPERATION_UNKNOWN",
        message,
        "operationName",
    )


@pytest.mark.parametrize(("text", "has", "only"), [
    (get_introspection_query(), True, True),
    ("{ __typename ... { ...F } } fragment F on Query { __type(name: \"Tag\") { name } }", True, True),
    ("{ __schema { queryType { name } } count }", True, False),
    ("{ __typename }", False, False),
])  # fmt: skip
def test_introspection_is_noticed(documents: DocumentStore, text: str, has: bool, only: bool) -> None:
    operation = documents.get(text).operation(None)
    assert (operation.has_introspection, operation.introspection_only) == (has, only)
    assert operation.cost({}) == 0


def test_the_fullest_standard_introspection_passes_the_limits(documents: DocumentStore) -> None:
    text = get_introspection_query(True, True, True, True, True, one_of=True)
    assert documents.get(text).operation(None).introspection_only
    assert DocumentStore(wide_schema(), Limits(), 0).get(text).operation(None).introspection_only


# what is refused


@pytest.mark.parametrize(("text", "code", "argument", "message"), [
    ("{", "GRAPHQL_SYNTAX", None, "Syntax Error: Expected Name, found <EOF>."),
    ("", "GRAPHQL_SYNTAX", None, "Syntax Error: Unexpected <EOF>."),
    ("{ customer(id: 1) { } }", "GRAPHQL_SYNTAX", None, "A selection is empty. Name a field, or drop the braces."),
    ("{ node(id: \"\ud83d\") { id } }", "GRAPHQL_SYNTAX", None,
     "The document has half a surrogate pair at character 12. Send Unicode text."),
    ("type A { b: Int }", "GRAPHQL_INVALID", None, "The 'A' definition is not executable."),
    ("fragment F on Query { count }", "GRAPHQL_INVALID", None, "Fragment 'F' is never used."),
    ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "GRAPHQL_INVALID", None,
     "The fragments 'A' → 'B' → 'A' spread each other in a circle. Remove one of the spreads."),
    ("{ ... on Customr { id } }", "GRAPHQL_INVALID", None,
     "Unknown type 'Customr'. Did you mean 'Customer' or 'CustomerEdge'?"),
    ("{ customer(id: 1) { nam } }", "FIELD_UNKNOWN", None,
     "Cannot query field 'nam' on type 'Customer'. Did you mean 'name'?"),
    ("{ customer(id: 1) { zzzzzzz } }", "FIELD_UNKNOWN", None,
     "Cannot query field 'zzzzzzz' on type 'Customer'. The schema lists the fields of each type."),
    ("{ customers(frist: 1) { totalCount } }", "ARGUMENT_UNKNOWN", "frist",
     "Unknown argument 'frist' on field 'Query.customers'. Did you mean 'first' or 'last'?"),
    ("{ count @include(iff: true, if: true) }", "ARGUMENT_UNKNOWN", "iff",
     "Unknown argument 'iff' on directive '@include'. Did you mean 'if'?"),
    ("{ customers(filter: { name: {}, nam: 1 }) { totalCount } }", "ARGUMENT_UNKNOWN", "filter.nam",
     ("Argument 'filter.nam': Expected value of type 'Filter' not to include unknown field 'nam'."
      " Did you mean 'name' or 'and'? Found: { name: {  }, nam: 1 }.")),
    ("{ customer { id } }", "ARGUMENT_MISSING", None,
     "Argument 'Query.customer(id:)' of type 'ID!' is required, but it was not provided. Give it a value."),
    ("{ customers(filter: {}) { totalCount } }", "ARGUMENT_MISSING", "filter.name",
     ("Argument 'filter.name': Expected value of type 'Filter' to include required field 'name', found: {  }."
      " Give it a value.")),
    ("{ customers(first: \"1\") { totalCount } }", "VALUE_INVALID", "first",
     "Argument 'first': Int cannot represent non-integer value: \"1\""),
    ("{ customers(filter: { name: { in: [\"a\", 1] } }) { totalCount } }", "VALUE_INVALID", "filter.name.in[1]",
     "Argument 'filter.name.in[1]': String cannot represent a non string value: 1"),
    ("query($n: Int = \"x\") { customers(first: $n) { totalCount } }", "VALUE_INVALID", "$n",
     "Variable '$n': Int cannot represent non-integer value: \"x\""),
    ("query($n: Int) { count }", "VARIABLE_INVALID", None,
     "Variable '$n' is never used. Declare each variable that is used, once, with the type of its place."),
    ("{ customers(first: $n) { totalCount } }", "VARIABLE_INVALID", None,
     "Variable '$n' is not defined. Declare each variable that is used, once, with the type of its place."),
    ("query($n: String) { customers(first: $n) { totalCount } }", "VARIABLE_INVALID", None,
     ("Variable '$n' of type 'String' used in position expecting type 'Int'."
      " Declare each variable that is used, once, with the type of its place.")),
])  # fmt: skip
def test_an_invalid_document_is_refused_with_its_code(
    documents: DocumentStore, text: str, code: str, argument: str, message: str
) -> None:
    (error,) = refused(documents, text).errors
    extensions = error.extensions or {}
    assert (extensions["code"], extensions.get("argument"), error.message) == (code, argument, message)
    assert code in CODES


def test_errors_have_locations_and_at_most_five_are_reported(documents: DocumentStore) -> None:
    error = refused(documents, "{\n  a b c\n  d e f g }")
    assert error.codes == ["FIELD_UNKNOWN"] * 5
    assert [graphql_error.formatted["locations"] for graphql_error in error.errors[2:4]] == [
        [{"line": 2, "column": 7}],
        [{"line": 3, "column": 3}],
    ]


def test_a_description_of_a_variable_is_not_its_default(documents: DocumentStore) -> None:
    assert documents.get('query("how many" $n: Int) { customers(first: $n) { totalCount } }')


def levels(depth: int) -> str:
    return "{ customer(id: 1) " + "{ parent " * (depth - 2) + "{ id }" + " }" * (depth - 1)


def repeated(count: int, text: str) -> str:
    return " ".join(text.replace("#", str(n)) for n in range(count))


DIRECTIVES = (
    "query($a: ID! @d) @d { ...F @d ...F @d ... @d { node(id: $a) @many { id } } } fragment F on Query @d { count @d}"
)


@pytest.mark.parametrize(("code", "fits", "exceeds", "message"), [
    ("DEPTH_LIMIT", levels(15), levels(16), "The operation has 16 levels of fields; 15 are allowed."),
    ("ALIAS_LIMIT", "{ customer(id: 1) { ...F ...F } } fragment F on Customer { " + repeated(50, "a#: id") + "}",
     "{ customer(id: 1) { ...F ...F a: id } } fragment F on Customer { " + repeated(50, "a#: id") + "}",
     "The operation has 101 aliases; 100 are allowed."),
    ("FIELD_LIMIT",
     "{ customer(id: 1) { ...F ...F } } fragment F on Customer {" + repeated(83, "orders { nodes { id } }") + "}",
     "{ customer(id: 1) { ...F ...F } } fragment F on Customer {" + repeated(84, "orders { nodes { id } }") + "}",
     "The operation has 505 fields; 500 are allowed."),
    ("ROOT_FIELD_LIMIT",
     "{ ...F ... { " + repeated(10, "a#: count") + "} } fragment F on Query {" + repeated(10, "a#: count") + "}",
     "{ ...F ... { " + repeated(11, "a#: count") + "} } fragment F on Query {" + repeated(10, "a#: count") + "}",
     "The operation has 21 root fields; 20 are allowed."),
    ("DIRECTIVE_LIMIT",
     DIRECTIVES.replace("@many", "@d " * 91), DIRECTIVES.replace("@many", "@d " * 92),
     "The operation has 101 directives; 100 are allowed."),
    ("TOKEN_LIMIT", "{" + "a " * 1998 + "}", "{" + "a " * 1998 + "} #",
     "The document has more than 2,000 tokens. Split it, and send values as variables."),
    ("ALIAS_TOO_LONG", "{ " + "x" * 63 + ": count }", "{ " + "x" * 64 + ": count }",
     "The response key 'xxxxxxxxxxxxxxxxxxxx…' has 64 bytes; 63 are allowed. Choose a shorter alias."),
])  # fmt: skip
def test_limits_are_exact(documents: DocumentStore, code: str, fits: str, exceeds: str, message: str) -> None:
    error = refused(documents, exceeds)
    assert error.codes[0] == code
    assert error.errors[0].message.startswith(message)
    if code in ("FIELD_LIMIT", "TOKEN_LIMIT"):
        # As many as this are all alike, or unknown, and refused for that.
        assert code not in refused(documents, fits).codes
    else:
        assert documents.get(fits).text == fits


def test_brackets_in_strings_and_comments_are_no_nesting(documents: DocumentStore) -> None:
    assert documents.get('{ node(id: """{{""\\"""[((' + "{" * 100 + '""") { id } } # ' + "(" * 100)
    assert documents.get('{ node(id: "\\"' + "{" * 100 + '") { id } }')


@pytest.mark.parametrize(("code", "text"), [pytest.param(*attack[1:], id=attack[0]) for attack in attacks()])
def test_no_document_is_expensive_to_refuse(wide_documents: DocumentStore, code: str, text: str) -> None:
    """That this ends is the point; how soon is measured by bench/documents.py."""
    if code:
        assert refused(wide_documents, text).codes[0] == code
        assert all(error_code in CODES for error_code in refused(wide_documents, text).codes)
    else:
        assert wide_documents.get(text).text == text


@pytest.fixture(scope="module")
def wide_documents() -> DocumentStore:
    return DocumentStore(wide_schema(), Limits(), cache_bytes=1 << 20)


def test_messages_are_cut_to_length(documents: DocumentStore) -> None:
    (error,) = refused(documents, '{ customers(first: "' + "x" * 60_000 + '") { totalCount } }').errors
    assert (len(error.message), error.message[-1]) == (401, "…")


# what it costs


@pytest.mark.parametrize(("text", "expected"), [
    ("{ count __typename }", 0),
    ("{ customer(id: 1) { id name } }", 1),
    ("{ customer(id: 1) { parent { parent { id } } } }", 3),
    ("{ customers(first: 50) { nodes { id } } }", 50),
    ("{ customers(first: 50) { edges { cursor node { id } } pageInfo { hasNextPage } } }", 50),
    ("{ customers(first: 50) { pageInfo { hasNextPage } } }", 50),
    ("{ customers(first: 50) { totalCount } }", 5),
    (("{ customers(first: 50) { ...C } } fragment C on CustomerConnection { totalCount nodes { ...N } ... { ...D } }"
      " fragment D on CustomerConnection { nodes { id } }"
      " fragment N on Customer { parent { id } ... on Node { id } }"), 50 * 2 + 50 + 5),
    ("{ customers(first: 50) { nodes { orders(first: 3) { totalCount nodes { customer { id } } } } } }",
     50 * (1 + 5 + 3 * 2)),
    ("{ customers { nodes { id } } }", 20),
    ("{ customers(first: null, last: 7) { nodes { id } } }", 7),
    ("{ customers(first: 4, last: 7) { nodes { id } } }", 7),
    ("{ customer(id: 1) { orders { nodes { id } } } }", 1 + 10),
    ("{ customer(id: 1) { orders { stats { count } } } }", 1 + 7),
    ("{ customer(id: 1) { tags { name } likes { id } } }", 1 + 10 + 3 + 10),
    ("{ latest(last: 8) { id } }", 8),
    ("{ nodes(ids: [1, 2, 3]) { id } }", 3),
    ("{ nodes(ids: 1) { id } }", 1),
    ("{ a: count ... @skip(if: true) { customer(id: 1) { id } } }", 1),
    ("mutation { rename(id: 1, name: \"x\") { parent { id } } }", 2),
])  # fmt: skip
def test_the_cost_is_the_rows_an_operation_could_touch(documents: DocumentStore, text: str, expected: int) -> None:
    assert cost(documents, text) == expected


def test_new_variable_values_only_reprice(documents: DocumentStore) -> None:
    text = """query($a: Int = 2, $b: Int, $ids: [ID!] = [1]) {
      customers(first: $a) { nodes { orders(first: $b) { nodes { id } } } }
      latest(last: $a) { id }
      nodes(ids: $ids) { id }
    }"""
    assert cost(documents, text) == 2 * (1 + 10) + 2 + 1
    assert cost(documents, text, a=3, b=4) == 3 * (1 + 4) + 3 + 1
    assert cost(documents, text, a=None, b=0, ids=["x", "y"]) == 20 + 20 + 2
    assert cost(documents, text, a=-5) == 1
    assert len(documents.get(text).operation(None)._cost._products) == 3


def test_too_high_a_cost_names_what_is_requested_and_allowed(documents: DocumentStore) -> None:
    text = "query($n: Int) { customers(first: 100) { nodes { orders(first: $n) { nodes { id } } } } }"
    assert cost(documents, text, n=49) == 5_000
    with pytest.raises(HubError) as caught:
        cost(documents, text, n=10**30)
    assert caught.value.code == "COST_LIMIT"
    most_expensive = {"list": "customers.nodes.orders"}
    assert caught.value.extensions == {"requested": 1_000_000_000, "allowed": 5_000, **most_expensive}
    assert caught.value.locations == ((1, 50),)


# what is remembered


def test_a_text_is_read_once_whether_good_or_bad(documents: DocumentStore) -> None:
    assert documents.get("{ count }") is documents.get("{ " + "count }")
    first, again = refused(documents, "{ cont }"), refused(documents, "{ cont" + " }")
    assert first.errors[0] is again.errors[0]


def test_the_longest_unused_document_is_forgotten_first() -> None:
    size = DocumentStore(schema(), Limits(), 1 << 20).get("{ a: count }").bytes
    documents = DocumentStore(schema(), Limits(), cache_bytes=2 * size)
    a, b = documents.get("{ a: count }"), documents.get("{ b: count }")
    assert documents.get("{ a: count }") is a
    documents.get("{ c: count }")
    assert documents.get("{ a: count }") is a
    assert documents.get("{ b: count }") is not b


def test_bad_documents_do_not_displace_good_ones() -> None:
    documents = DocumentStore(schema(), Limits(), cache_bytes=200_000)
    good = documents.get("{ count }")
    first = refused(documents, "{ wrong }").errors[0]
    for n in range(20):
        refused(documents, f"{{ wrong{n} }}")
    assert documents.get("{ count }") is good
    assert refused(documents, "{ wrong }").errors[0] is not first


@pytest.mark.parametrize("count", [1, 30, 300])
def test_the_footprint_of_a_document_is_estimated_well(count: int) -> None:
    documents = DocumentStore(schema(), Limits(aliases=1_000, root_fields=1_000), cache_bytes=1 << 24)
    texts = [
        f"query Q{n}($n: Int) {{ customers(first: $n) {{ id: totalCount }} {repeated(count, 'a#: count')} }}"
        for n in range(20)
    ]
    gc.freeze()  # what exists need not be looked through again
    tracemalloc.start()
    estimated = sum(documents.get(text).bytes for text in texts)
    used = traced_memory()
    del documents
    used -= traced_memory()
    tracemalloc.stop()
    gc.unfreeze()
    assert 0.4 * estimated < used < estimated


def traced_memory() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
