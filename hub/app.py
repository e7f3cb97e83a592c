"""The composition root: settings → pools → graph → engine → routes; and the lifecycle of a serving process."""

import asyncio
import gc
import resource
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
import uvloop

from hub import graph, observability, scheduler
from hub.background_work import WorkTypes, running_work
from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed
from hub.changefeed.sequencer import Sequencer
from hub.client_limits import CostBudget
from hub.db import migrate
from hub.db.audit_buffer import AuditBuffer
from hub.db.disk_space import DiskSpace
from hub.db.hub_pools import open_pools
from hub.db.pool import Pool
from hub.db.sql_text import to_sql
from hub.db.transaction import record_caller
from hub.domain.access import api_keys, login_links, roles, secrets, token_sessions
from hub.domain.access.token_viewers import TokenSubject, find_viewers
from hub.domain.access.trusted_documents import TrustedDocuments, load_manifests
from hub.domain.exchange.uploads import Uploads
from hub.domain.identity.merge_commands import MergeLimits
from hub.domain.identity.redirects import CustomerRedirects
from hub.domain.jobs.exports import exports_folder
from hub.domain.work import calendars
from hub.domain.work.codes import CodeBlocks
from hub.engine.budgets import CostAccounts, ProcessBuckets
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.engine.roles.checks import RoleChecker
from hub.engine.shared_buckets import SharedBuckets
from hub.errors import HubError, Unauthenticated, Unavailable
from hub.event_log import start_log
from hub.jobs.export_job import ExportChecks, find_export
from hub.model import idempotency
from hub.model.validators import EmailPolicy
from hub.observability import DiskFull, HubReady, emit
from hub.report_runner import ReportRunner
from hub.settings import Settings
from hub.subscriptions.interfaces import SubscriptionOpener
from hub.subscriptions.live_shares import LiveShares
from hub.subscriptions.registry import SubscriptionRegistry
from hub.time_source import REAL_TIME, TimeSource
from hub.timer_loop import REAL_CLOCK, ClockTools, TimerLoop, open_clock
from hub.viewer import ADMIN, Viewer
from hub.wakeups import sending_wakeups
from hub.web import exports, health, page_sessions, pages, server, uploads
from hub.web.asgi import AsgiApp
from hub.web.auth import ApiKeyCache, Credentials
from hub.web.authenticator import Authenticator
from hub.web.context import GatewayContext, GraphQLExecutor
from hub.web.exports import FindExport
from hub.web.metrics import Metrics
from hub.web.token_keys import IssuerKeySets
from hub.web.tokens import TokenCache, TokenVerifier
from hub.webhooks.documents import DryRuns, WebhookDocuments
from hub.webhooks.egress import EgressPolicy
from hub.webhooks.issuer_documents import IssuerDocuments

_version = sa.table("alembic_version", sa.column("version_num"))
REVISION_SQL = to_sql(sa.select(_version.c.version_num))


class DatabaseSessionStore:
    """Sessions of the pages in the database."""

    def __init__(self, pool: Pool, time_source: TimeSource) -> None:
        self._pool = pool
        self._time_source = time_source
        # One at a time: whoever tries tokens delays other sessions, not the look-up of keys on the same pool.
        self._turn = asyncio.Semaphore(1)

    async def start(self, token: str, network: str) -> login_links.PageSession:
        """Exchanges a link's token for a session; raises Forbidden if it is not valid any more."""
        async with self._turn, self._pool.transaction() as tx:
            await record_caller(tx, ADMIN, network)  # until the link names its key
            return await login_links.start_session(tx, token, self._time_source.now())

    async def start_for_key(self, public_id: str, viewer: Viewer, network: str) -> login_links.PageSession:
        """Exchanges a valid API key for a session; raises BadInput for a session's own key."""
        async with self._turn, self._pool.transaction() as tx:
            await record_caller(tx, viewer, network)
            return await login_links.start_session_of_key(tx, public_id, self._time_source.now())

    async def start_for_token(
        self, subject: TokenSubject, fingerprint: bytes, viewer: Viewer, expires_at: datetime, network: str
    ) -> login_links.PageSession:
        """Exchanges a valid token for a session that ends with it, or with the key that signed it, at the latest."""
        async with self._turn, self._pool.transaction() as tx:
            await record_caller(tx, viewer, network)
            return await token_sessions.start(tx, subject, fingerprint, expires_at, self._time_source.now())

    async def end(self, public_id: str, viewer: Viewer, network: str) -> bool:
        """Ends a session by its key's public id; returns False for a key that is no session."""
        async with self._pool.transaction() as tx:
            await record_caller(tx, viewer, network)
            if token_sessions.is_token_session(public_id):
                return await token_sessions.end(tx, public_id, self._time_source.now())
            return await login_links.end_session(tx, public_id, self._time_source.now())


