"""Writes of customers: identification of what is good, merged attributes, refused nulls, large upserts, a customer's own key."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from conftest import CreateDatabase, create_api_key
from writer_client import HubClient, open_hub_client

from hub.settings import Settings
from hub.viewer import Role

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id attributes } } }"
UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { attributes version } } }"
UPSERT = "mutation ($input: CustomerUpsertInput!) { customerUpsert(input: $input) { created customer { attributes } } }"
IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) { outcome reasons customer {
    id name country language currency attributes identifiers { nodes { kind value normalized } }
} } }"""
BY = "query ($identifier: CustomerByIdentifier!) { customerBy(identifier: $identifier) { name } }"


@pytest.fixture(scope="module")
async def northwind_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    """A client of a hub on a Northwind of the module's own, which has time for 500 rows on a busy machine."""
    async with open_hub_client(await create_database("northwind"), Settings(request_timeout=120)) as hub_client:
        yield hub_client


async def create(northwind_client: HubClient, **values: Any) -> Any:
    row = {"kind": "PERSON", "name": "Ada", **values}
    return (await northwind_client.query(CREATE, {"input": row}))["customerCreate"]["customer"]


def observed(*identifiers: tuple[str, str], **traits: Any) -> dict[str, Any]:
    inputs = [{"kind": identifier_kind, "value": value} for identifier_kind, value in identifiers]
    return {"input": {"source": "shop", "identifiers": inputs, **({"traits": traits} if traits else {})}}


# -- identification of what is good -------------------------------------------------------------------------------------


async def test_v10_national_numbers_are_read_in_the_country(northwind_client: HubClient) -> None:
    variables = observed(("EMAIL", "v10@home.org"), ("PHONE", "030 123456"), name="Vera", country="de", language="de")
    answer = (await northwind_client.query(IDENTIFY, variables))["identify"]
    assert (answer["outcome"], answer["reasons"]) == ("CREATED", [])
    customer = answer["customer"]
    assert (customer["name"], customer["country"], customer["language"]) == ("Vera", "DE", "de")
    by_kind = {node["kind"]: node["normalized"] for node in customer["identifiers"]["nodes"]}
    assert by_kind == {"EMAIL": "v10@home.org", "PHONE": "4930123456"}
    again = (await northwind_client.query(IDENTIFY, observed(("PHONE", "+49 30 123456"))))["identify"]
    assert (again["outcome"], again["customer"]["id"]) == ("MATCHED", customer["id"])


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    ("number", "bad_identifiers", "bad_traits", "reason"),
    [
        (1, [("PHONE", "030 123456")], {}, "PHONE 030 123456 was not taken: '030 123456' is no telephone number"),
        (2, [("PHONE", "12")], {"country": "DE"}, "PHONE 12 was not taken: '12' is no telephone number"),
        (3, [("EXTERNAL_ID", "null")], {}, "EXTERNAL_ID null was not taken: 'null' is a placeholder"),
        (4, [("EMAIL", "nobody")], {}, "EMAIL nobody was not taken: 'nobody' is no e-mail address"),
        (5, [], {"country": ""}, "traits.country was not taken: "),
        (6, [], {"country": "Germany"}, "traits.country was not taken: 'Germany' is no ISO 3166-1 country"),
        (7, [], {"language": "xx-Hans-!"}, "traits.language was not taken: "),
        (8, [], {"currency": "EURO"}, "traits.currency was not taken: 'EURO' is no ISO 4217 currency"),
        (9, [], {"name": "x" * 201}, "traits.name was not taken: give one line of at most 200 characters"),
        (10, [], {"attributes": {"t": "x" * 17_000}}, "traits.attributes was not taken: free facts take at most"),
        (11, [], {"attributes": [1]}, "traits.attributes was not taken: free facts are a JSON object"),
    ],
)
async def test_v10_the_good_parts_are_recorded(
    northwind_client: HubClient,
    number: int,
    bad_identifiers: list[tuple[str, str]],
    bad_traits: dict[str, Any],
    reason: str,
    is_known: bool,
) -> None:
    email = ("EMAIL", f"good{number}{is_known}@home.org")
    if is_known:
        await northwind_client.query(IDENTIFY, observed(email))
    good = {"name": "Gil", "currency": "EUR", "attributes": {"floor": 3}}
    variables = observed(*bad_identifiers, email, **{**good, **bad_traits})
    answer = (await northwind_client.query(IDENTIFY, variables))["identify"]
    customer = answer["customer"]
    assert answer["outcome"] == ("MATCHED" if is_known else "CREATED")
    (refusal,) = (text for text in answer["reasons"] if "was not taken" in text)
    assert refusal.startswith(reason)
    assert [node["value"] for node in customer["identifiers"]["nodes"]] == [email[1]]
    assert customer["name"] == (email[1] if "name" in bad_traits else "Gil")
    assert customer["currency"] == (None if "currency" in bad_traits else "EUR")
    assert customer["attributes"] == ({} if "attributes" in bad_traits else {"floor": 3})


