"""Versions of the parameters: the latest one scores; the defaults do until there is one."""

from datetime import datetime

from hub.db.pool import Connection
from hub.domain.matching.model import MatchModel
from hub.domain.matching.scoring import MatchScorer
from hub.model import exact_json

_LATEST_VERSION = "select max(version) from match_models"
_PARAMETERS = "select parameters from match_models where version = $1"
_COUNT = "select greatest(reltuples, 0)::bigint from pg_class where oid = 'customers'::regclass"
_INSERT = "insert into match_models (version, parameters, trained_at) values ($1, $2, $3)"
RETAINED_VERSIONS = 20
_PRUNE = "delete from match_models where version <= $1"


class _LatestScorer:
    """The scorer of the version that was read last; it has read the common values, which are many."""

    scorer: MatchScorer | None = None


async def current_scorer(tx: Connection) -> MatchScorer:
    """The scorer of the latest parameters."""
    version: int = await tx.fetchval(_LATEST_VERSION) or 0
    cached = _LatestScorer.scorer
    if cached is not None and cached.model.version == version:
        return cached
    if version:
        model = MatchModel.from_json(version, exact_json.loads(await tx.fetchval(_PARAMETERS, version)))
    else:
        model = MatchModel(customers=await tx.fetchval(_COUNT))
    _LatestScorer.scorer = MatchScorer(model)
    return _LatestScorer.scorer


async def save_model(tx: Connection, model: MatchModel, now: datetime) -> None:
    """Stores a version of the parameters, and forgets those that are much older."""
    await tx.execute(_INSERT, model.version, exact_json.dumps(model.as_json()), now)
    await tx.execute(_PRUNE, model.version - RETAINED_VERSIONS)
