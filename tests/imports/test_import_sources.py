"""Imports beside other sources: a policy that believes another one changes nothing, and an undo takes back what was said."""

import asyncpg
from imports_client import run_import, undo_import
from writer_client import HubClient

MAPPING = """
source = "{source}"

[[rows]]
entity = "Customer"
match = "identifiers"
identifiers = [{{ kind = "EMAIL", column = "mail", source = "{source}", verified = true }}]
fields.name = "name"
fields.language = "language"
"""
HEADER = "mail,name,language\n"
TRUST = (
    "insert into survivorship_policies (field, criteria, trusted_sources) values ('name', '{SOURCE_TRUST}', '{crm}')"
)
SAID = """
select s.source, f.key, f.value ->> 0 as value from source_records as s join customers as c on c.id = s.customer_id
cross join jsonb_each(s.facts) as f where c.name like 'Ada %' order by 1, 2
"""


async def test_a_source_that_a_policy_overrules_updates_nothing_and_is_taken_back(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    crm, shop = (MAPPING.format(source=source) for source in ("crm", "shop"))
    await run_import(northwind_client, crm, HEADER + "ada@shop-online.net,Ada King,en\n")
    await connection.execute(TRUST)
    try:
        line = HEADER + "ada@shop-online.net,Ada Byron,fr\n"
        job = await run_import(northwind_client, shop, line)
        assert job["counts"]["Customer.updated"] == 1
        again = await run_import(northwind_client, shop, line)
        assert again["counts"] == {"Customer.unchanged": 1}
        facts = [tuple(row) for row in await connection.fetch(SAID)]
        assert facts == [
            ("crm", "language", "en"),
            ("crm", "name", "Ada King"),
            ("shop", "language", "fr"),
            ("shop", "name", "Ada Byron"),
        ]
    finally:
        await connection.execute("delete from survivorship_policies")
    changed = await run_import(northwind_client, shop, HEADER + "ada@shop-online.net,Ada Lovelace,de\n")
    undone = await undo_import(northwind_client, changed["id"])
    assert undone["counts"] == {"restored": 1}
    facts = [tuple(row) for row in await connection.fetch(SAID)]
    assert facts == [("crm", "language", "en"), ("crm", "name", "Ada King")]
    assert await connection.fetchval("select language from customers where name = 'Ada King'") == "fr"