async def test_v10_nothing_good_is_refused(northwind_client: HubClient) -> None:
    variables = observed(("PHONE", "030 123456"), ("EXTERNAL_ID", "null"), country="QQ")
    error = await northwind_client.error(IDENTIFY, variables)
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.identifiers[0].value")


@pytest.mark.parametrize("identifier_kind", ["EXTERNAL_ID", "DEVICE_ID", "ANONYMOUS_ID"])
async def test_v3_a_key_of_two_systems_needs_its_source(northwind_client: HubClient, identifier_kind: str) -> None:
    value = f"V3-{identifier_kind}"
    for source in ("erp", "shop"):
        await create(
            northwind_client, name=source, identifiers=[{"kind": identifier_kind, "value": value, "source": source}]
        )
    identifier = {"kind": identifier_kind, "value": value}
    error = await northwind_client.error(BY, {"identifier": identifier})
    assert (error["code"], error["argument"]) == ("ARGUMENT_MISSING", "identifier.source")
    for source in ("erp", "shop"):
        answer = await northwind_client.query(BY, {"identifier": {**identifier, "source": source}})
        assert answer == {"customerBy": {"name": source}}
    assert await northwind_client.query(BY, {"identifier": {**identifier, "source": "crm"}}) == {"customerBy": None}


async def test_v3_a_key_of_one_customer_needs_no_source(northwind_client: HubClient) -> None:
    twice = [{"kind": "EXTERNAL_ID", "value": "V3-one", "source": source} for source in ("erp", "shop")]
    await create(northwind_client, name="One", identifiers=twice)
    emails = [{"kind": "EMAIL", "value": "v3@home.org", "source": source} for source in ("erp", "shop")]
    for name, email in zip(("Old", "New"), emails, strict=True):
        await create(northwind_client, name=name, identifiers=[email])
    for identifier_kind, value, name in (("EXTERNAL_ID", "V3-one", "One"), ("EMAIL", "v3@home.org", "Old")):
        answer = await northwind_client.query(BY, {"identifier": {"kind": identifier_kind, "value": value}})
        assert answer == {"customerBy": {"name": name}}


async def test_v3_a_hidden_customer_makes_no_value_ambiguous(northwind_client: HubClient) -> None:
    query = "{ orgUnits(filter: {kind: {eq: OUTLET}}, first: 2) { nodes { id } } }"
    units = [node["id"] for node in (await northwind_client.query(query))["orgUnits"]["nodes"]]
    identifier = {"kind": "EXTERNAL_ID", "value": "V3-units"}
    for unit in units:
        await create(northwind_client, name=unit, unitId=unit, identifiers=[{**identifier, "source": unit}])
    assert (await northwind_client.error(BY, {"identifier": identifier}))["code"] == "ARGUMENT_MISSING"
    for unit in units:
        key = await create_api_key(northwind_client.dsn, Role.READER, unit_id=UUID(unit[4:]))
        assert await northwind_client.query(BY, {"identifier": identifier}, key=key) == {"customerBy": {"name": unit}}


