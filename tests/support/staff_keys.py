"""People of a small organisation, with keys of their own, for tests of who may do what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from writer_client import HubClient, open_hub_client

from hub.domain.access import api_keys
from hub.settings import Settings
from hub.viewer import ADMIN

START = datetime(2026, 3, 2, 1, tzinfo=UTC)  # a Monday, 09:00 in China
UNITS = """
insert into org_units (code, name, kind, path, parent_id) values ('BANK', 'Bank', 'GROUP', 'BANK', null);
insert into org_units (code, name, kind, path, parent_id)
select 'LINHAI', 'Linhai', 'BRANCH', 'BANK.LINHAI', id from org_units where code = 'BANK';
insert into org_units (code, name, kind, path, parent_id)
select 'JUNAN', 'Junan', 'BRANCH', 'BANK.JUNAN', id from org_units where code = 'BANK';
"""
APPOINT = "mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id } } }"
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { now } }"


@dataclass(frozen=True, slots=True)
class StaffKey:
    """A member of staff, and an API key of that person."""

    key: str
    staff_id: str
    unit_id: str

    @property
    def uuid(self) -> UUID:
        """The person's key in the database."""
        return UUID(self.staff_id[4:])


@dataclass(slots=True)
class Organisation:
    """A hub with a test clock, on a bank of one group and two branches."""

    client: HubClient
    connection: asyncpg.Connection

    async def hire(self, name: str, unit: str = "LINHAI", role: str = "manager") -> StaffKey:
        """A new member of staff of the unit, with a key that is bound to it."""
        unit_id = await self.connection.fetchval("select id from org_units where code = $1", unit)
        insert = "insert into staff (number, name, unit_id) values ($1, $1, $2) returning id"
        staff_id = await self.connection.fetchval(insert, name, unit_id)
        key = await self.issue_key(staff_id, role, unit_id)
        return StaffKey(key, f"stf_{staff_id.hex}", f"unt_{unit_id.hex}")

    async def issue_key(self, staff_id: UUID | None, role: str = "manager", unit_id: UUID | None = None) -> str:
        """Another key: of a person or of none, bound to a unit or to nothing."""
        new_key = api_keys.NewKey(name="work", role=role, unit_id=unit_id, staff_id=staff_id)
        return await api_keys.create(self.connection, ADMIN, new_key, now=START)

    async def appoint(self, person: StaffKey, role: str = "HEAD") -> None:
        """Gives the person a role of its unit from now on."""
        columns = {"staffId": person.staff_id, "unitId": person.unit_id, "role": role}
        await self.client.query(APPOINT, {"input": columns})

    async def advance(self, moment: str) -> None:
        """Moves the test clock on to a moment."""
        await self.client.query(ADVANCE, {"to": moment})


@asynccontextmanager
async def open_organisation(dsn: str, settings: Settings | None = None) -> AsyncIterator[Organisation]:
    """Opens a hub on an empty migrated database, with units and a test clock at START."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(UNITS)
        chosen = settings or Settings(clock="test", clock_start=START, key_cache_ttl=0)
        async with open_hub_client(dsn, chosen) as client:
            yield Organisation(client, connection)
    finally:
        await connection.close()