@asynccontextmanager
async def running_authenticator(
    pool: Pool, settings: Settings, time_source: TimeSource = REAL_TIME
) -> AsyncIterator[Authenticator]:
    """Yields what maps API keys and tokens to viewers; look-ups use the pool. It follows the issuers' keys meanwhile."""

    async def find_keys(public_ids: Sequence[str]) -> list[api_keys.StoredKey]:
        started_by_token = [public_id for public_id in public_ids if token_sessions.is_token_session(public_id)]
        async with pool.connection() as connection:
            keys = []
            if len(started_by_token) < len(public_ids):
                keys = await api_keys.find_keys(connection, public_ids, with_hashes=True)
            if not started_by_token:
                return keys
            return keys + await token_sessions.find_keys(
                connection, started_by_token, settings.token_issuers, key_sets.may_hold, time_source.now()
            )

    async def find_subjects(subjects: Sequence[TokenSubject]) -> list[Viewer | Unauthenticated]:
        async with pool.connection() as connection:
            return await find_viewers(connection, subjects, time_source.now())

    documents = IssuerDocuments(settings.token_issuers)
    key_sets = IssuerKeySets(settings.token_issuers, documents.read)
    verifier = TokenVerifier(settings.token_issuers, key_sets)
    try:
        async with key_sets.running():
            yield Authenticator(
                ApiKeyCache(
                    find_keys, ttl=settings.key_cache_ttl, size=settings.key_cache_size, time_source=time_source
                ),
                TokenCache(verifier, find_subjects, ttl=settings.key_cache_ttl, size=settings.key_cache_size),
            )
    finally:
        documents.close()


@asynccontextmanager
async def cost_accounts(settings: Settings, shared: Path | None) -> AsyncIterator[CostAccounts]:
    """The accounts of budgets; worker processes share them by a file in the folder `shared`."""
    capacity = settings.cost_capacity
    default = CostBudget(capacity, settings.cost_refill) if capacity else None
    if shared is None:
        yield CostAccounts(default, ProcessBuckets(), reports_all=settings.cost_report)
        return
    buckets = SharedBuckets(shared / "budgets")
    try:
        yield CostAccounts(default, buckets, reports_all=settings.cost_report)
    finally:
        buckets.close()


def create_app(
    settings: Settings,
    engine: GraphQLExecutor,
    key_cache: Credentials,
    streams: SubscriptionOpener,
    *,
    probe_database: health.DatabaseProbe,
    metrics: Metrics | None = None,
    sessions: page_sessions.SessionStore | None = None,
    documents: TrustedDocuments | None = None,
    time_source: TimeSource = REAL_TIME,
    find_export: FindExport | None = None,
    file_uploads: Uploads | None = None,
) -> AsgiApp:
    """Builds the ASGI app from its parts. Holds no resource."""
    context = GatewayContext(engine, key_cache, streams, settings, documents, time_source)
    worker_is_down = metrics.worker_is_down if metrics else None
    routes = health.routes(probe_database, metrics if settings.metrics else None, worker_is_down)
    routes += pages.routes(enabled=settings.graphiql)
    if settings.graphiql and sessions is not None:
        routes += page_sessions.routes(sessions, key_cache, context.trusted_proxies)
    if find_export is not None:
        folder, patience = exports_folder(settings.data_dir, settings.export_dir), settings.stream_backpressure_timeout
        routes += exports.routes(find_export, key_cache, context.trusted_proxies, folder, patience)
    if file_uploads is not None:
        routes += uploads.routes(file_uploads, key_cache, context.trusted_proxies, settings.request_timeout)
    return AsgiApp(context, routes)


