"""Training without being asked: a hub that has grown learns the parameters from a sample of its customers. It needs no labels.

The sample is bounded and the same for the same customers; its work is done in small parts, so that requests hardly wait."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from math import log2
from typing import NamedTuple
from uuid import UUID

from hub.db.pool import Connection, Pool
from hub.domain.matching import model_store
from hub.domain.matching.blocking import blocking_keys
from hub.domain.matching.candidates import read_pairs
from hub.domain.matching.comparisons import EQUAL, compare
from hub.domain.matching.customer_records import read_records
from hub.domain.matching.model import MatchModel
from hub.domain.matching.training import SAMPLE, Levels, TrainingData, TrainingSample, train
from hub.errors import Unavailable
from hub.loop_turns import in_parts
from hub.observability import MatchingTrained, emit

LEAST_CUSTOMERS = 1_000  # with fewer, chance would decide
GROWTH = 2  # a hub that has grown by this factor is trained anew
PART = 20  # customers of the sample whose pairs are read at once
LEAST_SHIFT = 0.5  # bits by which a weight has to move for all candidates to be scored anew

_SAMPLE = "select id from customers order by hashtext(id::text), id limit $1"
_IS_CURRENT = "select not rebuilding from projections where name = 'match_candidates'"
_COUNT = "select count(*) from customers"


class TrainedModel(NamedTuple):
    """A new version of the parameters: of how many customers, how many of them it has seen, and how far a weight moved."""

    version: int
    customers: int
    sampled: int
    shift: float


async def train_if_grown(pool: Pool, now: datetime, least: int = LEAST_CUSTOMERS) -> bool:
    """Stores a version of the parameters that follows the customers as they are, if the hub has grown; says whether.

    Runs only once all customers have their keys."""
    async with pool.connection() as connection:
        if not await _is_due(connection, least):
            return False
        data = await collect_sample(connection, SAMPLE)
    model = await asyncio.to_thread(train, data, 0)  # no transaction waits for it
    async with pool.transaction() as tx:
        version = await model_store.next_version(tx)
        if not await _is_due(tx, least):  # another process was faster
            return False
        await _save(tx, replace(model, version=version), data, now, LEAST_SHIFT)
    return True


async def train_now(pool: Pool, limit: int, now: datetime) -> TrainedModel:
    """Stores a version that follows at most so many customers, and has all candidates scored anew."""
    async with pool.connection() as connection:
        if not await connection.fetchval(_IS_CURRENT):
            message = (
                "Customers are being compared for the first time, or anew; train when `hub doctor` says that they are."
            )
            raise Unavailable(message)
        data = await collect_sample(connection, limit)
    model = await asyncio.to_thread(train, data, 0)
    async with pool.transaction() as tx:
        version = await model_store.next_version(tx)
        return await _save(tx, replace(model, version=version), data, now, 0.0)


async def _save(
    tx: Connection, model: MatchModel, data: TrainingData, now: datetime, least_shift: float
) -> TrainedModel:
    shift = round(_greatest_shift((await model_store.current_scorer(tx)).model, model), 2)
    await model_store.save_model(tx, model, now, rescore=shift >= least_shift)
    emit(MatchingTrained(model.version, data.sampled, shift))
    return TrainedModel(model.version, data.customers, data.sampled, shift)


async def collect_sample(tx: Connection, limit: int) -> TrainingData:
    """What a sample of at most so many customers shows."""
    sample = TrainingSample()
    keys = [row["id"] for row in await tx.fetch(_SAMPLE, limit)]
    async for part in in_parts(keys, PART):
        await _add(tx, sample, part)
        if sample.is_full:
            break
    levels = [level async for level in _random_levels(sample)]
    return sample.data(await tx.fetchval(_COUNT), levels)


async def _add(tx: Connection, sample: TrainingSample, customers: Sequence[UUID]) -> None:
    """Adds customers to the sample, with all who share a blocking key with them."""
    records = await read_records(tx, customers)
    sample.add_customers(records.values())
    keys = {key: blocking_keys(record) for key, record in records.items()}
    pairs = await read_pairs(tx, {key: own.keys() for key, own in keys.items()})
    others = await read_records(tx, sorted({key for pair in pairs for key in pair} - records.keys()))
    async for part in in_parts(list(others.items())):
        keys.update((key, blocking_keys(record)) for key, record in part)
    known = {**others, **records}
    async for part in in_parts(sorted(pair for pair in pairs if known.keys() >= set(pair))):
        for first, second in part:
            shared = {keys[first][key] for key in keys[first].keys() & keys[second].keys()}
            sample.add_pair(known[first], known[second], shared, (first in records) + (second in records))


async def _random_levels(sample: TrainingSample) -> AsyncIterator[Levels]:
    async for part in in_parts(list(sample.random_pairs())):
        for first, second in part:
            yield compare(first, second)


async def _is_due(tx: Connection, least: int) -> bool:
    customers = await model_store.estimated_customers(tx)
    if customers < least or customers < GROWTH * await model_store.counted_customers(tx):
        return False
    return bool(await tx.fetchval(_IS_CURRENT))


def _greatest_shift(before: MatchModel, after: MatchModel) -> float:
    """By how many bits the weight of a level or the prior differs at most."""
    shifts = [abs(log2(after.prior / before.prior))]
    for name, same in after.same.items():
        for level in range(EQUAL, len(same)):
            weights = [log2(model.same[name][level] / model.random[name][level]) for model in (before, after)]
            shifts.append(abs(weights[1] - weights[0]))
    return max(shifts)