# -- attributes and nulls -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "merged"),
    [
        ({"b": 2}, {"a": 1, "deep": {"x": 1}, "b": 2}),
        ({"a": None}, {"deep": {"x": 1}}),
        ({"deep": {"y": 2}}, {"a": 1, "deep": {"y": 2}}),
        ({"deep": {"y": None}}, {"a": 1, "deep": {"y": None}}),
        ({"a": [None], "none": None}, {"a": [None], "deep": {"x": 1}}),
        ({}, {"a": 1, "deep": {"x": 1}}),
        ({"a": None, "deep": None}, {}),
    ],
)
@pytest.mark.parametrize("is_upsert", [False, True])
async def test_v17_attributes_are_merged_by_key(
    northwind_client: HubClient, change: dict[str, Any], merged: dict[str, Any], is_upsert: bool
) -> None:
    customer = await create(northwind_client, attributes={"a": 1, "deep": {"x": 1}, "gone": None})
    assert customer["attributes"] == {"a": 1, "deep": {"x": 1}}
    if is_upsert:
        values = {"input": {"by": {"id": customer["id"]}, "attributes": change}}
        answer = (await northwind_client.query(UPSERT, values))["customerUpsert"]["customer"]
    else:
        values = {"input": {"id": customer["id"], "attributes": change}}
        answer = (await northwind_client.query(UPDATE, values))["customerUpdate"]["customer"]
    assert answer["attributes"] == merged


async def test_v17_merging_is_documented_and_versioned(northwind_client: HubClient) -> None:
    inputs = '{ __type(name: "CustomerUpdateInput") { inputFields { name description } } }'
    fields = (await northwind_client.query(inputs))["__type"]["inputFields"]
    (text,) = (field["description"] for field in fields if field["name"] == "attributes")
    assert "Merged by top-level key" in text
    customer = await create(northwind_client, attributes={"a": 1})
    same = {"input": {"id": customer["id"], "attributes": {"a": 1}}}
    assert (await northwind_client.query(UPDATE, same))["customerUpdate"]["customer"]["version"] == 1
    for wrong in ([1], "x", None):
        error = await northwind_client.error(UPDATE, {"input": {"id": customer["id"], "attributes": wrong}})
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.attributes")


NULLS = """{ __schema { mutationType { fields { name args {
    name type { ofType { name inputFields { name type { kind } } } }
} } } } }"""


async def _filled(northwind_client: HubClient) -> dict[str, Any]:
    """Arguments that make each single create valid, so that one null is the only fault."""
    query = """{ customers(first: 1) { nodes { id } } orgUnits(first: 1) { nodes { id } } products(first: 1) { nodes { id } }
        orders(first: 1) { nodes { id } } contacts(first: 1) { nodes { id } } }"""
    data = await northwind_client.query(query)
    ids = {name: rows["nodes"][0]["id"] for name, rows in data.items()}
    customer, unit = {"customerId": ids["customers"]}, {"unitId": ids["orgUnits"]}
    return {
        "customer": {"kind": "PERSON", "name": "Nil", **unit},
        "contact": {"name": "Nil", **customer},
        "contactPoint": {"contactId": ids["contacts"], "kind": "EMAIL", "value": "nil@home.org"},
        "address": {**customer, "kind": "MAIN", "street": "1", "city": "Ulm"},
        "identifier": {**customer, "kind": "LOYALTY_ID", "value": "nil", "source": "till"},
        "product": {"sku": "nil", "name": "N", "category": "N", "unitPrice": "1", "currency": "EUR"},
        "staff": {"number": "nil", "name": "Nil", **unit},
        "order": {**customer, "number": "nil", "currency": "EUR"},
        "orderItem": {"orderId": ids["orders"], "productId": ids["products"], "quantity": 1, "unitPrice": "1"},
    }


