"""All settings of the hub, with defaults and descriptions. No other module reads the environment."""

import os
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hub.errors import Misconfigured
from hub.setting_types import AllowedTarget, Network, Origin, expand_home, split_commas, validate_dsn
from hub.token_issuers import TokenIssuer, check_unambiguous, load_issuers

ENV_PREFIX = "HUB_"
# The data directories that a command looks for if none is named: that of `make demo`, then the default of earlier versions.
DEFAULT_DATA_DIRS = (Path(".hub"), Path("hub-data"))


class Settings(BaseSettings):
    """Settings for the operator of a hub. Read once at start, then passed as an argument."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    host: str = Field(
        "127.0.0.1", description="Address to listen on. Any address but loopback is reachable from the network."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    data_dir: Annotated[Path, AfterValidator(expand_home)] = Field(
        DEFAULT_DATA_DIRS[0],
        description="Directory of the embedded Postgres and of the first API key. Without it, an existing `.hub` or else an "
        "existing `hub-data` is used. Only `hub up` and `hub demo` create it.",
    )
    database_url: Annotated[SecretStr | None, AfterValidator(validate_dsn)] = Field(
        None,
        description="PostgreSQL 18 or newer to use instead of the embedded one: `postgresql://user:password@host/db`.",
    )
    workers: int = Field(1, ge=1, le=256, description="Serving processes; each has its own pool.")
    pool_size: int = Field(
        6,
        ge=1,
        le=500,
        description="Database connections per process for requests. One key uses at most all but one, and the slow statements of "
        "all keys a third; a third more may stay open for these if Postgres runs on this machine. "
        "Streams, API keys and the sequencing of changes have connections of their own. "
        "Best in total: twice the database's cores plus two.",
    )
    stream_pool_size: int = Field(
        3,
        ge=1,
        le=100,
        description="Database connections per process that render changes for subscriptions, and as many for live queries; "
        "opened on demand.",
    )
    live_limit: int = Field(
        1_000,
        ge=1,
        le=100_000,
        description="Different live queries and unselective streams that one process serves at the same time. Each costs the "
        "database one statement whenever a row changes.",
    )
    key_live_limit: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Different live queries and unselective streams of one API key (the keys of one customer together), "
        "per process; they count towards `HUB_LIVE_LIMIT`.",
    )
    operation_limit: int = Field(
        200,
        ge=1,
        description="Operations of one API key (the keys of one customer together) that run or wait at the same time, "
        "per process.",
    )
    graphiql: bool = Field(
        True,
        description="Serve the pages `/graphiql`, `/live` and `/review`. They contain no data and need an API key.",
    )
    metrics: bool = Field(
        True, description="Serve Prometheus metrics at `/metrics`. They need no API key and contain no secrets."
    )
    log_requests: bool = Field(True, description="Write one log line per request to standard error.")
    allowed_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(split_commas)] = Field(
        (), description="Browser origins that may call the hub, separated by commas; `*` allows all."
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(split_commas)] = Field(
        (),
        description="Networks of the reverse proxies in front of the hub, separated by commas: `10.0.0.0/8,::1`. Their "
        "`X-Forwarded-For` says where a request comes from, for API keys with allowed networks.",
    )
    key_cache_ttl: float = Field(
        1.0,
        ge=0,
        le=4,
        description="Seconds for which an API key is cached; a revocation takes effect within this time.",
    )
    key_cache_size: int = Field(10_000, ge=1, description="API keys, valid or not, cached per process.")
    token_issuers: Annotated[
        tuple[TokenIssuer, ...], NoDecode, BeforeValidator(load_issuers), AfterValidator(check_unambiguous)
    ] = Field(
        (),
        description="File that says whose tokens (JWT, OpenID Connect) open the API, and for whom: `docs/oidc.md`. TOML, or JSON "
        "if its name ends in `.json`; the same on all nodes.",
    )
    compress_min_bytes: int = Field(
        1024, ge=0, description="Minimum bytes of a response to be compressed, if the client accepts it."
    )
    change_retention: int = Field(
        7, ge=1, le=3650, description="Days for which changes can be read; older ones are dropped day by day."
    )
    audit_retention: int = Field(
        730, ge=31, le=36_500, description="Days for which entries of the audit log are stored; older ones are deleted."
    )
    merge_rows_at_once: int = Field(
        2_000, ge=0, description="Rows of a customer up to which a merge is done at once; with more, a job does it."
    )
    match_automatic_merge: Decimal | None = Field(
        None,
        ge=12,
        le=1000,
        description="Score in bits from which customers are merged without a person, if no field contradicts; never by default.",
    )
    merge_undo: int = Field(30, ge=1, le=365, description="Days for which the merge of two customers can be undone.")
    email_test_domains: bool = Field(
        False, description="Accept e-mail addresses in `.test` domains, which nobody owns; for staging."
    )
    customer_backdating: int = Field(
        24,
        ge=0,
        le=87_600,
        description="Hours by which an API key that is bound to a customer may date its consents and interactions back.",
    )
    customer_columns: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)] = Field(
        (),
        description="Fields that a customer's own keys may read although they are about it and not for it, separated by "
        "commas: `Customer.tier,Customer.attributes`. A field that is not named does not exist for those keys.",
    )
    webhooks: bool = Field(
        True,
        description="Send webhooks from the worker process of `hub serve`; turn it off if `hub worker` sends them.",
    )
    webhook_allow: Annotated[tuple[AllowedTarget, ...], NoDecode, BeforeValidator(split_commas)] = Field(
        (),
        description="Private hosts and networks that webhooks may reach, also without TLS, separated by commas: "
        "`10.1.0.0/16,receiver.internal`; the same on all nodes.",
    )
    webhook_limit: int = Field(50, ge=1, description="Maximum of webhooks of one API key.")
    webhook_retention: int = Field(
        14, ge=1, le=3650, description="Days for which finished deliveries and their attempts are stored."
    )
    jobs: bool = Field(
        True,
        description="Run imports, exports and other jobs in the worker process of `hub serve`; turn it off if `hub worker` does. "
        "With `HUB_WEBHOOKS` off too there is no such process, and `hub worker` also keeps projections current.",
    )
    job_concurrency: int = Field(
        2,
        ge=1,
        le=32,
        description="Jobs that one process runs at the same time; each has a database connection of its own.",
    )
    job_statement_timeout: float = Field(
        120.0, gt=0, description="Timeout of one database statement of a job, in seconds."
    )
    import_limit: int = Field(
        1_073_741_824, ge=1, description="Most bytes of a file that is imported, once it is decompressed."
    )
    upload_limit: int = Field(268_435_456, ge=1, description="Most bytes of a file that is sent to `POST /imports`.")
    upload_count: int = Field(
        20, ge=1, description="Files of one API key that wait for an import or are imported, pasted ones included."
    )
    job_retention: int = Field(
        30, ge=1, le=3650, description="Days for which finished jobs, their files and rejected lines are stored."
    )
    export_dir: Annotated[Path, AfterValidator(expand_home)] | None = Field(
        None,
        description="Folder for the files of exports; `exports` in the data directory by default. All nodes share it.",
    )
    export_retention: float = Field(
        24.0, gt=0, le=8_760, description="Hours after which the file of an export is deleted."
    )
    export_limit: int = Field(20, ge=1, description="Exports of one API key that run or have a file.")
    clock: Literal["real", "test"] = Field(
        "real",
        description="`test`: time stands still until `hub clock advance` or `testClockAdvance` moves it on, for tests and "
        "trials. The same on all nodes.",
    )
    clock_start: AwareDatetime | None = Field(
        None,
        description="Time at which a new test clock begins, `2026-03-02T09:00:00+08:00`; the real time by default.",
    )
    clock_allow: bool = Field(
        False, description="Accept a test clock with `HUB_DATABASE_URL`, which is refused because it may be production."
    )
    encryption_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="At least 32 random characters that encrypt secrets in the database; the same on all nodes. Without it the "
        "encryption key is stored in the database too.",
    )

    depth_limit: int = Field(15, ge=1, description="Levels of nested selections; introspection is exempt.")
    alias_limit: int = Field(100, ge=0, description="Aliases per operation, with fragments expanded.")
    field_limit: int = Field(500, ge=1, description="Fields per operation, with fragments expanded.")
    token_limit: int = Field(2_000, ge=1, description="Tokens per document.")
    root_field_limit: int = Field(20, ge=1, description="Root fields per operation.")
    directive_limit: int = Field(100, ge=0, description="Directives per operation.")
    error_limit: int = Field(5, ge=1, description="Errors reported per response.")
    group_minimum: int = Field(
        5,
        ge=2,
        description="Rows that an aggregate must be over for roles that see aggregates only; fewer count as none.",
    )
    cost_limit: int = Field(5_000, ge=1, description="Estimated cost of one operation: the rows that it could read.")
    cost_capacity: int = Field(
        0,
        ge=0,
        description="Budget of an API key that has none of its own and none by its role: the cost points that it can save "
        "up, at least `HUB_COST_LIMIT` so that every operation can run; 0 for no budget. The keys of one customer or person "
        "share one.",
    )
    cost_refill: float = Field(
        100.0,
        gt=0,
        description="Cost points per second that such a budget gets back. 1,000 stand for one database connection in use "
        "all the time.",
    )
    cost_report: bool = Field(
        False,
        description="Report `extensions.cost` in every response. Without it, keys with a budget get it, and requests with "
        "the header `X-Cost-Report`.",
    )
    page_limit: int = Field(100, ge=1, description="Maximum of `first` and `last`.")
    body_limit: int = Field(262_144, ge=1, description="Bytes of a request's body.")
    persisted_queries: int = Field(
        500,
        ge=0,
        description="Automatic persisted queries (Apollo's protocol) per API key and process, at most 1 MiB per key; 0 turns "
        "them off.",
    )
    trusted_documents: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(split_commas)] = Field(
        (),
        description="Manifests of trusted documents that the hub loads when it starts, separated by commas: the files that "
        "the build of an Apollo, Relay or graphql-codegen client writes. `hub documents load` does the same at any time.",
    )
    header_limit: int = Field(
        65_536,
        ge=1024,
        description="Bytes of a request line and its headers; this also limits the query string of a GET.",
    )
    statement_timeout: float = Field(5.0, gt=0, description="Timeout of one database statement, in seconds.")
    lock_timeout: float = Field(2.0, gt=0, description="Seconds that a statement may wait for a lock.")
    request_timeout: float = Field(
        15.0, gt=0, description="Seconds for a whole request, from its headers to its response."
    )
    header_timeout: float = Field(5.0, gt=0, description="Seconds for a request's headers to arrive.")
    # Longer than the minute for which load balancers keep theirs: whoever closes first must not be the hub.
    keep_alive_timeout: int = Field(75, ge=1, description="Seconds for which an idle HTTP connection stays open.")
    socket_total: int = Field(20_000, ge=1, description="Open WebSockets per process, authenticated or not.")
    socket_limit: int = Field(100, ge=1, description="Open WebSockets and SSE streams per API key and process.")
    socket_init_total: int = Field(
        2_000, ge=1, description="Unauthenticated WebSockets per process; more are rejected."
    )
    socket_init_timeout: float = Field(
        5.0, gt=0, description="Seconds for a new WebSocket to authenticate (`connection_init`)."
    )
    socket_concurrency: int = Field(
        10, ge=1, description="Operations of one WebSocket that run at the same time; others wait."
    )
    socket_ping: float = Field(
        30.0,
        gt=0,
        description="Seconds between pings of a WebSocket; it is closed if it sends nothing until the next ping.",
    )
    frame_limit: int = Field(65_536, ge=1024, description="Bytes of one incoming WebSocket message.")
    stream_limit: int = Field(
        50, ge=1, description="Open operations per WebSocket, including streams and waiting operations."
    )
    stream_buffer: int = Field(
        262_144, ge=4096, description="Bytes buffered for a slow client before its streams are paused (backpressure)."
    )
    stream_backpressure_timeout: float = Field(
        30.0, gt=0, description="Seconds for which a client's buffer may stay full before its streams are closed."
    )
    stream_keepalive: float = Field(
        15.0, gt=0, description="Seconds without a message after which an SSE stream sends a comment."
    )
    key_recheck_interval: float = Field(
        3.0, gt=0, le=4, description="Seconds between checks of the API keys of open WebSockets and streams."
    )
    drain_timeout: int = Field(10, ge=1, description="Seconds for open requests to finish when the hub stops.")


def load(**overrides: Any) -> Settings:
    """Reads the settings from the environment; overrides that are not None take precedence. Raises Misconfigured."""
    values = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise _format_errors(error) from None
    existing = [] if "data_dir" in settings.model_fields_set else _existing_data_dirs()
    return settings.model_copy(update={"data_dir": existing[0]}) if existing else settings


def require_clock_allowed(settings: Settings) -> None:
    """Raises Misconfigured for a test clock on a database that may be in production."""
    if settings.clock == "test" and settings.database_url is not None and not settings.clock_allow:
        message = (
            "HUB_CLOCK: a test clock would stop the time of HUB_DATABASE_URL; leave it out in production, or set"
            " HUB_CLOCK_ALLOW=1 for a database of tests."
        )
        raise Misconfigured(message, argument="HUB_CLOCK")


def collect_warnings(data_dir: Path | None = None, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Returns lines about settings that most likely are not as intended. `data_dir` is the one of the command line."""
    lines = []
    for name in unknown_variables(environment):
        nearest = nearest_variable(name)
        guess = f"did you mean {nearest}? " if nearest else ""
        lines.append(f"{name} is no setting and has no effect; {guess}`hub settings` lists all.")
    is_named = data_dir is not None or any(
        name.upper() == f"{ENV_PREFIX}DATA_DIR" and value for name, value in environment.items()
    )
    existing = [] if is_named else _existing_data_dirs()
    if len(existing) > 1:
        first, *others = map(str, existing)
        lines.append(f"using {first}; {' and '.join(others)} exists too: choose with --data or HUB_DATA_DIR.")
    return lines


