"""Versions of the parameters: the latest one scores; the defaults do until there is one."""

from datetime import datetime

from hub.db.pool import Connection
from hub.domain.matching.model import MatchModel
from hub.domain.matching.scoring import MatchScorer
from hub.model import exact_json

_LATEST_VERSION = "select max(version) from match_models"
_LATEST = "select version, trained_at from match_models order by version desc limit 1"
_PARAMETERS = "select parameters from match_models where version = $1"
_COUNT = "select greatest(reltuples, 0)::bigint from pg_class where oid = 'customers'::regclass"
_COUNTED = "select (parameters ->> 'customers')::int from match_models order by version desc limit 1"
_REBUILD = "update projections set rebuilding = true, rebuilt_to = null where name = 'match_candidates'"
_INSERT = "insert into match_models (version, parameters, trained_at) values ($1, $2, $3)"
RETAINED_VERSIONS = 20
_PRUNE = "delete from match_models where version <= $1"


class _LatestScorer:
    """The scorer of the version that was read last; it has read the common values, which are many."""

    scorer: MatchScorer | None = None
    trained_at: datetime | None = None


async def current_scorer(tx: Connection) -> MatchScorer:
    """The scorer of the latest parameters."""
    row = await tx.fetchrow(_LATEST)
    version, trained_at = (0, None) if row is None else (row["version"], row["trained_at"])
    cached = _LatestScorer.scorer
    if cached is not None and (cached.model.version, _LatestScorer.trained_at) == (version, trained_at):
        return cached
    if version:
        model = MatchModel.from_json(version, exact_json.loads(await tx.fetchval(_PARAMETERS, version)))
    else:
        model = MatchModel(customers=await estimated_customers(tx))
    _LatestScorer.scorer, _LatestScorer.trained_at = MatchScorer(model), trained_at
    return _LatestScorer.scorer


async def estimated_customers(connection: Connection) -> int:
    """About how many customers there are, as Postgres counted them last."""
    count: int = await connection.fetchval(_COUNT)
    return count


async def counted_customers(connection: Connection) -> int:
    """How many customers the latest version was made for; 0 before the first one."""
    count: int | None = await connection.fetchval(_COUNTED)
    return count or 0


async def next_version(tx: Connection) -> int:
    """The version of the next training; others wait until the transaction ends."""
    await tx.execute("lock table match_models in exclusive mode")
    version: int = await tx.fetchval(_LATEST_VERSION) or 0
    return version + 1


async def save_model(tx: Connection, model: MatchModel, now: datetime, *, rescore: bool = True) -> None:
    """Stores a version of the parameters, forgets those that are much older, and has all candidates scored anew."""
    await tx.execute(_INSERT, model.version, exact_json.dumps(model.as_json()), now)
    await tx.execute(_PRUNE, model.version - RETAINED_VERSIONS)
    if rescore:
        await tx.execute(_REBUILD)