@pytest.mark.parametrize("operation", ["Create", "Update", "Upsert"])
async def test_d11_a_null_is_stored_or_refused_with_its_argument(northwind_client: HubClient, operation: str) -> None:
    schema = (await northwind_client.query(NULLS))["__schema"]["mutationType"]["fields"]
    roots = {field["name"]: field["args"][0]["type"]["ofType"] for field in schema}
    tried = 0
    for entity, values in (await _filled(northwind_client)).items():
        name = f"{entity}{operation}"
        if name not in roots:
            continue
        if operation == "Update":
            listed = "staffMembers" if entity == "staff" else f"{entity}es" if entity == "address" else f"{entity}s"
            rows = (await northwind_client.query(f"{{ {listed}(first: 1) {{ nodes {{ id }} }} }}"))[listed]["nodes"]
            if not rows:
                continue
            values = {"id": rows[0]["id"]}
        elif operation == "Upsert":
            key = {"customer": "external", "product": "sku"}.get(entity, "number")
            sought = {"source": "erp", "externalId": "D11"} if key == "external" else values[key]
            values = {**values, "by": {key: sought}}
        for field in roots[name]["inputFields"]:
            if field["type"]["kind"] == "NON_NULL":
                continue
            tried += 1
            document = f"mutation ($input: {roots[name]['name']}!) {{ {name}(input: $input) {{ __typename }} }}"
            answer = await northwind_client.execute(document, {"input": {**values, field["name"]: None}})
            for error in answer.get("errors", ()):
                extensions = error["extensions"]
                assert extensions["code"] in ("ARGUMENT_MISSING", "VALUE_INVALID", "ALREADY_EXISTS"), (
                    name,
                    field,
                    error,
                )
                assert extensions["argument"].startswith("input."), (name, field, error)
                if extensions["code"] != "ALREADY_EXISTS":
                    assert extensions["argument"] == f"input.{field['name']}", (name, field, error)
    assert tried > 20


@pytest.mark.parametrize(
    ("values", "code", "argument"),
    [
        ({"status": None}, "ARGUMENT_MISSING", "status"),
        ({"tier": None}, "ARGUMENT_MISSING", "tier"),
        ({"stage": None}, "ARGUMENT_MISSING", "stage"),
        ({"attributes": None}, "VALUE_INVALID", "attributes"),
        (
            {"identifiers": [{"kind": "LOYALTY_ID", "value": "1", "source": "x", "verified": None}]},
            "VALUE_INVALID",
            "identifiers[0].verified",
        ),
    ],
)
async def test_d11_a_null_for_a_default_is_refused(
    northwind_client: HubClient, values: dict[str, Any], code: str, argument: str
) -> None:
    error = await northwind_client.error(CREATE, {"input": {"kind": "PERSON", "name": "Nil", **values}})
    assert (error["code"], error["argument"]) == (code, f"input.{argument}")


# -- decisions, large upserts, a customer's own key -----------------------------------------------------------------------


async def test_d12_a_decision_says_that_nothing_is_merged(northwind_client: HubClient) -> None:
    for source in ("shop", "helpdesk"):
        variables = observed(("EMAIL", "twin@home.org"))
        variables["input"]["source"] = source
        await northwind_client.query(IDENTIFY, variables)
    reviews = "{ identityReviews(first: 1) { nodes { id effect } } }"
    (review,) = (await northwind_client.query(reviews))["identityReviews"]["nodes"]
    document = """mutation ($id: ID!) { identityReviewUpdate(input: {id: $id, status: SAME}) {
        identityReview { id } customer { id formerIds reviews { totalCount } } merge { survivorId mergedId }
    } }"""
    answer = (await northwind_client.query(document, {"id": review["id"]}))["identityReviewUpdate"]
    customer, merge = answer["customer"], answer["merge"]
    assert answer["identityReview"] is None
    assert customer == {"id": merge["survivorId"], "formerIds": [merge["mergedId"]], "reviews": {"totalCount": 0}}


