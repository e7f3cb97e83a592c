"""Calibration: how many customers are recorded twice, as the customers themselves show. It needs neither labels nor training.

Rules alone decide some pairs (`decides`), and they miss a share that is known about. The prior of a match follows from that."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from math import log2
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.matching import model_store
from hub.domain.matching.blocking import blocking_keys
from hub.domain.matching.candidates import read_pairs
from hub.domain.matching.comparisons import compare
from hub.domain.matching.customer_records import read_records
from hub.domain.matching.model import DEFAULT_DUPLICATES, MatchModel
from hub.domain.matching.training import decides, expected_duplicates

LEAST_CUSTOMERS = 1_000  # with fewer, chance would decide
GROWTH = 2  # a hub that has grown by this factor is calibrated anew
SAMPLE = 2_000  # customers whose other records are counted
LEAST_SHIFT = 0.5  # bits by which the prior has to move for all candidates to be scored anew

_SAMPLE = "select id from customers order by hashtext(id::text), id limit $1"
_IS_CURRENT = "select not rebuilding from projections where name = 'match_candidates'"
_COUNT = "select count(*) from customers"


async def calibrate(tx: Connection, now: datetime, least: int = LEAST_CUSTOMERS) -> bool:
    """Stores a version of the parameters with the prior of the customers as they are, if the hub has grown; says whether.

    A trained version keeps what it has learned. Runs only once all customers have their keys."""
    if not await _is_due(tx, least):
        return False
    version = await model_store.next_version(tx)
    if not await _is_due(tx, least):  # another process was faster
        return False
    model = (await model_store.current_scorer(tx)).model
    customers = await tx.fetchval(_COUNT)
    calibrated = calibrated_model(model, customers, await _average_partners(tx))
    shift = abs(log2(calibrated.prior / model.prior))
    await model_store.save_model(tx, replace(calibrated, version=version), now, rescore=shift >= LEAST_SHIFT)
    return True


def calibrated_model(model: MatchModel, customers: int, partners: float) -> MatchModel:
    """The model for so many customers, each of whom has on average so many other records that rules alone find.

    Never fewer are expected than by default: rules find little where little is known of the customers."""
    counted = replace(model, customers=customers)
    expected = expected_duplicates(partners, customers, counted.population)
    return replace(counted, duplicates=max(expected, DEFAULT_DUPLICATES))


async def _is_due(tx: Connection, least: int) -> bool:
    customers = await model_store.estimated_customers(tx)
    if customers < least or customers < GROWTH * await model_store.counted_customers(tx):
        return False
    return bool(await tx.fetchval(_IS_CURRENT))


async def _average_partners(tx: Connection) -> float:
    """How many other records a customer has on average by rules alone, of a sample."""
    sample = [row["id"] for row in await tx.fetch(_SAMPLE, SAMPLE)]
    records = await read_records(tx, sample)
    keys: Mapping[UUID, Collection[int]] = {key: blocking_keys(record).keys() for key, record in records.items()}
    pairs = await read_pairs(tx, keys)
    others = {customer for pair in pairs for customer in pair} - records.keys()
    records |= await read_records(tx, sorted(others))
    partners: Counter[UUID] = Counter()
    for pair in pairs:
        if records.keys() >= set(pair) and decides(compare(records[pair[0]], records[pair[1]])):
            partners.update(pair)
    return sum(partners[key] for key in keys) / max(len(keys), 1)
