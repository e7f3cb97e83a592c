"""Calls that are wrong in one way each: by the code that they get, the document, what its message must name, the variables."""

from typing import Any, NamedTuple

CUS = "cus_00c364689c007d7d8745b0e028f79e31"
ORD = "ord_00d03f2840007c19b627248d7d19e02b"


class BadCall(NamedTuple):
    """A call, the code of its one error, and a part of the message that names what is at fault."""

    code: str
    named: str
    query: str
    variables: str | None = None  # as JSON text, since some of it no JSON library would write


def counted(root: str, argument: str, declared: str = "") -> str:
    """A query for how many rows a root has with an argument, and with variables if there are declarations."""
    return f"{f'query({declared}) ' if declared else ''}{{ {root}({argument}) {{ totalCount }} }}"


def customers(condition: str, declared: str = "") -> str:
    return counted("customers", f"filter: {{ {condition} }}", declared)


def orders(condition: str, declared: str = "") -> str:
    return counted("orders", f"filter: {{ {condition} }}", declared)


def sorted_by(order: str) -> str:
    return counted("customers", f"orderBy: {order}")


def grouped(by: str, more: str = "") -> str:
    return counted("ordersGrouped", f"by: {by}{more}")


def json_equal(value: str) -> str:
    return customers(f'attributes: {{ path: ["a"], eq: {value} }}')


def one(id: str) -> str:
    return f"{{ customer(id: {id}) {{ name }} }}"


def paged(arguments: str, declared: str = "") -> str:
    return f"query{f'({declared})' if declared else ''} {{ customers({arguments}) {{ nodes {{ name }} }} }}"


NUL = r'"a\u0000"'
DEEP = "unit { " + "parent { " * 15 + "name" + " }" * 16
LONG = "a" * 64
MANY = ", ".join(["{}"] * 999)

DOCUMENTS = [
    BadCall("GRAPHQL_SYNTAX", "<EOF>", "{ customers { "),
    BadCall("GRAPHQL_SYNTAX", r"\uD800", counted("customers", r'search: "\uD800"')),
    BadCall("GRAPHQL_INVALID", "'Missing'", "{ ...Missing }"),
    BadCall("GRAPHQL_INVALID", "'customers'", "{ customers }"),
    BadCall("GRAPHQL_INVALID", "'totalCount'", "{ customers { totalCount { x } } }"),
    BadCall("GRAPHQL_INVALID", "'@nonsense'", "{ customers { totalCount @nonsense } }"),
    BadCall("GRAPHQL_INVALID", "'first'", counted("customers", "first: 1, first: 2")),
    BadCall("GRAPHQL_INVALID", "'Nothing'", counted("customers", "first: $x", "$x: Nothing")),
    BadCall("GRAPHQL_INVALID", "'Order'", "{ customers { nodes { ... on Order { id } } } }"),
    BadCall("GRAPHQL_INVALID", "Fields 'a' conflict", "{ a: customers { totalCount } a: orders { totalCount } }"),
    BadCall("FIELD_UNKNOWN", "'customerForget'", "mutation { customerForget { id } }"),
    BadCall("ARGUMENT_MISSING", "customerUpsert(input:)", "mutation { customerUpsert { created } }"),
    BadCall("GRAPHQL_INVALID", "Unused", "fragment Unused on Customer { id } { customers { totalCount } }"),
    BadCall("FIELD_UNKNOWN", "'nme'", "{ customers { nodes { nme } } }"),
    BadCall("FIELD_UNKNOWN", "'nothing'", "{ __schema { nothing } }"),
    BadCall("ARGUMENT_UNKNOWN", "'name'", f'{{ customer(id: "{CUS}", name: "x") {{ id }} }}'),
    BadCall("ARGUMENT_UNKNOWN", "'filter.nme'", customers('nme: { eq: "x" }')),
    BadCall("ARGUMENT_UNKNOWN", "'filter.name.equals'", customers('name: { equals: "x" }')),
    BadCall("ARGUMENT_MISSING", "(id:)", "{ customer { name } }"),
    BadCall("ARGUMENT_MISSING", "(by:)", "{ ordersGrouped { totalCount } }"),
    BadCall("ARGUMENT_MISSING", "(if:)", "{ customers { totalCount @include } }"),
    BadCall("ARGUMENT_MISSING", "'filter.attributes.path'", customers("attributes: { eq: 1 }")),
    BadCall("ARGUMENT_MISSING", "'identifier.kind'", '{ customerBy(identifier: { value: "x" }) { id } }'),
    BadCall("OPERATION_UNKNOWN", "operationName", "query A { __typename } query B { __typename }"),
    BadCall("OVERLAP_LIMIT", "response key", one(f'"{CUS}"').replace("name", "name " * 490)),
]

