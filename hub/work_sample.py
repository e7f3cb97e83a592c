"""Loads the sample configuration of the work module through the graph, as a key of its own that nobody holds."""

from datetime import datetime
from typing import Any

import orjson

from hub.app import build_graphql_engine
from hub.db.pool import Pool
from hub.demo.work import SampleMutation, mutations, references, resolved
from hub.domain.access import api_keys
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.errors import HubError, Misconfigured
from hub.settings import Settings
from hub.timer_loop import open_clock
from hub.viewer import ADMIN, Role, Viewer

KEY_NAME = "work sample"  # of the key whose rights the sample's reports have
_FIND_IDS = {
    "$staff": "query ($text: String!) { rows: staffMembers(filter: {number: {eq: $text}}) { nodes { id } } }",
    "$unit": "query ($text: String!) { rows: orgUnits(filter: {code: {eq: $text}}) { nodes { id } } }",
}


async def load_work_sample(settings: Settings, pool: Pool) -> None:
    """Loads the sample into a migrated database with Northwind. A second load changes nothing.

    Raises HubError, naming the mutation, for input that the database's rows do not fit."""
    clock = await open_clock(settings, pool)
    engine, _, _ = await build_graphql_engine(settings, pool, pool, clock=clock)
    viewer = await _viewer(pool, await clock.time_source.read())
    for mutation in mutations():
        await _run(engine, viewer, mutation)


async def _viewer(pool: Pool, now: datetime) -> Viewer:
    """The viewer of the sample's key, which is made once; its text is stored nowhere."""
    async with pool.transaction() as tx:
        stored = next((key for key in await api_keys.list_keys(tx, ADMIN) if _is_own(key, now)), None)
        if stored is None:
            text = await api_keys.create(tx, ADMIN, api_keys.NewKey(KEY_NAME, Role.ADMIN), now)
            stored = await api_keys.find_key(tx, str(api_keys.extract_public_id(text)))
    assert stored is not None
    return stored.viewer


def _is_own(key: api_keys.StoredKey, now: datetime) -> bool:
    return key.name == KEY_NAME and key.state(now) == "living"


async def _run(engine: Engine, viewer: Viewer, mutation: SampleMutation) -> None:
    ids = {reference: await _find_id(engine, viewer, *reference) for reference in references(mutation.input)}
    variables = {"input": resolved(mutation.input, lambda name, text: ids[name, text])}
    try:
        await _execute(engine, viewer, mutation.document, variables)
    except HubError as error:
        message = f"The work sample cannot be loaded: {mutation.name}: {error.message}"
        raise HubError(message, code=error.code) from None


async def _execute(engine: Engine, viewer: Viewer, document: str, variables: dict[str, Any]) -> Any:
    """The data of an operation; raises its first error."""
    response = orjson.loads((await engine.execute(GraphQLRequest(document, variables, None), viewer)).body)
    for error in response.get("errors") or ():
        raise HubError(error["message"], code=error["extensions"]["code"])
    return response["data"]


async def _find_id(engine: Engine, viewer: Viewer, name: str, text: str) -> str:
    nodes = (await _execute(engine, viewer, _FIND_IDS[name], {"text": text}))["rows"]["nodes"]
    if not nodes:
        message = f"The work sample needs Northwind: there is no {name[1:]} {text!r}. Load it into a new database."
        raise Misconfigured(message, code="DATABASE_UNFIT")
    return str(nodes[0]["id"])