async def build_graphql_engine(
    settings: Settings,
    pool: Pool,
    changefeed_pool: Pool,
    documents: TrustedDocuments | None = None,
    accounts: CostAccounts | None = None,
    audit: AuditBuffer | None = None,
    clock: ClockTools = REAL_CLOCK,
    refreshes_rules: bool = True,
) -> tuple[Engine, ChangeCursors, secrets.Encryptor]:
    """Builds the engine on a database, with the cursor codec and the encryptor that it shares with other components.

    Dry runs of webhooks read the change log through `changefeed_pool`. Reads of persons go to `audit`."""
    EmailPolicy.test_domains = settings.email_test_domains
    encryption_key = settings.encryption_key.get_secret_value() if settings.encryption_key else None
    async with pool.owner_connection() as connection:
        secret = await secrets.cursor_secret(connection)
        encryptor = await secrets.load_encryptor(connection, encryption_key)
    cursors = ChangeCursors(secret)

    schema = graph.build_with(settings.customer_columns)
    if refreshes_rules:  # else another process of the hub has just done so
        await _refresh_stored_rules(pool, await clock.time_source.read())

    def injected(engine: Engine) -> dict[str, object]:
        feed = ChangeFeed(changefeed_pool, cursors)
        return {
            "encryptor": encryptor,
            "role_planner": RoleChecker(schema, engine.explain),
            "subscriptions": DryRuns(WebhookDocuments(engine, documents), feed),
            "url_policy": EgressPolicy(settings.webhook_allow),
            "webhook_limit": settings.webhook_limit,
            "backdating": timedelta(hours=settings.customer_backdating),
            "change_retention": timedelta(days=settings.change_retention),
            "merge_limits": MergeLimits(settings.merge_rows_at_once, timedelta(days=settings.merge_undo)),
            "upload_count": settings.upload_count,
            "clock": clock,
            "code_blocks": CodeBlocks(changefeed_pool),
            "report_runner": ReportRunner(engine, documents),
            "export_tools": ExportChecks(engine, documents or TrustedDocuments(), settings.export_limit),
        }

    store, feed = idempotency.IdempotencyStore(), ChangeFeed(pool, cursors)
    redirects = CustomerRedirects(pool)
    engine = Engine(
        schema, pool, settings, secret, store, feed, injected, accounts, audit, clock.time_source, redirects
    )
    if clock.timers:
        clock.injected["report_runner"] = ReportRunner(engine, documents)
    return engine, cursors, encryptor


async def _refresh_stored_rules(pool: Pool, now: datetime) -> None:
    """Stores the shipped roles and the holidays that this version knows, and reports rules of roles that no longer hold."""
    await roles.store_shipped_roles(pool, now)
    await roles.report_broken_rules(pool)
    await calendars.refresh_holidays(pool, now)