VALUES = [
    BadCall("VALUE_INVALID", "'id'", one("null")),
    BadCall("VALUE_INVALID", "'id'", one("1.5")),
    BadCall("VALUE_INVALID", "'first'", paged('first: "10"')),
    BadCall("VALUE_INVALID", "'first'", paged("first: 99999999999")),
    BadCall("VALUE_INVALID", "'first'", paged(f"first: {'9' * 5000}")),
    BadCall("VALUE_INVALID", "'after'", paged("after: 3")),
    BadCall("VALUE_INVALID", "'search'", counted("customers", "search: 3")),
    BadCall("VALUE_INVALID", "'if'", "{ customers { totalCount @skip(if: 1) } }"),
    BadCall("VALUE_INVALID", "'filter.name'", customers('name: "x"')),
    BadCall("VALUE_INVALID", "'filter.name.eq'", customers("name: { eq: 3 }")),
    BadCall("VALUE_INVALID", "'filter.name.in.1'", customers('name: { in: ["a", null] }')),
    BadCall("VALUE_INVALID", "'filter.stage.eq'", customers("stage: { eq: NONSENSE }")),
    BadCall("VALUE_INVALID", "'filter.stage.eq'", customers('stage: { eq: "LOYAL" }')),
    BadCall("VALUE_INVALID", "'filter.id.eq'", customers("id: { eq: true }")),
    BadCall("VALUE_INVALID", "'filter.orders.count'", customers("orders: { count: 3 }")),
    BadCall("VALUE_INVALID", "'filter.version.eq'", customers('version: { eq: "1" }')),
    BadCall("VALUE_INVALID", "'filter.version.eq'", customers("version: { eq: 1.5 }")),
    BadCall("VALUE_INVALID", "'filter.version.eq'", customers("version: { eq: 3000000000 }")),
    BadCall("VALUE_INVALID", "'filter.isPrimary.eq'", counted("contacts", 'filter: { isPrimary: { eq: "yes" } }')),
    BadCall("VALUE_INVALID", "'filter.net.eq'", orders('net: { eq: "abc" }')),
    BadCall("VALUE_INVALID", "'filter.net.eq'", orders("net: { eq: true }")),
    BadCall("VALUE_INVALID", "'filter.net.eq'", orders('net: { eq: "NaN" }')),
    BadCall("VALUE_INVALID", "'filter.net.eq'", orders("net: { eq: 1e400 }")),
    BadCall("VALUE_INVALID", "'filter.net.eq'", orders('net: { eq: "1_000" }')),
    BadCall("VALUE_INVALID", "'filter.net.eq'", orders('net: { eq: "١٢" }')),
    BadCall("VALUE_INVALID", "'filter.net.eq'", orders(f"net: {{ eq: {'9' * 5000} }}")),
    BadCall("VALUE_INVALID", "'filter.placedAt.eq'", orders('placedAt: { eq: "1998-05-06" }')),
    BadCall("VALUE_INVALID", "'filter.placedAt.eq'", orders('placedAt: { eq: "1998-02-30T00:00:00Z" }')),
    BadCall("VALUE_INVALID", "'filter.placedAt.eq'", orders('placedAt: { eq: "10000-01-01T00:00:00Z" }')),
    BadCall("VALUE_INVALID", "'filter.placedAt.eq'", orders('placedAt: { eq: "0001-01-01T00:00:00+14:00" }')),
    BadCall("VALUE_INVALID", "'filter.placedAt.eq'", orders('placedAt: { eq: "0001-01-01T00:00:00Z" }')),
    BadCall("VALUE_INVALID", "'filter.placedAt.eq'", orders('placedAt: { eq: "9999-12-31T23:59:59.999999Z" }')),
    BadCall("VALUE_INVALID", "'filter.placedAt.withinLast'", orders('placedAt: { withinLast: "30 days" }')),
    BadCall("VALUE_INVALID", "'filter.placedAt.withinLast'", orders('placedAt: { withinLast: "P1M" }')),
    BadCall("VALUE_INVALID", "'filter.placedAt.withinLast'", orders('placedAt: { withinLast: "P١D" }')),
    BadCall("VALUE_INVALID", "filter.placedAt.withinLast:", orders('placedAt: { withinLast: "P999999W" }')),
    BadCall("VALUE_INVALID", "filter.placedAt.olderThan:", orders('placedAt: { olderThan: "P999999W999999D" }')),
    BadCall(
        "VALUE_INVALID", "'filter.hiredOn.eq'", counted("staffMembers", 'filter: { hiredOn: { eq: "1998-13-01" } }')
    ),
    BadCall(
        "VALUE_INVALID", "'filter.hiredOn.eq'", counted("staffMembers", 'filter: { hiredOn: { eq: "1998-W01-1" } }')
    ),
    BadCall("VALUE_INVALID", "'filter.hiredOn.eq'", counted("staffMembers", "filter: { hiredOn: { eq: 1998 } }")),
    BadCall("VALUE_INVALID", "'filter.attributes.gt'", customers('attributes: { path: ["a"], gt: "x" }')),
    BadCall("VALUE_INVALID", "filter.attributes.eq:", json_equal("1e400")),
    BadCall("VALUE_INVALID", "filter.attributes.eq:", json_equal("9" * 5000)),
    BadCall("VALUE_INVALID", "'orderBy.field'", sorted_by("{ field: STAGE }")),
    BadCall("VALUE_INVALID", "'orderBy.direction'", sorted_by("{ field: NAME, direction: UP }")),
    BadCall("VALUE_INVALID", "'by.field'", grouped("{ field: NET }")),
    BadCall("VALUE_INVALID", "'words'", '{ interactions { nodes { excerpt(words: "x") } } }'),
    BadCall("VALUE_INVALID", "'types.0'", "{ customers { nodes { timeline(types: [NOTHING]) { totalCount } } } }"),
    BadCall("VALUE_INVALID", "'since'", '{ customers { nodes { timeline(since: "x") { totalCount } } } }'),
    BadCall("VALUE_INVALID", "'identifier.kind'", '{ customerBy(identifier: { kind: NAME, value: "x" }) { id } }'),
    BadCall("VALUE_INVALID", "'$x'", counted("customers", "search: $x", "$x: String = 3")),
    # what Postgres cannot hold
    BadCall("VALUE_INVALID", "search:", counted("customers", f"search: {NUL}")),
    BadCall("VALUE_INVALID", "search:", counted("customers", "search: $x", "$x: String"), f'{{"x": {NUL}}}'),
    BadCall("VALUE_INVALID", "filter.name.contains:", customers(f"name: {{ contains: {NUL} }}")),
    BadCall(
        "VALUE_INVALID", "filter.name.in:", customers("name: { in: $x }", "$x: [String!]"), f'{{"x": ["a", {NUL}]}}'
    ),
    BadCall("VALUE_INVALID", "filter.attributes.path:", customers(f"attributes: {{ path: {NUL}, eq: 1 }}")),
    BadCall("VALUE_INVALID", "filter.attributes.eq:", json_equal(f"{{ b: [{NUL}] }}")),
    BadCall("VALUE_INVALID", "filter.attributes.in:", customers(f'attributes: {{ path: "a", in: [{NUL}] }}')),
    BadCall(
        "VALUE_INVALID", "identifier.value:", f"{{ customerBy(identifier: {{ kind: EMAIL, value: {NUL} }}) {{ id }} }}"
    ),
    BadCall("VALUE_INVALID", "by[0].timezone:", grouped(f"{{ field: PLACED_AT, bucket: DAY, timezone: {NUL} }}")),
]

