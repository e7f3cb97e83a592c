"""The command line. Commands print their result on standard output and everything else on standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong setting."""

import asyncio
import platform
import re
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from time import monotonic
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.text import Text

from hub import audit_commands, doctor, errors, graph, keyfile, launch
from hub import settings as settings_module
from hub.db import migrate as migrations
from hub.db.pool import Pool
from hub.demo.load import load
from hub.domain.access import api_keys, login_links
from hub.domain.webhooks import signing_secrets
from hub.errors import BadInput, HubError
from hub.observability import StartupStep, emit
from hub.postgres.binaries import find_programs
from hub.postgres.doctor import Check
from hub.settings import Settings
from hub.terminal import print_rows
from hub.viewer import ADMIN, Role
from hub.web import server
from hub.webhooks import dev_receiver

app = typer.Typer(
    name="hub", help="One GraphQL graph of your customer data.", no_args_is_help=True, pretty_exceptions_enable=False
)
key_commands = typer.Typer(help="Issue, list and revoke API keys.", no_args_is_help=True)
webhook_commands = typer.Typer(help="Tools for receivers of webhooks.", no_args_is_help=True)
app.add_typer(key_commands, name="key")
app.add_typer(webhook_commands, name="webhook")
app.add_typer(audit_commands.commands, name="audit")

