"""An import of a shop's customers, contacts and orders: mapping, header, a file with faults, and digests of the tables."""

import asyncpg

MAPPING = """
[[rows]]
entity = "Customer"
match = "identifiers"
identifiers = [
    { kind = "EXTERNAL_ID", column = "number", source = "shop", verified = true },
    { kind = "EMAIL", column = "mail", source = "shop" },
]
fields.name = "name"
fields.country = { column = "country", values = { Germany = "DE", France = "FR" } }
fields.kind = { value = "ORGANISATION" }

[[rows]]
entity = "Contact"
match = "name"
when = "person"
fields.name = "person"
fields.title = "title"

[[rows]]
entity = "Order"
match = "number"
when = "order"
fields.number = "order"
fields.currency = { value = "EUR" }
fields.net = { column = "net", decimal = "," }
fields.placedAt = { column = "day", format = "%d.%m.%Y" }
"""
HEADER = "number,mail,name,country,person,title,order,net,day\n"
FILE = (
    HEADER
    + 'A1,ada@shop-online.net,Ada,Germany,Eve,Boss,O-1,"1.234,50",31.12.2025\n'
    + "A2,bob@shop-online.net,Bob,France,,,,,\n"
    + "A1,ada@shop-online.net,Ada,Germany,Eve,Boss,O-2,5,01.01.2026\n"
    + "A3,carl@shop-online.net,,Germany,,,,,\n"
    + "A4,dora@shop-online.net,Dora,Spain,,,,,\n"
    + "A5,not an address,Emil,France,,,,,\n"
)
ROWS = """
select md5(string_agg(r::text, '|' order by r::text)) from (
    select to_jsonb(t) - 'version' - 'updated_at' as r from {} as t
) as rows
"""
TABLES = ("customers", "identifiers", "contacts", "contact_points", "addresses", "orders", "order_items")


async def digests(connection: asyncpg.Connection) -> dict[str, str]:
    """The contents of the tables, but for versions and the times of edits."""
    return {table: await connection.fetchval(ROWS.format(table)) for table in TABLES}