VARIABLES = [
    BadCall("VARIABLE_INVALID", "'$x'", "{ customers(first: $x) { totalCount } }"),
    BadCall("VARIABLE_INVALID", "'$x'", "query($x: Int) { customers { totalCount } }"),
    BadCall("VARIABLE_INVALID", "'$x'", counted("customers", "first: $x", "$x: Int, $x: Int")),
    BadCall("VARIABLE_INVALID", "'$x'", counted("customers", "first: $x", "$x: Customer")),
    BadCall("VARIABLE_INVALID", "'$x'", counted("customers", "first: $x", "$x: String"), '{"x": "1"}'),
    BadCall("VARIABLE_INVALID", "'$x'", one("$x").replace("{", "query($x: ID!) {", 1)),
    BadCall("VARIABLE_INVALID", "'$x'", one("$x").replace("{", "query($x: ID!) {", 1), '{"x": null}'),
    BadCall("VARIABLE_INVALID", "'$x'", one("$x").replace("{", "query($x: ID!) {", 1), '{"x": ["cus"]}'),
    BadCall("VARIABLE_INVALID", "'$x'", paged("first: $x", "$x: Int"), '{"x": "ten"}'),
    BadCall("VARIABLE_INVALID", "'$x'", paged("first: $x", "$x: Int"), '{"x": 1.5}'),
    BadCall("VARIABLE_INVALID", "'$x'", paged("first: $x", "$x: Int"), '{"x": 10000000000}'),
    BadCall("VARIABLE_INVALID", "'$x'", paged("after: $x", "$x: Cursor"), '{"x": 7}'),
    BadCall("VARIABLE_INVALID", "'$x'", customers("name: { in: $x }", "$x: [String]"), '{"x": ["a", null]}'),
    BadCall("VARIABLE_INVALID", "'$x'", customers("name: { eq: $x }", "$x: String"), '{"x": 3}'),
    BadCall("VARIABLE_INVALID", "'$x'", customers("stage: { eq: $x }", "$x: Stage"), '{"x": "NONSENSE"}'),
    BadCall("VARIABLE_INVALID", "'$x'", orders("net: { eq: $x }", "$x: Decimal"), '{"x": {"a": 1}}'),
    BadCall("VARIABLE_INVALID", "'$x'", orders("net: { eq: $x }", "$x: Decimal"), '{"x": 1e300}'),
    BadCall("VARIABLE_INVALID", "'$x'", orders("placedAt: { eq: $x }", "$x: DateTime"), '{"x": "yesterday"}'),
    BadCall("VARIABLE_INVALID", "'$x'", orders("placedAt: { olderThan: $x }", "$x: Duration"), '{"x": "P"}'),
    BadCall(
        "VARIABLE_INVALID",
        ".name.eq",
        counted("customers", "filter: $x", "$x: CustomerFilter"),
        '{"x": {"name": {"eq": 3}}}',
    ),
    BadCall(
        "VARIABLE_INVALID", "'nme'", counted("customers", "filter: $x", "$x: CustomerFilter"), '{"x": {"nme": {}}}'
    ),
    BadCall("VARIABLE_INVALID", "[1]", "query($x: [ID!]!) { nodes(ids: $x) { id } }", f'{{"x": ["{CUS}", null]}}'),
]

