"""The command line. Commands print their result on standard output and everything else on standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong setting."""

import asyncio
import platform
import sys
import tempfile
import traceback
from contextlib import suppress
from enum import StrEnum
from functools import partial
from importlib import metadata
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.text import Text

from hub import (
    audit_command_line,
    client_command_line,
    clock_command_line,
    doctor,
    errors,
    export_command_line,
    graph,
    import_command_line,
    installation,
    job_command_line,
    keyfile,
    launch,
    match_command_line,
    projection_command_line,
    role_command_line,
)
from hub import settings as settings_module
from hub.db import migrate as migrations
from hub.db.pool import Pool
from hub.demo.load import load
from hub.domain.access import api_keys, login_links
from hub.domain.webhooks import signing_secrets
from hub.errors import BadInput, HubError
from hub.key_command_line import key_commands, require_text
from hub.observability import StartupStep, emit
from hub.postgres.binaries import find_programs
from hub.postgres.doctor import Check
from hub.score_sample import load_score_models
from hub.segment_sample import load_segments
from hub.terminal import print_rows
from hub.viewer import ADMIN
from hub.web import server
from hub.webhooks import dev_receiver
from hub.work_sample import load_work_sample

app = typer.Typer(
    name="hub", help="One GraphQL graph of your customer data.", no_args_is_help=True, pretty_exceptions_enable=False
)
webhook_commands = typer.Typer(help="Tools for receivers of webhooks.", no_args_is_help=True)
app.add_typer(key_commands, name="key")
app.add_typer(webhook_commands, name="webhook")
app.add_typer(audit_command_line.commands, name="audit")
app.add_typer(clock_command_line.commands, name="clock")
app.add_typer(role_command_line.commands, name="role")
app.add_typer(job_command_line.commands, name="jobs")
app.add_typer(match_command_line.commands, name="match")
app.add_typer(projection_command_line.commands, name="projections")
app.command(name="import")(import_command_line.import_file)
app.add_typer(client_command_line.documents, name="documents")
app.command(name="export")(export_command_line.export)
key_commands.command(name="limit")(client_command_line.limit_key)


class SampleConfiguration(StrEnum):
    """SampleConfiguration configurations that `hub demo` loads."""

    WORK = "work"


HostOption = Annotated[str | None, typer.Option(help="Address to listen on (HUB_HOST).", show_default=False)]
PortOption = Annotated[int | None, typer.Option(help="Port to listen on (HUB_PORT).", show_default=False)]
DataDirOption = Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)]
WorkersOption = Annotated[int | None, typer.Option(help="Serving processes (HUB_WORKERS).", show_default=False)]
CustomersOption = Annotated[int, typer.Option(min=0, help="Synthetic customers to add to Northwind.")]
SampleOption = Annotated[
    SampleConfiguration | None,
    typer.Option(help="Also load a sample configuration of this module.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WriteOption = Annotated[
    str | None, typer.Option(help="For developers: generate a migration with this description.", show_default=False)
]

MAX_SUMMARY_LENGTH = 300  # characters of an unexpected error's message
USAGE_ERROR_CODES = ("SETTING_INVALID", "KEY_INVALID", "ID_MALFORMED")


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
    launch.up(settings_module.load(host=host, port=port, data_dir=data), warnings=installation.warnings(data))


@app.command()
def demo(
    host: HostOption = None,
    port: PortOption = None,
    data: DataDirOption = None,
    customers: CustomersOption = 0,
    sample: SampleOption = None,
) -> None:
    """Start the hub like `hub up`, with sample data."""
    configuration = settings_module.load(host=host, port=port, data_dir=data)

    async def load_all(dsn: str) -> None:
        await _load_demo(dsn, customers)
        await launch.with_pool(configuration, dsn, partial(load_score_models, configuration))
        await launch.with_pool(configuration, dsn, partial(load_segments, configuration))
        if sample is SampleConfiguration.WORK:
            await launch.with_pool(configuration, dsn, partial(load_work_sample, configuration))

    launch.up(configuration, load_all, installation.warnings(data))


@app.command()
def serve(
    host: HostOption = None, port: PortOption = None, data: DataDirOption = None, workers: WorkersOption = None
) -> None:
    """Serve only: the tables and a key must exist."""
    launch.serve(
        settings_module.load(host=host, port=port, data_dir=data, workers=workers), installation.warnings(data)
    )


@app.command()
def worker(data: DataDirOption = None) -> None:
    """Send webhooks and run jobs only, beside serving processes or instead of them (HUB_WEBHOOKS=false, HUB_JOBS=false).

    Run as many as you need."""
    launch.start_worker(settings_module.load(data_dir=data), installation.warnings(data))


@app.command()
def migrate(data: DataDirOption = None, write: WriteOption = None) -> None:
    """Migrate the database to this version; or, for developers, generate the migration for changed tables."""
    if write is not None:
        if not write.strip():
            raise typer.BadParameter('describe the migration in a few words: --write "tickets"', param_hint="--write")
        print(launch.generate_migration(settings_module.load(), write) or "No migration is needed.")
        return
    with launch.running_database(installation.load_settings(data)) as dsn:
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


@app.command(name="personal")
def print_personal_data(json: JsonOption = False) -> None:
    """Print what every stored column holds of persons. Needs no hub."""
    print_rows([entry._asdict() for entry in graph.personal_data()], json=json)


@app.command(name="doctor")
def run_doctor(data: DataDirOption = None, json: JsonOption = False) -> None:
    """Check the set-up and print problems with their fixes, one line per check."""
    configuration = settings_module.load(data_dir=data)
    checks = doctor.check_machine(configuration)
    checks += asyncio.run(doctor.check_issuers(configuration))
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
            if check.ok and check.problem:
                status = Text("warning", "yellow")
            console.print(status, f"{check.name:<15}", "; ".join(filter(None, check[2:])), markup=False)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def link(
    key: Annotated[
        str | None,
        typer.Option(
            help="Id of the key whose rights the session gets; the first key by default.",
            show_default=False,
            callback=require_text,
        ),
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
            return await login_links.create(tx, ADMIN, public_id, await installation.hub_time(data, pool))

    token = installation.run_in_database(data, issue)
    print(f"{server.configured_url(configuration)}{login_links.PATH}{token}")


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