async def run_mutation(settings: Settings, pool: Pool, document: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Runs a mutation as the operator of the machine; returns its data, or raises its first error."""
    engine, _, _ = await build_graphql_engine(settings, pool, pool, clock=await open_clock(settings, pool))
    response = orjson.loads((await engine.execute(GraphQLRequest(document, variables, None), ADMIN)).body)
    if response.get("errors"):
        error = response["errors"][0]
        raise HubError(error["message"].removeprefix("input."), code=error["extensions"]["code"])
    data: dict[str, Any] = response["data"]
    return data


def _database_probe(pool: Pool, disk_space: DiskSpace) -> health.DatabaseProbe:
    expected_revision = migrate.head_revision()

    async def probe_database() -> None:
        async with pool.connection() as connection:
            if await connection.fetchval(REVISION_SQL) != expected_revision:
                raise Unavailable(f"the database is not at revision {expected_revision}; run `hub migrate`")
        await disk_space.check()

    return probe_database


class Peers(NamedTuple):
    """What a process of `hub serve` shares with the others. A worker among them does the work beside serving."""

    folder: Path  # of metrics and budgets
    wakeups: Connection | None  # the worker's; None if `hub worker` runs elsewhere


@contextmanager
def _counting(metrics: Metrics, disk_space: DiskSpace) -> Iterator[None]:
    """Counts events while the body runs."""
    removers = [observability.add_handler(metrics), observability.add_handler(disk_space, DiskFull)]
    try:
        yield
    finally:
        for remove_handler in removers:
            remove_handler()


@asynccontextmanager
async def lifespan(settings: Settings, dsn: str, peers: Peers | None = None) -> AsyncIterator[AsgiApp]:
    """Runs a hub on a database, without a socket: all of it, or what one of its processes does that serve."""
    shared = peers and peers.folder
    async with open_pools(settings, dsn) as pools:
        disk_space, documents, audit = DiskSpace(pools.requests), TrustedDocuments(), AuditBuffer()
        clock = await open_clock(settings, pools.timers)
        await load_manifests(pools.requests, settings.trusted_documents, documents, clock.time_source.now())
        metrics = Metrics(shared, alone=settings.workers == 1, has_worker=bool(peers and peers.wakeups))
        with _counting(metrics, disk_space):
            async with (
                running_authenticator(pools.keys, settings, clock.time_source) as key_cache,
                scheduler.run_all(pools.requests, key_cache, documents, metrics, audit, settings, clock.time_source),
                cost_accounts(settings, shared) as accounts,
            ):
                engine, cursors, encryptor = await build_graphql_engine(
                    settings, pools.requests, pools.streams, documents, accounts, audit, clock
                )
                changefeed = ChangeFeed(
                    pools.streams, cursors, pools.changefeed, pools.messages, time_source=clock.time_source
                )
                live_shares = LiveShares(settings.live_limit, settings.key_live_limit)
                async with (
                    # Not before: building the engine takes longer than the leader's session may be idle.
                    Sequencer(dsn, settings).running(),
                    SubscriptionRegistry(engine, changefeed, live_shares).running() as streams,
                    TimerLoop(clock, pools.timers).running(),
                    engine.redirects.refreshing(),
                    running_work(
                        *(settings, dsn, engine, cursors, encryptor, documents, clock.time_source),
                        WorkTypes(settings.webhooks, settings.jobs),
                    )
                    if peers is None
                    else nullcontext(),
                ):
                    yield create_app(
                        settings,
                        engine,
                        key_cache,
                        streams,
                        probe_database=_database_probe(pools.requests, disk_space),
                        metrics=metrics,
                        sessions=DatabaseSessionStore(pools.keys, clock.time_source),
                        documents=documents,
                        time_source=clock.time_source,
                        find_export=find_export(pools.requests, clock.time_source),
                        file_uploads=Uploads(pools.requests, settings.upload_limit, settings.upload_count),
                    )


def serve(settings: Settings, dsn: str, server_socket: socket.socket, peers: Peers) -> None:
    """Runs a serving process, from the open socket to the last response."""
    _raise_file_limit()
    uvloop.run(_serve(settings, dsn, server_socket, peers))


def serve_worker(settings: Settings, dsn: str, server_socket: socket.socket, peers: Peers) -> None:
    """Runs one of several serving processes, with its own log."""
    log = start_log(requests=settings.log_requests)
    serve(settings, dsn, server_socket, peers)
    log.flush()


async def _serve(settings: Settings, dsn: str, server_socket: socket.socket, peers: Peers) -> None:
    with sending_wakeups(peers.wakeups):
        async with lifespan(settings, dsn, peers) as app:
            freeze_gc()
            emit(HubReady(server.url(settings, server_socket)))
            await server.create_server(app, settings).serve([server_socket])


def freeze_gc() -> None:
    """Excludes all current objects from garbage collection: they live as long as the process."""
    gc.collect()
    gc.freeze()


def _raise_file_limit() -> None:
    """Raises the limit of open files: every connection is one, and the default of 1024 is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