HostOption = Annotated[str | None, typer.Option(help="Address to listen on (HUB_HOST).", show_default=False)]
PortOption = Annotated[int | None, typer.Option(help="Port to listen on (HUB_PORT).", show_default=False)]
DataDirOption = Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)]
WorkersOption = Annotated[int | None, typer.Option(help="Serving processes (HUB_WORKERS).", show_default=False)]
CustomersOption = Annotated[int, typer.Option(min=0, help="Synthetic customers to add to Northwind.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WriteOption = Annotated[
    str | None, typer.Option(help="For developers: generate a migration with this description.", show_default=False)
]

MAX_SUMMARY_LENGTH = 300  # characters of an unexpected error's message
DURATION_PATTERN = re.compile(r"(\d{1,5})([hd])")
USAGE_ERROR_CODES = ("SETTING_INVALID", "KEY_INVALID", "ID_MALFORMED")
DatabaseResult = TypeVar("DatabaseResult")


def _print_version(requested: bool) -> None:
    if requested:
        print(f"hub {_hub_version()}")
        raise typer.Exit


@app.callback()
def common_options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """One GraphQL graph of your customer data."""


@app.command()
def up(host: HostOption = None, port: PortOption = None, data: DataDirOption = None) -> None:
    """Start the hub with everything that it needs: Postgres (unless HUB_DATABASE_URL is set), tables, a first API key."""
    launch.up(settings_module.load(host=host, port=port, data_dir=data), warnings=_warnings(data))


@app.command()
def demo(
    host: HostOption = None, port: PortOption = None, data: DataDirOption = None, customers: CustomersOption = 0
) -> None:
    """Start the hub like `hub up`, with sample data."""
    configuration = settings_module.load(host=host, port=port, data_dir=data)
    launch.up(configuration, lambda dsn: _load_demo(dsn, customers), _warnings(data))


@app.command()
def serve(
    host: HostOption = None, port: PortOption = None, data: DataDirOption = None, workers: WorkersOption = None
) -> None:
    """Serve only: the tables and a key must exist."""
    launch.serve(settings_module.load(host=host, port=port, data_dir=data, workers=workers), _warnings(data))


@app.command()
def worker(data: DataDirOption = None) -> None:
    """Send webhooks only, in addition to serving processes or instead of them (HUB_WEBHOOKS=false). Run as many as you need."""
    launch.start_webhook_worker(settings_module.load(data_dir=data), _warnings(data))


@app.command()
def migrate(data: DataDirOption = None, write: WriteOption = None) -> None:
    """Migrate the database to this version; or, for developers, generate the migration for changed tables."""
    if write is not None:
        if not write.strip():
            raise typer.BadParameter('describe the migration in a few words: --write "tickets"', param_hint="--write")
        print(launch.generate_migration(settings_module.load(), write) or "No migration is needed.")
        return
    with launch.running_database(_load_settings(data)) as dsn:
        asyncio.run(launch.migrate_to_head(dsn))


@app.command()
def version(json: JsonOption = False) -> None:
    """Print the versions of the hub, Python, Postgres and the tables. Needs no hub."""
    versions = {
        "hub": _hub_version(),
        "python": platform.python_version(),
        "postgres": find_programs().version,
        "revision": migrations.head_revision(),
    }
    print_rows([{"part": part, "version": version} for part, version in versions.items()], json=json)


@app.command()
def sdl() -> None:
    """Print the GraphQL schema."""
    print(graph.build().strawberry.as_str())


@app.command()
def settings(json: JsonOption = False) -> None:
    """Print every setting with its default and meaning, as Markdown."""
    if json:
        print_rows([setting._asdict() for setting in settings_module.describe()], json=True)
    else:
        print(settings_module.markdown(), end="")


@app.command(name="errors")
def print_error_codes(json: JsonOption = False) -> None:
    """Print every error code with its meaning, as Markdown."""
    if json:
        print_rows([{"code": code, "meaning": meaning} for code, meaning in errors.CODES.items()], json=True)
    else:
        print(errors.markdown(), end="")


@app.command(name="doctor")
def run_doctor(data: DataDirOption = None, json: JsonOption = False) -> None:
    """Check the set-up and print problems with their fixes, one line per check."""
    configuration = settings_module.load(data_dir=data)
    checks = doctor.check_machine(configuration)
    try:
        with launch.running_database(configuration) as dsn:
            checks += asyncio.run(doctor.check_installation(dsn))
    except HubError as error:
        checks.append(Check("database", False, error.message))
    if json:
        print_rows([check._asdict() for check in checks], json=True)
    else:
        console = Console(highlight=False, soft_wrap=True)
        for check in checks:
            status = Text("ok     ", "green") if check.ok else Text("problem", "red")
            console.print(status, f"{check.name:<15}", "; ".join(filter(None, check[2:])), markup=False)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def link(
    key: Annotated[
        str | None,
        typer.Option(help="Id of the key whose rights the session gets; the first key by default.", show_default=False),
    ] = None,
    host: HostOption = None,
    port: PortOption = None,
    data: DataDirOption = None,
) -> None:
    """Print a new login link, which opens GraphiQL and /live with a session of its own: once, within 15 minutes."""
    configuration = settings_module.load(host=host, port=port, data_dir=data)
    public_id = key or api_keys.extract_public_id(keyfile.read(configuration.data_dir) or "") or ""

    async def issue(pool: Pool) -> str:
        async with pool.transaction() as tx:
            return await login_links.create(tx, ADMIN, public_id, datetime.now(UTC))

    token = _in_database(data, issue)
    print(f"{server.configured_url(configuration)}{login_links.PATH}{token}")


@key_commands.command()
def create(
    role: Annotated[Role, typer.Option(help="Permissions of the key.")],
    name: Annotated[str, typer.Option(help="A name for the key.")] = "",
    unit: Annotated[str | None, typer.Option(help="Bind the key to a unit and its subtree: id or code.")] = None,
    customer: Annotated[str | None, typer.Option(help="Bind the key to one customer: id.")] = None,
    expires: Annotated[str | None, typer.Option(help="2030-12-31, a full time, or 90d or 12h from now.")] = None,
    data: DataDirOption = None,
) -> None:
    """Create an API key and print it. It is shown once; the database stores only a hash."""
    now = datetime.now(UTC)
    expires_at = None if expires is None else _parse_time(expires, now)
    customer_id = None if customer is None else _parse_uuid(customer)

    async def issue(pool: Pool) -> str:
        async with pool.transaction() as tx:
            unit_id = None if unit is None else await api_keys.find_unit(tx, _database_id(unit))
            return await api_keys.create(tx, ADMIN, api_keys.NewKey(name, role, unit_id, customer_id, expires_at), now)

    print(_in_database(data, issue))


@key_commands.command(name="list")
def list_keys(data: DataDirOption = None, json: JsonOption = False) -> None:
    """List all API keys, without their secret parts. Into a pipe: one line per key, its fields separated by tabs."""
    now = datetime.now(UTC)
    rows = [
        {
            "id": stored_key.public_id,
            "name": stored_key.name,
            "role": stored_key.viewer.role.value,
            "unit": stored_key.viewer.unit_path,
            "customer": None if stored_key.viewer.customer_id is None else f"cus_{stored_key.viewer.customer_id.hex}",
            "created": stored_key.created_at,
            "expires": stored_key.expires_at,
            "last used": stored_key.last_used_at,
            "state": stored_key.state(now),
        }
        for stored_key in _in_database(data, _fetch_keys)
    ]
    print_rows(rows, json=json)


@key_commands.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, the part between its two underscores; or its name.")],
    data: DataDirOption = None,
) -> None:
    """Revoke an API key immediately."""

    async def revoke_key(pool: Pool) -> tuple[str, datetime]:
        now = datetime.now(UTC)
        id = _select_key(await _fetch_keys(pool), key, now)
        async with pool.transaction() as tx:
            return id, await api_keys.revoke(tx, ADMIN, id, now)

    id, revoked_at = _in_database(data, revoke_key)
    print(f"{id} is revoked since {revoked_at.astimezone(UTC):%Y-%m-%d %H:%M}")


