"""Documents that were written to be expensive, the error code of each, and their schema.

The schema is artificial, with more and longer names than the hub's own. bench/documents.py times the documents.
"""

from collections.abc import Callable

from graphql import GraphQLSchema, build_schema

TYPE_NAMES = [
    "Customer",
    "Contact",
    "Order",
    "OrderItem",
    "Product",
    "Interaction",
    "Score",
    "OrgUnit",
    "Staff",
    "Identifier",
]
SUFFIXES = [
    "Filter",
    "OrderBy",
    "Stats",
    "Group",
    "GroupBy",
    "AggregateFilter",
    "ListFilter",
    "SortField",
    "Change",
    "Payload",
]


def type_definitions(name: str) -> str:
    """The SDL of one type with its connection, filter and detail types."""
    columns = " ".join(f"column{n}: String" for n in range(30))
    page = f"first: Int = 20 last: Int after: String before: String filter: {name}Filter"
    links = " ".join(f"{other.lower()}s({page}): {other}Connection! {other.lower()}: {other}" for other in TYPE_NAMES)
    filters = " ".join(f"column{n}Matches: {name}Filter" for n in range(30))
    detail_types = " ".join(f"type {name}{suffix}Details {{ {columns} }}" for suffix in SUFFIXES)
    return f"""
        type {name} implements Node {{ id: ID! {columns} {links} }}
        type {name}Edge {{ node: {name}! cursor: String! }}
        type {name}Connection {{ nodes: [{name}!]! edges: [{name}Edge!]! pageInfo: PageInfo! totalCount: Int! }}
        input {name}Filter {{ and: [{name}Filter!] or: [{name}Filter!] eq: String in: [Int!] json: JSON {filters} }}
        {detail_types}
    """


def schema() -> GraphQLSchema:
    """The schema of all documents."""
    page = "first: Int = 20 last: Int after: String before: String"
    roots = " ".join(
        f"{name.lower()}s({page} filter: {name}Filter): {name}Connection! {name.lower()}(id: ID!): {name}"
        for name in TYPE_NAMES
    )
    return build_schema(f"""
        scalar JSON
        interface Node {{ id: ID! }}
        type PageInfo {{ hasNextPage: Boolean! endCursor: String }}
        type Query {{ node(id: ID!): Node nodes(ids: [ID!]!): [Node]! {roots} }}
        {"".join(map(type_definitions, TYPE_NAMES))}
    """)


# The name, the first error code ("" for a document that just stays within the limits), and the text.
Attack = tuple[str, str, str]


def attacks() -> list[Attack]:
    """All documents."""
    return [
        *lengths(),
        *nestings(),
        *repetitions(),
        *fragments(),
        *shared_fragments(),
        *values(),
        *mistakes(),
        *introspections(),
    ]


def repeated(count: int, body: Callable[[int], str]) -> str:
    """The texts of the first `count` numbers, separated by spaces."""
    return " ".join(body(n) for n in range(count))


def lengths() -> list[Attack]:
    """Long texts, names, values, and many tokens."""
    return [
        ("10 MB of text", "TOKEN_LIMIT", "{" + " " * 10_000_000 + "}"),
        ("64 KiB of white space", "", "{ node(id: 1) { id } }" + " " * 65_000),
        ("64 KiB in one string", "", '{ node(id: "' + "x" * 65_000 + '") { id } }'),
        ("64 KiB in one block string", "", '{ node(id: """' + "\\ \n" * 21_000 + '""") { id } }'),
        ("64 KiB in one open block string", "GRAPHQL_SYNTAX", '{ node(id: """' + '\\"""' * 16_000),
        ("64 KiB in one name", "ALIAS_TOO_LONG", "{ " + "x" * 65_000 + " }"),
        ("64 KiB in one type name", "GRAPHQL_INVALID", "{ ... on " + "X" * 65_000 + " { id } }"),
        ("64 KiB in one number", "VALUE_INVALID", "{ customers(first: " + "9" * 65_000 + ") { totalCount } }"),
        ("30,000 comments", "TOKEN_LIMIT", "{ node(id: 1) { id } }" + "#\n" * 30_000),
        ("100,000 tokens", "TOKEN_LIMIT", "{" + " a" * 100_000 + "}"),
        ("30,000 tokens in 64 KiB", "TOKEN_LIMIT", "{" + " a" * 30_000 + "}"),
    ]


