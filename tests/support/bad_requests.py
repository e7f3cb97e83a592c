"""Requests with one fault each, by error code: the document, a part of the message, the variables."""

from typing import Any, NamedTuple

CUS = "cus_00c364689c007d7d8745b0e028f79e31"
ORD = "ord_00d03f2840007c19b627248d7d19e02b"


class BadRequest(NamedTuple):
    """A request, the code of its only error, and a part of the message that names the fault."""

    code: str
    message_part: str
    query: str
    variables: str | None = None  # as JSON text, because no JSON library writes some of it


def count_query(root: str, argument: str, declarations: str = "") -> str:
    """Returns a query for the row count of a root with an argument, and variables if there are declarations."""
    return f"{f'query({declarations}) ' if declarations else ''}{{ {root}({argument}) {{ totalCount }} }}"


def customers_where(condition: str, declarations: str = "") -> str:
    return count_query("customers", f"filter: {{ {condition} }}", declarations)


def orders_where(condition: str, declarations: str = "") -> str:
    return count_query("orders", f"filter: {{ {condition} }}", declarations)


def customers_sorted_by(order: str) -> str:
    return count_query("customers", f"orderBy: {order}")


def orders_grouped(by: str, more: str = "") -> str:
    return count_query("ordersGrouped", f"by: {by}{more}")


def json_equal(value: str) -> str:
    return customers_where(f'attributes: {{ path: ["a"], eq: {value} }}')


def customer_by_id(id: str) -> str:
    return f"{{ customer(id: {id}) {{ name }} }}"


def customers_page(arguments: str, declarations: str = "") -> str:
    return f"query{f'({declarations})' if declarations else ''} {{ customers({arguments}) {{ nodes {{ name }} }} }}"


NUL = r'"a\u0000"'
DEEP = "unit { " + "parent { " * 15 + "name" + " }" * 16
LONG = "a" * 64
MANY = ", ".join(["{}"] * 999)

DOCUMENTS = [
    BadRequest("GRAPHQL_SYNTAX", "<EOF>", "{ customers { "),
    BadRequest("GRAPHQL_SYNTAX", r"\uD800", count_query("customers", r'search: "\uD800"')),
    BadRequest("GRAPHQL_INVALID", "'Missing'", "{ ...Missing }"),
    BadRequest("GRAPHQL_INVALID", "'customers'", "{ customers }"),
    BadRequest("GRAPHQL_INVALID", "'totalCount'", "{ customers { totalCount { x } } }"),
    BadRequest("GRAPHQL_INVALID", "'@nonsense'", "{ customers { totalCount @nonsense } }"),
    BadRequest("GRAPHQL_INVALID", "'first'", count_query("customers", "first: 1, first: 2")),
    BadRequest("GRAPHQL_INVALID", "'Nothing'", count_query("customers", "first: $x", "$x: Nothing")),
    BadRequest("GRAPHQL_INVALID", "'Order'", "{ customers { nodes { ... on Order { id } } } }"),
    BadRequest("GRAPHQL_INVALID", "Fields 'a' conflict", "{ a: customers { totalCount } a: orders { totalCount } }"),
    BadRequest("FIELD_UNKNOWN", "'customerForget'", "mutation { customerForget { id } }"),
    BadRequest("ARGUMENT_MISSING", "customerUpsert(input:)", "mutation { customerUpsert { created } }"),
    BadRequest("GRAPHQL_INVALID", "Unused", "fragment Unused on Customer { id } { customers { totalCount } }"),
    BadRequest("FIELD_UNKNOWN", "'nme'", "{ customers { nodes { nme } } }"),
    BadRequest("FIELD_UNKNOWN", "'nothing'", "{ __schema { nothing } }"),
    BadRequest("ARGUMENT_UNKNOWN", "'name'", f'{{ customer(id: "{CUS}", name: "x") {{ id }} }}'),
    BadRequest("ARGUMENT_UNKNOWN", "'filter.nme'", customers_where('nme: { eq: "x" }')),
    BadRequest("ARGUMENT_UNKNOWN", "'filter.name.equals'", customers_where('name: { equals: "x" }')),
    BadRequest("ARGUMENT_MISSING", "(id:)", "{ customer { name } }"),
    BadRequest("ARGUMENT_MISSING", "(by:)", "{ ordersGrouped { totalCount } }"),
    BadRequest("ARGUMENT_MISSING", "(if:)", "{ customers { totalCount @include } }"),
    BadRequest("ARGUMENT_MISSING", "'filter.attributes.path'", customers_where("attributes: { eq: 1 }")),
    BadRequest("ARGUMENT_MISSING", "'identifier.kind'", '{ customerBy(identifier: { value: "x" }) { id } }'),
    BadRequest("OPERATION_UNKNOWN", "operationName", "query A { __typename } query B { __typename }"),
    BadRequest("OVERLAP_LIMIT", "response key", customer_by_id(f'"{CUS}"').replace("name", "name " * 490)),
]