IDS = [
    BadCall("ID_MALFORMED", "id:", one('"x"')),
    BadCall("ID_MALFORMED", "id:", one('""')),
    BadCall("ID_MALFORMED", "id:", one("12")),
    BadCall("ID_MALFORMED", "id:", one(f'"{CUS.upper()}"')),
    BadCall("ID_MALFORMED", "id:", one(f'"{CUS[:-1]}g"')),
    BadCall("ID_MALFORMED", "id:", one(f'"{CUS[:6]}_{CUS[7:]}"')),
    BadCall("ID_MALFORMED", "id:", one('"cus_00c36468-9c00-7d7d-8745-b0e028f79e31"')),
    BadCall("ID_MALFORMED", "id:", '{ node(id: "x") { id } }'),
    BadCall("ID_MALFORMED", "ids:", f'{{ nodes(ids: ["{CUS}", "x"]) {{ id }} }}'),
    BadCall("ID_MALFORMED", "filter.id.notIn:", customers('id: { notIn: ["x"] }')),
    BadCall("ID_MALFORMED", "id:", one("$x").replace("{", "query($x: ID!) {", 1), '{"x": "nonsense"}'),
    BadCall("ID_WRONG_TYPE", "id:", one(f'"{ORD}"')),
    BadCall("ID_WRONG_TYPE", "id:", one(f'"xyz{CUS[3:]}"')),
    BadCall("ID_WRONG_TYPE", "id:", one("$x").replace("{", "query($x: ID!) {", 1), f'{{"x": "{ORD}"}}'),
    BadCall("ID_WRONG_TYPE", "id:", f'{{ node(id: "xyz{CUS[3:]}") {{ id }} }}'),
    BadCall("ID_WRONG_TYPE", "filter.id.eq:", customers(f'id: {{ eq: "{ORD}" }}')),
    BadCall(
        "ID_WRONG_TYPE", "filter.orders.some.id.in:", customers(f'orders: {{ some: {{ id: {{ in: ["{CUS}"] }} }} }}')
    ),
]

