"""Training by itself and by hand: versions of the parameters that follow the customers, without anybody's labels."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from change_workload import wait_until
from command_line import RunCommand
from conftest import CreateDatabase
from matching_hub import START, MatchingHub, open_matching_hub, pair

from hub.db.pool import Pool
from hub.domain.matching.comparisons import EQUAL, MatchField
from hub.domain.matching.customer_records import read_records
from hub.domain.matching.model_store import current_scorer
from hub.domain.matching.self_training import collect_sample, train_if_grown
from hub.domain.matching.training import SAMPLE, collect
from hub.settings import Settings

IS_BUILT = "select not rebuilding from projections where name = 'match_candidates'"
GROWN = """update match_models set parameters = parameters || '{"customers": 1}', trained_at = now()"""
FAMILY_NAMES = """Adler Brandt Conrad Dorn Ebert Falk Grothe Hahn Igel Jahnke Kessler Lang Moser Nolte Oppermann Pfeiffer
    Quast Ritter Sommer Thiele Ulrich Vollrath Wagner Xanten Yps Zander Bischof Krug Munk Wolff"""
FAMILIES = FAMILY_NAMES.split()
PAIRS = len(FAMILIES)


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[MatchingHub]:
    """A hub with customers who are recorded twice, with one e-mail address."""
    async with open_matching_hub(await create_database("migrated")) as matching_hub:
        for number, name in enumerate(FAMILIES):
            email = f"{name.lower()}@{name.lower()}-online.net"
            await pair(matching_hub, name, email=email, bornOn=f"{1950 + number}-{number % 12 + 1:02d}-11")
        await matching_hub.refresh()
        yield matching_hub


@pytest.fixture
async def connection(hub: MatchingHub) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(hub.client.dsn)
    yield connection
    await connection.close()


async def test_the_sample_of_the_database_is_that_of_the_records(
    hub: MatchingHub, connection: asyncpg.Connection
) -> None:
    keys = [row["id"] for row in await connection.fetch("select id from customers order by id")]
    records = await read_records(connection, keys)
    sample, in_memory = await collect_sample(connection, SAMPLE), collect([records[key] for key in keys])
    assert (sample.customers, sample.sampled, sample.partners) == (2 * PAIRS, 2 * PAIRS, 1.0)
    assert (sample.blocks, sample.terms, sample.partners) == (in_memory.blocks, in_memory.terms, in_memory.partners)


async def test_a_hub_that_has_grown_trains_itself(hub: MatchingHub, connection: asyncpg.Connection) -> None:
    async def is_built() -> bool:
        return bool(await connection.fetchval(IS_BUILT))

    pool = Pool(hub.client.dsn, Settings())
    await wait_until(is_built)
    await connection.execute("analyze customers")
    before = (await current_scorer(connection)).model
    assert not await train_if_grown(pool, START)  # so few customers say nothing
    assert await train_if_grown(pool, START, least=2)
    after = (await current_scorer(connection)).model
    assert (after.version, after.customers) == (before.version + 1, 2 * PAIRS)
    assert after.prior > before.prior
    assert after.same[MatchField.EMAIL][EQUAL] > before.same[MatchField.EMAIL][EQUAL]
    await wait_until(is_built)  # all candidates are scored anew
    assert not await train_if_grown(pool, START, least=2)
    await connection.execute(GROWN)
    assert await train_if_grown(pool, START, least=2)
    assert (await current_scorer(connection)).model.same == after.same
    assert await connection.fetchval(IS_BUILT)  # no weight has moved
    await pool.close()


async def test_training_is_a_version_that_scores_all_anew(hub: MatchingHub, run_command: RunCommand) -> None:
    first, _ = await pair(hub, "Uhlenbrock")
    (before,) = await hub.candidates(first)
    code, output, errors = await run_command("match", "train", HUB_DATABASE_URL=hub.client.dsn)
    assert (code, errors) == (0, "")
    version = before["modelVersion"] + 1
    assert output.startswith(f"version {version}, learned from {2 * PAIRS + 2} of {2 * PAIRS + 2} customers;")

    async def is_scored_anew() -> bool:
        (candidate,) = await hub.candidates(first)
        return bool(candidate["modelVersion"] == version)

    await wait_until(is_scored_anew)
