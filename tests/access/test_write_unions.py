"""Several roles write what each of them lets be written, in its own rows: fields of one do not reach the rows of another."""

from dataclasses import dataclass
from typing import Any

import pytest
from test_role_writes import ASSIGN, CREATE, UPDATE, UPSERT, key_id, role_key
from writer_client import HubClient

ASSIGN_ROLE = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"
IDS = """{ de: customers(first: 1, filter: {country: {eq: "DE"}}) { nodes { id } }
    fr: customers(first: 1, filter: {country: {eq: "FR"}}) { nodes { id } } unit: orgUnits(first: 1) { nodes { id } } }"""
RECORD = """mutation ($input: InteractionRecordInput!) {
    interactionRecord(input: $input) { interaction { id subject } } }"""
VERBS = ["READ", "CREATE", "UPDATE"]


@dataclass(frozen=True)
class TwoRoles:
    """A key with two roles: one writes languages of all customers, the other names of Germans. Ids of two customers."""

    key: str
    german: str
    french: str


@pytest.fixture(scope="module")
async def two_roles(northwind_client: HubClient) -> TwoRoles:
    everywhere = {"entity": "Customer", "verbs": VERBS, "writable": ["language"]}
    german = {"entity": "Customer", "verbs": VERBS, "rowFilter": {"country": {"eq": "DE"}}}
    german |= {"writable": ["name", "country", "language"]}
    await role_key(northwind_client, "languages", everywhere, {"entity": "OrgUnit", "verbs": ["READ"]})
    key = await role_key(northwind_client, "germans", german)
    ids = await northwind_client.query(IDS)
    await northwind_client.query(
        ASSIGN_ROLE, {"input": {"role": "languages", "keyId": await key_id(northwind_client, key)}}
    )
    return TwoRoles(key, ids["de"]["nodes"][0]["id"], ids["fr"]["nodes"][0]["id"])


async def refusal(client: HubClient, two_roles: TwoRoles, document: str, **value: Any) -> tuple[str, str | None]:
    """Code and argument of the only error."""
    error = await client.error(document, {"input": value}, key=two_roles.key)
    return error["code"], error.get("argument")


async def test_a_field_is_written_in_the_rows_of_the_role_that_lets_it(
    northwind_client: HubClient, two_roles: TwoRoles
) -> None:
    french, german = {"id": two_roles.french}, {"id": two_roles.german}
    for document, of_french, of_german in (
        (UPDATE, french, german),
        (UPSERT, {"by": french}, {"by": german}),
    ):
        await northwind_client.query(document, {"input": {**of_french, "language": "fr"}}, key=two_roles.key)
        both = {**of_german, "language": "de", "name": "Neu"}
        await northwind_client.query(document, {"input": both}, key=two_roles.key)
        refused = await refusal(northwind_client, two_roles, document, **of_french, name="Nouveau")
        assert refused == ("FORBIDDEN", "input.name")
    names = f'{{ customer(id: "{two_roles.french}") {{ name language }} }}'
    customer = (await northwind_client.query(names))["customer"]
    assert (customer["name"] == "Nouveau", customer["language"]) == (False, "fr")


async def test_a_written_row_stays_where_its_fields_may_be_written(
    northwind_client: HubClient, two_roles: TwoRoles
) -> None:
    """The other role would read and write the new row too, but not this field of it."""
    refused = await refusal(northwind_client, two_roles, UPDATE, id=two_roles.german, country="FR")
    assert refused == ("FORBIDDEN", "input.country")


async def test_a_new_row_has_the_fields_of_a_role_that_grants_it(
    northwind_client: HubClient, two_roles: TwoRoles
) -> None:
    await northwind_client.query(CREATE, {"input": {"name": "Neu", "country": "DE"}}, key=two_roles.key)
    assert await refusal(northwind_client, two_roles, CREATE, name="Nouveau", country="FR") == (
        "FORBIDDEN",
        "input.name",
    )


async def test_a_command_writes_the_fields_that_the_role_lets_it(
    northwind_client: HubClient, two_roles: TwoRoles
) -> None:
    unit = (await northwind_client.query(IDS))["unit"]["nodes"][0]["id"]
    rules = [{"entity": "Customer", "verbs": VERBS, "writable": ["name"]}, {"entity": "OrgUnit", "verbs": ["READ"]}]
    rules.append({"entity": "Interaction", "verbs": ["READ", "CREATE"], "writable": ["channel", "direction", "kind"]})
    key = await role_key(northwind_client, "names", *rules)
    error = await northwind_client.error(ASSIGN, {"input": {"id": two_roles.german, "unitId": unit}}, key=key)
    assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.unitId")
    call = {"customerId": two_roles.german, "channel": "PHONE", "direction": "INBOUND", "kind": "call.taken"}
    await northwind_client.query(RECORD, {"input": call}, key=key)
    error = await northwind_client.error(RECORD, {"input": {**call, "subject": "Prices"}}, key=key)
    assert (error["code"], error["argument"]) == ("FORBIDDEN", "input.subject")


# Commands: a role's rule, the input, and the argument that the role lets nobody write.
LIMITED_COMMANDS = {
    "consentSet": ("Consent", ["purpose", "source"], "input.status"),
    "scoreRecord": ("Score", ["model", "value"], "input.band"),
    "orgUnitMove": ("OrgUnit", ["name"], "input.parentId"),
}


@pytest.mark.parametrize("command", LIMITED_COMMANDS)
async def test_every_command_writes_only_the_fields_that_the_role_lets_it(
    northwind_client: HubClient, two_roles: TwoRoles, command: str
) -> None:
    entity, writable, argument = LIMITED_COMMANDS[command]
    units = "{ orgUnits(first: 1, filter: {parent: {version: {gte: 1}}}) { nodes { id parent { id } } } }"
    (unit,) = (await northwind_client.query(units))["orgUnits"]["nodes"]
    inputs: dict[str, dict[str, Any]] = {
        "consentSet": {
            "customerId": two_roles.german,
            "purpose": "news",
            "source": "shop",
            "status": "GRANTED",
        },
        "scoreRecord": {"customerId": two_roles.german, "model": "churn", "value": "1", "band": "high"},
        "orgUnitMove": {"id": unit["id"], "parentId": unit["parent"]["id"]},
    }
    rule = {"entity": entity, "verbs": VERBS, "writable": writable}
    key = await role_key(northwind_client, f"runs-{command.lower()}", rule, {"entity": "Customer", "verbs": ["READ"]})
    input_type = f"{command[0].upper()}{command[1:]}Input"
    document = f"mutation ($input: {input_type}!) {{ {command}(input: $input) {{ __typename }} }}"
    error = await northwind_client.error(document, {"input": inputs[command]}, key=key)
    assert (error["code"], error["argument"]) == ("FORBIDDEN", argument)