VALUES = [
    BadRequest("VALUE_INVALID", "'id'", customer_by_id("null")),
    BadRequest("VALUE_INVALID", "'id'", customer_by_id("1.5")),
    BadRequest("VALUE_INVALID", "'first'", customers_page('first: "10"')),
    BadRequest("VALUE_INVALID", "'first'", customers_page("first: 99999999999")),
    BadRequest("VALUE_INVALID", "'first'", customers_page(f"first: {'9' * 5000}")),
    BadRequest("VALUE_INVALID", "'after'", customers_page("after: 3")),
    BadRequest("VALUE_INVALID", "'search'", count_query("customers", "search: 3")),
    BadRequest("VALUE_INVALID", "'if'", "{ customers { totalCount @skip(if: 1) } }"),
    BadRequest("VALUE_INVALID", "'filter.name'", customers_where('name: "x"')),
    BadRequest("VALUE_INVALID", "'filter.name.eq'", customers_where("name: { eq: 3 }")),
    BadRequest("VALUE_INVALID", "'filter.name.in[1]'", customers_where('name: { in: ["a", null] }')),
    BadRequest("VALUE_INVALID", "'filter.stage.eq'", customers_where("stage: { eq: NONSENSE }")),
    BadRequest("VALUE_INVALID", "'filter.stage.eq'", customers_where('stage: { eq: "LOYAL" }')),
    BadRequest("VALUE_INVALID", "'filter.id.eq'", customers_where("id: { eq: true }")),
    BadRequest("VALUE_INVALID", "'filter.orders.count'", customers_where("orders: { count: 3 }")),
    BadRequest("VALUE_INVALID", "'filter.version.eq'", customers_where('version: { eq: "1" }')),
    BadRequest("VALUE_INVALID", "'filter.version.eq'", customers_where("version: { eq: 1.5 }")),
    BadRequest("VALUE_INVALID", "'filter.version.eq'", customers_where("version: { eq: 3000000000 }")),
    BadRequest(
        "VALUE_INVALID", "'filter.isPrimary.eq'", count_query("contacts", 'filter: { isPrimary: { eq: "yes" } }')
    ),
    BadRequest("VALUE_INVALID", "'filter.net.eq'", orders_where('net: { eq: "abc" }')),
    BadRequest("VALUE_INVALID", "'filter.net.eq'", orders_where("net: { eq: true }")),
    BadRequest("VALUE_INVALID", "'filter.net.eq'", orders_where('net: { eq: "NaN" }')),
    BadRequest("VALUE_INVALID", "'filter.net.eq'", orders_where("net: { eq: 1e400 }")),
    BadRequest("VALUE_INVALID", "'filter.net.eq'", orders_where('net: { eq: "1_000" }')),
    BadRequest("VALUE_INVALID", "'filter.net.eq'", orders_where('net: { eq: "١٢" }')),
    BadRequest("VALUE_INVALID", "'filter.net.eq'", orders_where(f"net: {{ eq: {'9' * 5000} }}")),
    BadRequest("VALUE_INVALID", "'filter.placedAt.eq'", orders_where('placedAt: { eq: "1998-05-06" }')),
    BadRequest("VALUE_INVALID", "'filter.placedAt.eq'", orders_where('placedAt: { eq: "1998-02-30T00:00:00Z" }')),
    BadRequest("VALUE_INVALID", "'filter.placedAt.eq'", orders_where('placedAt: { eq: "10000-01-01T00:00:00Z" }')),
    BadRequest("VALUE_INVALID", "'filter.placedAt.eq'", orders_where('placedAt: { eq: "0001-01-01T00:00:00+14:00" }')),
    BadRequest("VALUE_INVALID", "'filter.placedAt.eq'", orders_where('placedAt: { eq: "0001-01-01T00:00:00Z" }')),
    BadRequest(
        "VALUE_INVALID", "'filter.placedAt.eq'", orders_where('placedAt: { eq: "9999-12-31T23:59:59.999999Z" }')
    ),
    BadRequest("VALUE_INVALID", "'filter.placedAt.withinLast'", orders_where('placedAt: { withinLast: "30 days" }')),
    BadRequest("VALUE_INVALID", "'filter.placedAt.withinLast'", orders_where('placedAt: { withinLast: "P1M" }')),
    BadRequest("VALUE_INVALID", "'filter.placedAt.withinLast'", orders_where('placedAt: { withinLast: "P١D" }')),
    BadRequest("VALUE_INVALID", "filter.placedAt.withinLast:", orders_where('placedAt: { withinLast: "P999999W" }')),
    BadRequest(
        "VALUE_INVALID", "filter.placedAt.olderThan:", orders_where('placedAt: { olderThan: "P999999W999999D" }')
    ),
    BadRequest(
        "VALUE_INVALID", "'filter.hiredOn.eq'", count_query("staffMembers", 'filter: { hiredOn: { eq: "1998-13-01" } }')
    ),
    BadRequest(
        "VALUE_INVALID", "'filter.hiredOn.eq'", count_query("staffMembers", 'filter: { hiredOn: { eq: "1998-W01-1" } }')
    ),
    BadRequest(
        "VALUE_INVALID", "'filter.hiredOn.eq'", count_query("staffMembers", "filter: { hiredOn: { eq: 1998 } }")
    ),
    BadRequest("VALUE_INVALID", "'filter.attributes.gt'", customers_where('attributes: { path: ["a"], gt: "x" }')),
    BadRequest("VALUE_INVALID", "filter.attributes.eq:", json_equal("1e400")),
    BadRequest("VALUE_INVALID", "filter.attributes.eq:", json_equal("9" * 5000)),
    BadRequest("VALUE_INVALID", "'orderBy.field'", customers_sorted_by("{ field: STAGE }")),
    BadRequest("VALUE_INVALID", "'orderBy.direction'", customers_sorted_by("{ field: NAME, direction: UP }")),
    BadRequest("VALUE_INVALID", "'by.field'", orders_grouped("{ field: NET }")),
    BadRequest("VALUE_INVALID", "'words'", '{ interactions { nodes { excerpt(words: "x") } } }'),
    BadRequest("VALUE_INVALID", "'types[0]'", "{ customers { nodes { timeline(types: [NOTHING]) { totalCount } } } }"),
    BadRequest("VALUE_INVALID", "'since'", '{ customers { nodes { timeline(since: "x") { totalCount } } } }'),
    BadRequest("VALUE_INVALID", "'identifier.kind'", '{ customerBy(identifier: { kind: NAME, value: "x" }) { id } }'),
    BadRequest("VALUE_INVALID", "'$x'", count_query("customers", "search: $x", "$x: String = 3")),
    # outside the range of Postgres
    BadRequest("VALUE_INVALID", "search:", count_query("customers", f"search: {NUL}")),
    BadRequest("VALUE_INVALID", "search:", count_query("customers", "search: $x", "$x: String"), f'{{"x": {NUL}}}'),
    BadRequest("VALUE_INVALID", "filter.name.contains:", customers_where(f"name: {{ contains: {NUL} }}")),
    BadRequest(
        "VALUE_INVALID",
        "filter.name.in:",
        customers_where("name: { in: $x }", "$x: [String!]"),
        f'{{"x": ["a", {NUL}]}}',
    ),
    BadRequest("VALUE_INVALID", "filter.attributes.path:", customers_where(f"attributes: {{ path: {NUL}, eq: 1 }}")),
    BadRequest("VALUE_INVALID", "filter.attributes.eq:", json_equal(f"{{ b: [{NUL}] }}")),
    BadRequest("VALUE_INVALID", "filter.attributes.in:", customers_where(f'attributes: {{ path: "a", in: [{NUL}] }}')),
    BadRequest(
        "VALUE_INVALID", "identifier.value:", f"{{ customerBy(identifier: {{ kind: EMAIL, value: {NUL} }}) {{ id }} }}"
    ),
    BadRequest(
        "VALUE_INVALID", "by[0].timezone:", orders_grouped(f"{{ field: PLACED_AT, bucket: DAY, timezone: {NUL} }}")
    ),
]

