"""Loads the sample configuration of the work module through the graph, as a key of its own that nobody holds."""

from datetime import datetime

import orjson

from hub.app import build_graphql_engine
from hub.db.pool import Connection, Pool
from hub.demo.work import SampleMutation, mutations, references, resolved
from hub.domain.access import api_keys
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.errors import HubError, Misconfigured
from hub.settings import Settings
from hub.timer_loop import open_clock
from hub.viewer import ADMIN, Role, Viewer

KEY_NAME = "work sample"  # of the key whose rights the sample's reports have
_FIND_KEY = "select public_id from api_keys where name = $1 and revoked_at is null order by id limit 1"
_FIND_IDS = {
    "$staff": "select 'stf_' || replace(id::text, '-', '') from staff where number = $1",
    "$unit": "select 'unt_' || replace(id::text, '-', '') from org_units where code = $1",
}


async def load_work_sample(settings: Settings, pool: Pool) -> None:
    """Loads the sample into a migrated database with Northwind. A second load changes nothing.

    Raises HubError, naming the mutation, for input that the database's rows do not fit."""
    clock = await open_clock(settings, pool)
    engine, _, _ = await build_graphql_engine(settings, pool, pool, clock=clock)
    viewer = await _viewer(pool, await clock.time_source.read())
    for mutation in mutations():
        await _run(engine, pool, viewer, mutation)


async def _viewer(pool: Pool, now: datetime) -> Viewer:
    """The viewer of the sample's key, which is made once; its text is stored nowhere."""
    async with pool.transaction() as tx:
        public_id = await tx.fetchval(_FIND_KEY, KEY_NAME)
        if public_id is None:
            await api_keys.create(tx, ADMIN, api_keys.NewKey(KEY_NAME, Role.ADMIN), now)
            public_id = await tx.fetchval(_FIND_KEY, KEY_NAME)
        stored_key = await api_keys.find_key(tx, public_id)
    assert stored_key is not None
    return stored_key.viewer


async def _run(engine: Engine, pool: Pool, viewer: Viewer, mutation: SampleMutation) -> None:
    async with pool.connection() as connection:
        ids = {reference: await _find_id(connection, *reference) for reference in references(mutation.input)}
    variables = {"input": resolved(mutation.input, lambda name, text: ids[name, text])}
    response = orjson.loads((await engine.execute(GraphQLRequest(mutation.document, variables, None), viewer)).body)
    for error in response.get("errors") or ():
        message = f"The work sample cannot be loaded: {mutation.name}: {error['message']}"
        raise HubError(message, code=error["extensions"]["code"])


async def _find_id(connection: Connection, name: str, text: str) -> str:
    public_id: str | None = await connection.fetchval(_FIND_IDS[name], text)
    if public_id is None:
        message = f"The work sample needs Northwind: there is no {name[1:]} {text!r}. Load it into a new database."
        raise Misconfigured(message, code="DATABASE_UNFIT")
    return public_id