def nearest_variable(name: str) -> str | None:
    """Returns the setting's variable whose name is most like a misspelt one; None if none is similar."""
    matches = get_close_matches(name.lower().removeprefix(ENV_PREFIX.lower()), Settings.model_fields, n=1, cutoff=0.7)
    return ENV_PREFIX + matches[0].upper() if matches else None


def _existing_data_dirs() -> list[Path]:
    return [path for path in DEFAULT_DATA_DIRS if path.is_dir()]


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Returns the names of HUB_ variables that are no settings, most likely misspelt."""
    known_variables = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        name for name in environment if name.upper().startswith(ENV_PREFIX) and name.upper() not in known_variables
    )


class SettingDescription(NamedTuple):
    """A setting as the operator sees it; the default as it is written in the environment, empty for none."""

    variable: str
    default: str
    description: str


def describe() -> list[SettingDescription]:
    """Returns every setting."""
    return [
        SettingDescription(ENV_PREFIX + name.upper(), _format_default(field.default), str(field.description))
        for name, field in Settings.model_fields.items()
    ]


def _format_default(value: object) -> str:
    if value in (None, ()):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def markdown() -> str:
    """Returns the page docs/settings.md, generated from the fields above."""
    lines = [
        "# Settings",
        "",
        "The hub reads them from the environment when it starts. Generated by `hub settings`; edit `hub/settings.py` instead.",
        "",
        "| Variable | Default | Meaning |",
        "|---|---|---|",
    ]
    for variable, default, description in describe():
        lines.append(f"| `{variable}` | {f'`{default}`' if default else ''} | {description} |")
    return "\n".join(lines) + "\n"


def _format_errors(error: ValidationError) -> Misconfigured:
    messages = []
    for detail in error.errors(include_url=False, include_context=False):
        name = str(detail["loc"][0])
        # A value that may hold a password is never shown.
        prefix = "" if name in ("database_url", "encryption_key") else f"{detail['input']!r} cannot be used: "
        reason = detail["msg"].removeprefix("Value error, ")
        messages.append(f"{ENV_PREFIX}{name.upper()}: {prefix}{reason}. {Settings.model_fields[name].description}")
    return Misconfigured("; ".join(messages), argument=ENV_PREFIX + str(error.errors()[0]["loc"][0]).upper())