VARIABLES = [
    BadRequest("VARIABLE_INVALID", "'$x'", "{ customers(first: $x) { totalCount } }"),
    BadRequest("VARIABLE_INVALID", "'$x'", "query($x: Int) { customers { totalCount } }"),
    BadRequest("VARIABLE_INVALID", "'$x'", count_query("customers", "first: $x", "$x: Int, $x: Int")),
    BadRequest("VARIABLE_INVALID", "'$x'", count_query("customers", "first: $x", "$x: Customer")),
    BadRequest("VARIABLE_INVALID", "'$x'", count_query("customers", "first: $x", "$x: String"), '{"x": "1"}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customer_by_id("$x").replace("{", "query($x: ID!) {", 1)),
    BadRequest("VARIABLE_INVALID", "'$x'", customer_by_id("$x").replace("{", "query($x: ID!) {", 1), '{"x": null}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customer_by_id("$x").replace("{", "query($x: ID!) {", 1), '{"x": ["cus"]}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customers_page("first: $x", "$x: Int"), '{"x": "ten"}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customers_page("first: $x", "$x: Int"), '{"x": 1.5}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customers_page("first: $x", "$x: Int"), '{"x": 10000000000}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customers_page("after: $x", "$x: Cursor"), '{"x": 7}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customers_where("name: { in: $x }", "$x: [String]"), '{"x": ["a", null]}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customers_where("name: { eq: $x }", "$x: String"), '{"x": 3}'),
    BadRequest("VARIABLE_INVALID", "'$x'", customers_where("stage: { eq: $x }", "$x: Stage"), '{"x": "NONSENSE"}'),
    BadRequest("VARIABLE_INVALID", "'$x'", orders_where("net: { eq: $x }", "$x: Decimal"), '{"x": {"a": 1}}'),
    BadRequest("VARIABLE_INVALID", "'$x'", orders_where("net: { eq: $x }", "$x: Decimal"), '{"x": 1e300}'),
    BadRequest("VARIABLE_INVALID", "'$x'", orders_where("placedAt: { eq: $x }", "$x: DateTime"), '{"x": "yesterday"}'),
    BadRequest("VARIABLE_INVALID", "'$x'", orders_where("placedAt: { olderThan: $x }", "$x: Duration"), '{"x": "P"}'),
    BadRequest(
        "VARIABLE_INVALID",
        ".name.eq",
        count_query("customers", "filter: $x", "$x: CustomerFilter"),
        '{"x": {"name": {"eq": 3}}}',
    ),
    BadRequest(
        "VARIABLE_INVALID", "'nme'", count_query("customers", "filter: $x", "$x: CustomerFilter"), '{"x": {"nme": {}}}'
    ),
    BadRequest("VARIABLE_INVALID", "[1]", "query($x: [ID!]!) { nodes(ids: $x) { id } }", f'{{"x": ["{CUS}", null]}}'),
]

IDS = [
    BadRequest("ID_MALFORMED", "id:", customer_by_id('"x"')),
    BadRequest("ID_MALFORMED", "id:", customer_by_id('""')),
    BadRequest("ID_MALFORMED", "id:", customer_by_id("12")),
    BadRequest("ID_MALFORMED", "id:", customer_by_id(f'"{CUS.upper()}"')),
    BadRequest("ID_MALFORMED", "id:", customer_by_id(f'"{CUS[:-1]}g"')),
    BadRequest("ID_MALFORMED", "id:", customer_by_id(f'"{CUS[:6]}_{CUS[7:]}"')),
    BadRequest("ID_MALFORMED", "id:", customer_by_id('"cus_00c36468-9c00-7d7d-8745-b0e028f79e31"')),
    BadRequest("ID_MALFORMED", "id:", '{ node(id: "x") { id } }'),
    BadRequest("ID_MALFORMED", "ids:", f'{{ nodes(ids: ["{CUS}", "x"]) {{ id }} }}'),
    BadRequest("ID_MALFORMED", "filter.id.notIn:", customers_where('id: { notIn: ["x"] }')),
    BadRequest("ID_MALFORMED", "id:", customer_by_id("$x").replace("{", "query($x: ID!) {", 1), '{"x": "nonsense"}'),
    BadRequest("PERSON_NEEDED", "ME is the Staff", customers_where('owner: { id: { eq: "ME" } }')),
    BadRequest("ID_WRONG_TYPE", "id:", customer_by_id(f'"{ORD}"')),
    BadRequest("ID_WRONG_TYPE", "id:", customer_by_id(f'"xyz{CUS[3:]}"')),
    BadRequest("ID_WRONG_TYPE", "id:", customer_by_id("$x").replace("{", "query($x: ID!) {", 1), f'{{"x": "{ORD}"}}'),
    BadRequest("ID_WRONG_TYPE", "id:", f'{{ node(id: "xyz{CUS[3:]}") {{ id }} }}'),
    BadRequest("ID_WRONG_TYPE", "filter.id.eq:", customers_where(f'id: {{ eq: "{ORD}" }}')),
    BadRequest(
        "ID_WRONG_TYPE",
        "filter.orders.some.id.in:",
        customers_where(f'orders: {{ some: {{ id: {{ in: ["{CUS}"] }} }} }}'),
    ),
]

HISTORY = [
    BadRequest("VALUE_INVALID", "'asOf'", f'{{ customer(id: "{CUS}", asOf: "yesterday") {{ id }} }}'),
    BadRequest("VALUE_INVALID", "asOf:", f'{{ customer(id: "{CUS}", asOf: "9000-01-01T00:00:00Z") {{ id }} }}'),
    BadRequest("AS_OF_EXPIRED", "asOf:", f'{{ customer(id: "{CUS}", asOf: "1998-01-01T00:00:00Z") {{ id }} }}'),
    BadRequest("AS_OF_EXPIRED", "at:", f'{{ nodeAsOf(id: "{CUS}", at: "1998-01-01T00:00:00Z") {{ id }} }}'),
    BadRequest("AS_OF_LINK", "unit:", f'{{ customer(id: "{CUS}", asOf: "1998-01-01T00:00:00Z") {{ unit {{ id }} }} }}'),
    BadRequest(
        "AS_OF_LINK", "orders:", "{ customers { nodes { history { nodes { after { orders { totalCount } } } } } } }"
    ),
    BadRequest("FIELD_UNKNOWN", "fields:", '{ customers { nodes { history(fields: "nme") { totalCount } } } }'),
    BadRequest("COST_LIMIT", "rows", "{ customers(first: 100) { nodes { history(first: 50) { nodes { at } } } } }"),
]

LISTS = [
    BadRequest("PAGE_ARGUMENTS", "first:", customers_page("first: -1")),
    BadRequest("PAGE_ARGUMENTS", "last:", customers_page("last: -5")),
    BadRequest("PAGE_ARGUMENTS", "last:", customers_page("first: 1, last: 1")),
    BadRequest("PAGE_ARGUMENTS", "first:", customers_page("first: $x", "$x: Int"), '{"x": -1}'),
    BadRequest("PAGE_ARGUMENTS", "first:", count_query("customers", "first: $x", "$x: Int"), '{"x": -1}'),
    BadRequest("PAGE_ARGUMENTS", "first:", orders_grouped("{ field: STATUS }", ", first: -1")),
    BadRequest("PAGE_LIMIT", "first:", customers_page("first: 101")),
    BadRequest("PAGE_LIMIT", "last:", customers_page("last: 101")),
    BadRequest("PAGE_LIMIT", "first:", orders_grouped("{ field: STATUS }", ", first: 101")),
    BadRequest(
        "PAGE_LIMIT",
        "ids:",
        "query($x: [ID!]!) { nodes(ids: $x) { id } }",
        '{"x": [' + ", ".join([f'"{CUS}"'] * 101) + "]}",
    ),
    BadRequest("CURSOR_MALFORMED", "after:", customers_page('after: "x"')),
    BadRequest("CURSOR_MALFORMED", "before:", customers_page('before: ""')),
    BadRequest("CURSOR_MALFORMED", "after:", count_query("customers", 'after: "x"')),
    BadRequest("CURSOR_MALFORMED", "after:", customers_page("after: $x", "$x: Cursor"), r'{"x": "\u0000é"}'),
    BadRequest("CURSOR_MALFORMED", "after:", '{ customers { nodes { timeline(after: "x") { nodes { id } } } } }'),
    BadRequest("FILTER_INVALID", "filter.name.eq:", customers_where("name: { eq: null }")),
    BadRequest("FILTER_INVALID", "filter.name:", customers_where("name: { eq: $x }", "$x: String")),
    BadRequest("FILTER_INVALID", "filter.name.in:", customers_where("name: { in: null }")),
    BadRequest("FILTER_INVALID", "filter.name.eq:", customers_where("name: { eq: $x }", "$x: String"), '{"x": null}'),
    BadRequest("FILTER_INVALID", "filter.orders.count.eq:", customers_where("orders: { count: { eq: null } }")),
    BadRequest("FILTER_INVALID", "filter.placedAt.withinLast:", orders_where("placedAt: { withinLast: null }")),
    BadRequest("FILTER_INVALID", "filter.attributes.eq:", json_equal("null")),
    BadRequest("CURRENCY_REQUIRED", "filter.orders.sum.net:", customers_where("orders: { sum: { net: { gt: 1 } } }")),
    BadRequest("CURRENCY_REQUIRED", "orderBy[0].orders:", customers_sorted_by("{ orders: { by: MAX, field: NET } }")),
    BadRequest("ORDER_INVALID", "orderBy[0]:", customers_sorted_by("{}")),
    BadRequest(
        "ORDER_INVALID",
        "orderBy[1]:",
        customers_sorted_by("[{ field: NAME }, { field: COUNTRY, orders: { by: COUNT } }]"),
    ),
    BadRequest("ORDER_INVALID", "orderBy:", customers_sorted_by("[{ field: NAME }, { field: NAME, direction: DESC }]")),
    BadRequest("ORDER_INVALID", "orderBy[0].orders:", customers_sorted_by("{ orders: { by: SUM } }")),
    BadRequest("ORDER_INVALID", "orderBy[0].orders:", customers_sorted_by("{ orders: { by: COUNT, field: NET } }")),
    BadRequest("ORDER_INVALID", "orderBy[0].orders:", customers_sorted_by("{ orders: { by: AVG, field: PLACED_AT } }")),
    BadRequest("GROUP_INVALID", "by:", orders_grouped("[]")),
    BadRequest("GROUP_INVALID", "by:", orders_grouped("[{ field: STATUS }, { field: STATUS }]")),
    BadRequest("GROUP_INVALID", "by[0].bucket:", orders_grouped("{ field: STATUS, bucket: DAY }")),
    BadRequest("GROUP_INVALID", "by[0].timezone:", orders_grouped('{ field: PLACED_AT, timezone: "UTC" }')),
    BadRequest("SEARCH_EMPTY", "search:", count_query("customers", 'search: ""')),
    BadRequest("SEARCH_EMPTY", "search:", count_query("customers", "search: $x", "$x: String"), r'{"x": " \u3000\n"}'),
    BadRequest("SEARCH_TOO_LONG", "search:", count_query("customers", 'search: "a b c d e f g h i"')),
    BadRequest("SEARCH_TOO_LONG", "search:", count_query("customers", 'search: "王小明王小明王小明"')),
    *(
        BadRequest(
            "TIMEZONE_UNKNOWN", "timezone:", orders_grouped(f'{{ field: PLACED_AT, bucket: DAY, timezone: "{zone}" }}')
        )
        for zone in ("", "Mars/Olympus", "ABC5", "+99:30", "Europe", "../../etc/passwd")
    ),
]

LIMITS = [
    BadRequest("DEPTH_LIMIT", "levels", f'{{ customer(id: "{CUS}") {{ {DEEP} }} }}'),
    BadRequest("DEPTH_LIMIT", "brackets", json_equal("[" * 70 + "]" * 70)),
    BadRequest("COST_LIMIT", "rows", "{ customers(first: 100) { nodes { orders(first: 100) { nodes { id } } } } }"),
    BadRequest(
        "COST_LIMIT",
        "rows",
        customers_page("first: $x", "$x: Int").replace("name", "orders(first: $x) { nodes { id } }"),
        '{"x": 100}',
    ),
    BadRequest("COST_LIMIT", "(first, last)", customers_page("first: 1000000000")),
    BadRequest(
        "VALUE_INVALID",
        "filter.attributes.eq",
        customers_where('attributes: { path: ["a"], eq: { x: $x } }', "$x: DateTime!"),
        '{"x": "2026-01-01T00:00:00Z"}',
    ),
    BadRequest("FILTER_LIMIT", "filter:", customers_where("not: { " * 30 + "} " * 30)),
    BadRequest(
        "FILTER_LIMIT",
        "filter:",
        count_query("customers", "filter: $x", "$x: CustomerFilter"),
        f'{{"x": {{"or": [{MANY}]}}}}',
    ),
    BadRequest(
        "VARIABLE_LIMIT",
        "variables",
        customers_where("and: $x", "$x: [CustomerFilter!]"),
        f'{{"x": [{", ".join([MANY] * 30)}]}}',
    ),
    BadRequest("ALIAS_LIMIT", "aliases", "{ customers { " + " ".join(f"a{n}: totalCount" for n in range(101)) + " } }"),
    BadRequest("FIELD_LIMIT", "fields", "{ customers { " + "totalCount " * 501 + "} }"),
    BadRequest("TOKEN_LIMIT", "tokens", "{ customers { " + "totalCount " * 2_000 + "} }"),
    BadRequest("TOKEN_LIMIT", "characters", "{ customers { totalCount } }" + " " * 65_536),
    BadRequest("ROOT_FIELD_LIMIT", "root fields", "{ " + " ".join(f"a{n}: __typename" for n in range(21)) + " }"),
    BadRequest("DIRECTIVE_LIMIT", "directives", "{ customers { " + "totalCount @skip(if: false) " * 101 + "} }"),
    BadRequest("ALIAS_TOO_LONG", "'aaaaaaaaaaaaaaaaaaaa…'", f"{{ customers {{ {LONG}: totalCount }} }}"),
]

BAD_REQUESTS: list[Any] = [*DOCUMENTS, *VALUES, *VARIABLES, *IDS, *HISTORY, *LISTS, *LIMITS]
