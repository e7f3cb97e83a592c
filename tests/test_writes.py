"""Mutations through the front door."""

from conftest import asking

CREATE = """mutation ($input: CustomerCreateInput!, $key: String) {
    customerCreate(input: $input, idempotencyKey: $key) { customer { id name version tier unit { code } } }
}"""


async def test_a_customer_is_made(northwind: str) -> None:
    async with asking(northwind) as ask:
        units = await ask("{ orgUnits(first: 1) { nodes { id code } } }")
        unit = units["orgUnits"]["nodes"][0]
        given = {"kind": "PERSON", "name": "Ada", "unitId": unit["id"], "status": "ACTIVE", "stage": "PROSPECT", "tier": "GOLD"}
        made = (await ask(CREATE, {"input": given, "key": "a"}))["customerCreate"]["customer"]
        assert made == {"id": made["id"], "name": "Ada", "version": 1, "tier": "GOLD", "unit": {"code": unit["code"]}}
        again = (await ask(CREATE, {"input": given, "key": "a"}))["customerCreate"]["customer"]
        assert again == made
        found = await ask('mutation { customersUpdate(input: {rows: [{id: "%s", name: "Bea"}, {id: "%s", name: ""}], errorPolicy: REJECT_FAILED_ROWS}) { succeeded failed results { __typename customer { name version } e: error { code message argument } } } customerDelete(input: {id: "%s"}) { deletedId } }' % (made["id"], made["id"], made["id"]))
        print(found)
        assert 0