@webhook_commands.command()
def listen(
    secret: Annotated[
        str, typer.Option(prompt=True, hide_input=True, help="The webhook's secret; prompted for if left out.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 8787,
) -> None:
    """Receive deliveries on this machine, verify their signatures and print them. HUB_WEBHOOK_ALLOW must allow the address."""
    try:
        signing_key = signing_secrets.decode_secret(secret)
    except ValueError:
        message = (
            "--secret: this is not the secret of a webhook; give it as the hub returned it, whsec_ and 44 characters."
        )
        raise BadInput(message, code="KEY_INVALID", argument="secret") from None
    with suppress(KeyboardInterrupt):
        asyncio.run(dev_receiver.receive(port, signing_key, lambda text: print(text, flush=True)))


def _hub_version() -> str:
    try:
        return metadata.version("hub")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def _warnings(data: Path | None) -> list[str]:
    return settings_module.collect_warnings(data)


def _load_settings(data: Path | None) -> Settings:
    """Reads the settings for a command that ends by itself, and prints warnings about them."""
    for text in _warnings(data):
        print(f"hub: {text}", file=sys.stderr)
    return settings_module.load(data_dir=data)


def _in_database(data: Path | None, function: Callable[[Pool], Awaitable[DatabaseResult]]) -> DatabaseResult:
    configuration = _load_settings(data)
    with launch.running_database(configuration) as dsn:
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))
        return asyncio.run(launch.with_pool(configuration, dsn, function))


async def _fetch_keys(pool: Pool) -> list[api_keys.StoredKey]:
    async with pool.connection() as connection:
        return await api_keys.list_keys(connection, ADMIN)


def _select_key(stored_keys: list[api_keys.StoredKey], text: str, now: datetime) -> str:
    """Returns the id of the key that a user means: by id, or by a name that one living key has."""
    if any(stored_key.public_id == text for stored_key in stored_keys):
        return text
    ids = [key.public_id for key in stored_keys if key.name == text and key.state(now) == "living"]
    if len(ids) > 1:
        raise BadInput(f"{len(ids)} living keys have the name {text!r}; give one of the ids {', '.join(ids)}.")
    return ids[0] if ids else text


async def _load_demo(dsn: str, customers: int) -> None:
    """Loads the sample data and shows its progress: a bar on a terminal, otherwise a log line per stage."""
    console = Console(stderr=True)
    started_at = monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)
            if done == total and not console.is_terminal:
                emit(StartupStep(f"sample data: {stage}", round(monotonic() - started_at, 1)))

        loaded = await load(dsn, customers, report)
    if loaded.rows and console.is_terminal:
        step = f"sample data loaded: {sum(loaded.rows.values()):,} rows"
        emit(StartupStep(step, round(monotonic() - started_at, 1)))


def _database_id(text: str) -> str:
    """Returns an API id (`org_0192…`) or a UUID in the form of the database; any other text unchanged."""
    try:
        return str(UUID(text.rpartition("_")[2]))
    except ValueError:
        return text


def _parse_uuid(text: str) -> UUID:
    try:
        return UUID(_database_id(text))
    except ValueError:
        message = f"--customer: {text!r} is not an id; give it as the API shows it, cus_ and 32 characters."
        raise BadInput(message, code="ID_MALFORMED", argument="customer") from None


def _parse_time(text: str, now: datetime) -> datetime:
    duration = DURATION_PATTERN.fullmatch(text)
    if duration:
        return now + (timedelta(hours=int(duration[1])) if duration[2] == "h" else timedelta(days=int(duration[1])))
    try:
        timestamp = datetime.fromisoformat(text)
        return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"--expires: {text!r} is not a time; give 2030-12-31, 2030-12-31T12:00Z, 90d or 12h."
        raise BadInput(message, code="KEY_INVALID", argument="expires") from None


def _log_failure(error: Exception) -> str:
    """Writes the traceback of an unexpected error to a file that only this user may read."""
    with tempfile.NamedTemporaryFile("w", prefix="hub-failure-", suffix=".txt", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    return file.name


def main() -> None:
    """The `hub` command."""
    try:
        app(prog_name="hub")  # also under `python -m hub`
    except HubError as error:
        print(f"hub: {error.message}", file=sys.stderr)
        sys.exit(2 if error.code in USAGE_ERROR_CODES else 1)
    except Exception as error:
        summary = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_SUMMARY_LENGTH]
        print(f"hub: it failed unexpectedly: {summary} (the traceback is in {_log_failure(error)})", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
