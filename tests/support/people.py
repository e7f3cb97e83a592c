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