PAST = [
    BadCall("VALUE_INVALID", "'asOf'", f'{{ customer(id: "{CUS}", asOf: "yesterday") {{ id }} }}'),
    BadCall("VALUE_INVALID", "asOf:", f'{{ customer(id: "{CUS}", asOf: "9000-01-01T00:00:00Z") {{ id }} }}'),
    BadCall("AS_OF_LINK", "unit:", f'{{ customer(id: "{CUS}", asOf: "1998-01-01T00:00:00Z") {{ unit {{ id }} }} }}'),
    BadCall(
        "AS_OF_LINK", "orders:", "{ customers { nodes { history { nodes { after { orders { totalCount } } } } } } }"
    ),
    BadCall("FIELD_UNKNOWN", "fields:", '{ customers { nodes { history(fields: "nme") { totalCount } } } }'),
    BadCall("COST_LIMIT", "rows", "{ customers(first: 100) { nodes { history(first: 50) { nodes { at } } } } }"),
]

LISTS = [
    BadCall("PAGE_ARGUMENTS", "first:", paged("first: -1")),
    BadCall("PAGE_ARGUMENTS", "last:", paged("last: -5")),
    BadCall("PAGE_ARGUMENTS", "last:", paged("first: 1, last: 1")),
    BadCall("PAGE_ARGUMENTS", "first:", paged("first: $x", "$x: Int"), '{"x": -1}'),
    BadCall("PAGE_ARGUMENTS", "first:", counted("customers", "first: $x", "$x: Int"), '{"x": -1}'),
    BadCall("PAGE_ARGUMENTS", "first:", grouped("{ field: STATUS }", ", first: -1")),
    BadCall("PAGE_LIMIT", "first:", paged("first: 101")),
    BadCall("PAGE_LIMIT", "last:", paged("last: 101")),
    BadCall("PAGE_LIMIT", "first:", grouped("{ field: STATUS }", ", first: 101")),
    BadCall(
        "PAGE_LIMIT",
        "ids:",
        "query($x: [ID!]!) { nodes(ids: $x) { id } }",
        '{"x": [' + ", ".join([f'"{CUS}"'] * 101) + "]}",
    ),
    BadCall("CURSOR_MALFORMED", "after:", paged('after: "x"')),
    BadCall("CURSOR_MALFORMED", "before:", paged('before: ""')),
    BadCall("CURSOR_MALFORMED", "after:", counted("customers", 'after: "x"')),
    BadCall("CURSOR_MALFORMED", "after:", paged("after: $x", "$x: Cursor"), r'{"x": "\u0000é"}'),
    BadCall("CURSOR_MALFORMED", "after:", '{ customers { nodes { timeline(after: "x") { nodes { id } } } } }'),
    BadCall("FILTER_INVALID", "filter.name.eq:", customers("name: { eq: null }")),
    BadCall("FILTER_INVALID", "filter.name.in:", customers("name: { in: null }")),
    BadCall("FILTER_INVALID", "filter.name.eq:", customers("name: { eq: $x }", "$x: String"), '{"x": null}'),
    BadCall("FILTER_INVALID", "filter.orders.count.eq:", customers("orders: { count: { eq: null } }")),
    BadCall("FILTER_INVALID", "filter.placedAt.withinLast:", orders("placedAt: { withinLast: null }")),
    BadCall("FILTER_INVALID", "filter.attributes.eq:", json_equal("null")),
    BadCall("CURRENCY_REQUIRED", "filter.orders.sum.net:", customers("orders: { sum: { net: { gt: 1 } } }")),
    BadCall("CURRENCY_REQUIRED", "orderBy[0].orders:", sorted_by("{ orders: { by: MAX, field: NET } }")),
    BadCall("ORDER_INVALID", "orderBy[0]:", sorted_by("{}")),
    BadCall("ORDER_INVALID", "orderBy[1]:", sorted_by("[{ field: NAME }, { field: COUNTRY, orders: { by: COUNT } }]")),
    BadCall("ORDER_INVALID", "orderBy:", sorted_by("[{ field: NAME }, { field: NAME, direction: DESC }]")),
    BadCall("ORDER_INVALID", "orderBy[0].orders:", sorted_by("{ orders: { by: SUM } }")),
    BadCall("ORDER_INVALID", "orderBy[0].orders:", sorted_by("{ orders: { by: COUNT, field: NET } }")),
    BadCall("ORDER_INVALID", "orderBy[0].orders:", sorted_by("{ orders: { by: AVG, field: PLACED_AT } }")),
    BadCall("GROUP_INVALID", "by:", grouped("[]")),
    BadCall("GROUP_INVALID", "by:", grouped("[{ field: STATUS }, { field: STATUS }]")),
    BadCall("GROUP_INVALID", "by[0].bucket:", grouped("{ field: STATUS, bucket: DAY }")),
    BadCall("GROUP_INVALID", "by[0].timezone:", grouped('{ field: PLACED_AT, timezone: "UTC" }')),
    BadCall("SEARCH_EMPTY", "search:", counted("customers", 'search: ""')),
    BadCall("SEARCH_EMPTY", "search:", counted("customers", "search: $x", "$x: String"), r'{"x": " \u3000\n"}'),
    BadCall("SEARCH_TOO_LONG", "search:", counted("customers", 'search: "a b c d e f g h i"')),
    BadCall("SEARCH_TOO_LONG", "search:", counted("customers", 'search: "王小明王小明王小明"')),
    *(
        BadCall("TIMEZONE_UNKNOWN", "timezone:", grouped(f'{{ field: PLACED_AT, bucket: DAY, timezone: "{zone}" }}'))
        for zone in ("", "Mars/Olympus", "ABC5", "+99:30", "Europe", "../../etc/passwd")
    ),
]