def nestings() -> list[Attack]:
    """Deep selections, values, types and filters."""
    return [
        ("10,000 levels", "DEPTH_LIMIT", "{ a" * 10_000 + " }" * 10_000),
        ("10,000 lists in a value", "DEPTH_LIMIT", "{ a(b: " + "[" * 10_000),
        ("10,000 objects in a value", "DEPTH_LIMIT", "{ a(b: " + "{ c: " * 10_000),
        ("10,000 lists in a type", "DEPTH_LIMIT", "query($a: " + "[" * 10_000),
        ("64 levels", "DEPTH_LIMIT", "{ a" * 64 + " }" * 64),
        ("60 inline fragments inside each other", "", "{" + "... on Query {" * 60 + "node(id: 1) { id }" + "}" * 61),
        ("filter 28 deep", "", "{ customers(filter: " + "{ or: [" * 28 + "{}" + "] }" * 28 + ") { totalCount } }"),
    ]


def repetitions() -> list[Attack]:
    """Many aliases, directives and duplicate fields."""
    lists = ("customers(first: 1) { nodes {" + "order { id }" * 12 + "}}") * 12
    return [
        ("1,000 aliases", "TOKEN_LIMIT", "{" + repeated(1_000, lambda n: f"a{n}: b") + "}"),
        ("450 aliases", "ALIAS_LIMIT", "{ node(id: 1) {" + repeated(450, lambda n: f"a{n}: id") + "} }"),
        ("1,000 directives", "TOKEN_LIMIT", "{ node(id: 1) { id " + "@a " * 1_000 + "} }"),
        ("900 directives", "DIRECTIVE_LIMIT", "{ node(id: 1) { id " + "@a " * 900 + "} }"),
        ("501 duplicate fields", "FIELD_LIMIT", "{ node(id: 1) { " + "id " * 501 + "} }"),
        ("490 duplicate fields", "OVERLAP_LIMIT", "{ node(id: 1) { " + "id " * 490 + "} }"),
        ("90 duplicate objects", "OVERLAP_LIMIT", "{ customer(id: 1) { " + "order { id column1 } " * 90 + "} }"),
        ("12 × 12 duplicate lists", "OVERLAP_LIMIT", "{" + lists + "}"),
        ("50 duplicate objects", "", "{ customer(id: 1) { " + "order { id } " * 50 + "} }"),
        ("490 fields that are fine", "", page(16, 29)),
    ]


def page(lists: int, columns: int) -> str:
    """A document of some lists with some columns."""
    body = repeated(columns, lambda n: f"column{n}")
    return "{" + repeated(lists, lambda n: f"l{n}: customers(first: 10) {{ nodes {{ {body} }} }}") + "}"


