"""Keys of members of staff of Northwind, who act as themselves."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from writer_client import HubClient

from hub.domain.access import api_keys
from hub.viewer import ADMIN


@dataclass(frozen=True, slots=True)
class ActingPerson:
    """A member of staff: the public id, the code of the unit, and a key that is bound to the unit."""

    id: str
    number: str
    unit: str
    key: str


async def person_of(client: HubClient, number: str, role: str = "writer", *, bound: bool = True) -> ActingPerson:
    """A new key of the member of staff with this personnel number; it leaves no entry in the change log."""
    connection = await asyncpg.connect(client.dsn, server_settings={"hub.capture": "off"})
    try:
        row = await connection.fetchrow(
            "select s.id, u.code from staff as s join org_units as u on u.id = s.unit_id where number = $1", number
        )
        assert row is not None
        staff_id: UUID = row["id"]
        new_key = api_keys.NewKey(name=f"person {number}", role=role, staff_id=staff_id, follows_unit=bound)
        key = await api_keys.create(connection, ADMIN, new_key, now=datetime.now(UTC))
        return ActingPerson(f"stf_{staff_id.hex}", number, row["code"], key)
    finally:
        await connection.close()


async def people_who_do_not_see(client: HubClient, customer: str, role: str = "reader") -> list[ActingPerson]:
    """Members of staff of other units, of whom none sees the customer."""
    numbers = (await client.query("{ staffMembers(first: 100) { nodes { number } } }"))["staffMembers"]["nodes"]
    people = [await person_of(client, node["number"], role) for node in numbers]
    query = "query ($id: ID!) { customer(id: $id) { id } }"
    answers = [await client.query(query, {"id": customer}, key=person.key) for person in people]
    return [person for person, answer in zip(people, answers, strict=True) if answer["customer"] is None]