LIMITS = [
    BadCall("DEPTH_LIMIT", "levels", f'{{ customer(id: "{CUS}") {{ {DEEP} }} }}'),
    BadCall("DEPTH_LIMIT", "brackets", json_equal("[" * 70 + "]" * 70)),
    BadCall("COST_LIMIT", "rows", "{ customers(first: 100) { nodes { orders(first: 100) { nodes { id } } } } }"),
    BadCall(
        "COST_LIMIT",
        "rows",
        paged("first: $x", "$x: Int").replace("name", "orders(first: $x) { nodes { id } }"),
        '{"x": 100}',
    ),
    BadCall("COST_LIMIT", "(first, last)", paged("first: 1000000000")),
    BadCall(
        "VALUE_INVALID",
        "filter.attributes.eq",
        customers('attributes: { path: ["a"], eq: { x: $x } }', "$x: DateTime!"),
        '{"x": "2026-01-01T00:00:00Z"}',
    ),
    BadCall("FILTER_LIMIT", "filter:", customers("not: { " * 30 + "} " * 30)),
    BadCall(
        "FILTER_LIMIT",
        "filter:",
        counted("customers", "filter: $x", "$x: CustomerFilter"),
        f'{{"x": {{"or": [{MANY}]}}}}',
    ),
    BadCall(
        "VARIABLE_LIMIT",
        "variables",
        customers("and: $x", "$x: [CustomerFilter!]"),
        f'{{"x": [{", ".join([MANY] * 30)}]}}',
    ),
    BadCall("ALIAS_LIMIT", "aliases", "{ customers { " + " ".join(f"a{n}: totalCount" for n in range(101)) + " } }"),
    BadCall("FIELD_LIMIT", "fields", "{ customers { " + "totalCount " * 501 + "} }"),
    BadCall("TOKEN_LIMIT", "tokens", "{ customers { " + "totalCount " * 2_000 + "} }"),
    BadCall("TOKEN_LIMIT", "characters", "{ customers { totalCount } }" + " " * 65_536),
    BadCall("ROOT_FIELD_LIMIT", "root fields", "{ " + " ".join(f"a{n}: __typename" for n in range(21)) + " }"),
    BadCall("DIRECTIVE_LIMIT", "directives", "{ customers { " + "totalCount @skip(if: false) " * 11 + "} }"),
    BadCall("ALIAS_TOO_LONG", "'aaaaaaaaaaaaaaaaaaaa…'", f"{{ customers {{ {LONG}: totalCount }} }}"),
]

BAD_CALLS: list[Any] = [*DOCUMENTS, *VALUES, *VARIABLES, *IDS, *PAST, *LISTS, *LIMITS]