def fragments() -> list[Attack]:
    """Fragments that expand exponentially, long chains and cycles of fragments."""
    names = [f"F{n}" for n in range(28)]
    spread_all = "".join(
        f"fragment {name} on Query {{ {' '.join(f'...{other}' for other in names)} }} " for name in names
    )
    flat = repeated(180, lambda n: f"fragment F{n} on Node {{ id }}")
    links = repeated(100, lambda n: f"fragment F{n} on Order {{ order {{ ...F{n + 1} }} order {{ ...F{n + 1} }} }}")
    unused = f"{links} fragment F100 on Order {{ id }}"
    return [
        ("bomb of 18 fragments", "FIELD_LIMIT", chain(18, 2)),
        ("bomb of 60 fragments", "FIELD_LIMIT", chain(60, 2)),
        ("bomb of 180 fragments", "DEPTH_LIMIT", chain(180, 2)),
        ("bomb of 1,000 fragments", "TOKEN_LIMIT", chain(1_000, 2)),
        ("bomb without fields", "GRAPHQL_SYNTAX", chain(60, 2, "")),
        ("bomb of 4 fragments, 100 wide", "FIELD_LIMIT", chain(4, 100)),
        ("chain of 55 fragments", "", chain(55, 1)),
        ("unused chain of 100 fragments", "DEPTH_LIMIT", "{ node(id: 1) { id } } " + unused),
        (
            "circle of fragments",
            "GRAPHQL_INVALID",
            "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        ),
        ("28 fragments, each spreads all", "GRAPHQL_INVALID", "{ ...F0 } " + spread_all),
        (
            "180 fragments side by side",
            "OVERLAP_LIMIT",
            f"{{ node(id: 1) {{ {repeated(180, lambda n: f'...F{n}')} }} }} {flat}",
        ),
    ]


def chain(length: int, times: int, body: str = "id") -> str:
    """A document with a chain of fragments, each of which spreads the next one `times` times."""
    spreads = "".join(f"fragment F{n} on Customer {{ {f'...F{n + 1} ' * times} }} " for n in range(length))
    return f"{{ customer(id: 1) {{ ...F0 }} }} {spreads} fragment F{length} on Customer {{ {body} }}"


def shared_fragments() -> list[Attack]:
    """Many operations, shared fragments and variables."""
    unused = repeated(450, lambda n: f"$a{n}: Int")
    declared = repeated(95, lambda n: f"$a{n}: Int")
    used = repeated(95, lambda n: f"a{n}: orders(first: $a{n}) {{ totalCount }}")
    return [
        ("100 operations sharing 60 fragments", "FIELD_LIMIT", operations_sharing(100, 60)),
        ("25 operations sharing 55 fragments", "", operations_sharing(25, 55)),
        ("150 operations", "", repeated(150, lambda n: f"query Q{n} {{ node(id: 1) {{ id }} }}")),
        ("450 unused variables", "VARIABLE_INVALID", f"query({unused}) {{ node(id: 1) {{ id }} }}"),
        ("95 used variables", "", f"query({declared}) {{ customer(id: 1) {{ {used} }} }}"),
    ]


def operations_sharing(operations: int, length: int) -> str:
    """Some operations that enter the same chain of fragments at different points."""
    queries = "".join(f"query Q{n} {{ node(id: 1) {{ ...F{n % length} }} }} " for n in range(operations))
    links = "".join(f"fragment F{n} on Node {{ id ...F{n + 1} }} " for n in range(length))
    return f"{queries}{links} fragment F{length} on Node {{ id }}"


def values() -> list[Attack]:
    """Filters with many or wrong values."""
    return [
        (f"filter of {name}", code, f"{{ customers(filter: {{ {text} }}) {{ totalCount }} }}")
        for name, code, text in (
            ("1,900 numbers", "", f"in: [{'1 ' * 1_900}]"),
            ("1,900 wrong values", "VALUE_INVALID", f"in: [{'A ' * 1_900}]"),
            ("1,900 numbers in JSON", "", f"json: [{'1 ' * 1_900}]"),
            ("370 objects", "", "or: [" + '{ eq: "" } ' * 370 + "]"),
            ("400 unknown fields", "ARGUMENT_UNKNOWN", repeated(400, lambda n: f"column9Matchez{n}: 1")),
        )
    ]


def mistakes() -> list[Attack]:
    """Many unknown names, each with a suggestion in the message."""
    arguments = repeated(200, lambda n: f"firsst{n}: 1")
    types = repeated(90, lambda n: f"... on InteractionListFilterDetail{n} {{ a{n}: id }}")
    typos = repeated(5, lambda n: f"z{n}: customers(filter: {{ column9Matchezmatch{n}: 1 }}) {{ totalCount }}")
    lists = repeated(12, lambda n: f"a{n}: customers {{ nodes {{ {repeated(20, lambda i: f'column{i}')} }} }}")
    order = "order { id } " * 50
    return [
        ("450 unknown fields", "FIELD_UNKNOWN", "{ customer(id: 1) {" + repeated(450, lambda n: f"columnn{n}") + "} }"),
        ("90 unknown types", "GRAPHQL_INVALID", "{ node(id: 1) {" + types + "} }"),
        (
            "200 unknown arguments",
            "ARGUMENT_UNKNOWN",
            "{ customer(id: 1) { orders(" + arguments + ") { totalCount } } }",
        ),
        ("of everything, and typos last", "ARGUMENT_UNKNOWN", f"{{ customer(id: 1) {{ {order} }} {lists} {typos} }}"),
    ]


def introspections() -> list[Attack]:
    """Deep and repeated introspection."""
    types = "types { fields { args { type { name } } type { name } } inputFields { type { name } } }"
    copies = repeated(19, lambda n: f"a{n}: __schema {{ ...T }}")
    aliased = repeated(101, lambda n: f"a{n}: types {{ name }}")
    deep = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    return [
        ("introspection, 3 lists deep", "COST_LIMIT", deep),
        ("introspection, 19 times", "COST_LIMIT", f"{{ {copies} }} fragment T on __Schema {{ {types} }}"),
        ("introspection, 101 aliases", "ALIAS_LIMIT", f"{{ __schema {{ {aliased} }} }}"),
    ]