async def test_d13_five_hundred_upserts_have_four_identifiers(northwind_client: HubClient) -> None:
    document = """mutation ($input: CustomersUpsertInput!) { customersUpsert(input: $input) {
        succeeded failed results { created }
    } }"""
    kinds = ("EMAIL", "LOYALTY_ID", "TAX_ID", "DEVICE_ID")
    rows = [
        {
            "by": {"external": {"source": "erp", "externalId": f"D13-{index}"}},
            "kind": "PERSON",
            "name": f"Customer {index}",
            "identifiers": [
                {
                    "kind": identifier_kind,
                    "value": f"d13.{index}@home.org"
                    if identifier_kind == "EMAIL"
                    else f"D13 {identifier_kind} {index}",
                    "source": "erp",
                }
                for identifier_kind in kinds
            ],
        }
        for index in range(500)
    ]
    for created, some_rows in ((True, rows), (False, rows[:20])):
        answer = (await northwind_client.query(document, {"input": {"rows": some_rows}}))["customersUpsert"]
        assert (answer["succeeded"], answer["failed"]) == (len(some_rows), 0)
        assert {result["created"] for result in answer["results"]} == {created}
    count = 'query { identifiers(filter: {source: {eq: "erp"}, normalized: {startsWith: "D13"}}) { totalCount } }'
    assert (await northwind_client.query(count))["identifiers"]["totalCount"] == 500 * (4 + 1)
    moved = [{**rows[7], "identifiers": [{"kind": "EMAIL", "value": "moved@home.org", "source": "erp"}]}]
    error = await northwind_client.error(document, {"input": {"rows": rows[:7] + moved}})
    assert (error["code"], error["argument"]) == ("BULK_REJECTED", "input.rows[7].identifiers[0]")


OWN = [
    ("contactCreate", "contact", {"name": "Own"}),
    ("addressCreate", "address", {"kind": "MAIN", "street": "1", "city": "Ulm"}),
    ("consentSet", "consent", {"purpose": "news", "status": "GRANTED", "source": "app"}),
    ("interactionRecord", "interaction", {"channel": "APP", "direction": "INBOUND", "kind": "page.seen"}),
]


@pytest.mark.parametrize(("root", "field", "values"), OWN)
async def test_a_customer_s_own_key_may_leave_its_customer_out(
    northwind_client: HubClient, root: str, field: str, values: dict[str, Any]
) -> None:
    own, other = (await create(northwind_client))["id"], (await create(northwind_client))["id"]
    key = await create_api_key(northwind_client.dsn, Role.WRITER, customer_id=UUID(own[4:]))
    input_name = root[0].upper() + root[1:]
    document = (
        f"mutation ($input: {input_name}Input!) {{ {root}(input: $input) {{ {field} {{ customer {{ id }} }} }} }}"
    )
    for customer in ({}, {"customerId": own}, {"customerId": None}):
        answer = await northwind_client.query(document, {"input": {**values, **customer}}, key=key)
        assert answer[root][field]["customer"]["id"] == own
    for stranger in (other, "cus_" + "0" * 32):
        error = await northwind_client.error(document, {"input": {**values, "customerId": stranger}}, key=key)
        assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.customerId")
    error = await northwind_client.error(document, {"input": values})
    assert (error["code"], error["argument"]) == ("ARGUMENT_MISSING", "input.customerId")
    bulk = {"contactCreate": "contactsCreate", "addressCreate": "addressesCreate"}.get(
        root, root.replace("Set", "sSet")
    )
    bulk = "interactionsRecord" if root == "interactionRecord" else "consentsSet" if root == "consentSet" else bulk
    rows = f"mutation ($input: {bulk[0].upper() + bulk[1:]}Input!) {{ {bulk}(input: $input) {{ succeeded }} }}"
    again = {**values, **({"street": "2"} if field == "address" else {})}
    answer = await northwind_client.query(rows, {"input": {"rows": [again, {**again, "customerId": own}]}}, key=key)
    assert answer[bulk] == {"succeeded": 2}
