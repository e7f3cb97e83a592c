"""The command line. A command prints what it is asked for on standard output, and all else on standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong setting."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from hub import doctor, errors, launch, schema
from hub import settings as knobs
from hub.db.pool import Pool
from hub.demo.load import load
from hub.domain.access import api_keys
from hub.domain.webhooks import signing_secrets
from hub.errors import BadInput, HubError
from hub.postgres.doctor import Check
from hub.viewer import ADMIN, Role
from hub.webhooks import dev_receiver as listener

hub = typer.Typer(name="hub", help="One GraphQL graph over your customers.", no_args_is_help=True, add_completion=False)
key = typer.Typer(help="Issue, list and revoke API keys.", no_args_is_help=True)
webhook = typer.Typer(help="Help for who receives webhooks.", no_args_is_help=True)
hub.add_typer(key, name="key")
hub.add_typer(webhook, name="webhook")

Host = Annotated[str | None, typer.Option(help="Address to listen on (HUB_HOST).", show_default=False)]
Port = Annotated[int | None, typer.Option(help="Port to listen on (HUB_PORT).", show_default=False)]
Data = Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)]
Workers = Annotated[int | None, typer.Option(help="Processes that serve (HUB_WORKERS).", show_default=False)]
Customers = Annotated[int, typer.Option(min=0, help="Synthetic customers to add to the real ones.")]
Write = Annotated[str | None, typer.Option(help="For developers: what the new migration does.", show_default=False)]

AGE = re.compile(r"(\d{1,5})([hd])")
WRONG_USAGE = ("SETTING_INVALID", "KEY_INVALID", "ID_MALFORMED")
Done = TypeVar("Done")


@hub.command()
def up(host: Host = None, port: Port = None, data: Data = None) -> None:
    """Start the hub with all that it needs: Postgres (unless HUB_DATABASE_URL is set), tables, a first key."""
    launch.up(knobs.load(host=host, port=port, data_dir=data))


@hub.command()
def demo(host: Host = None, port: Port = None, data: Data = None, customers: Customers = 0) -> None:
    """The same, with sample data to look at."""
    launch.up(knobs.load(host=host, port=port, data_dir=data), lambda dsn: _loaded(dsn, customers))


@hub.command()
def serve(host: Host = None, port: Port = None, data: Data = None, workers: Workers = None) -> None:
    """Serve only: the tables and a key are there already."""
    launch.serve(knobs.load(host=host, port=port, data_dir=data, workers=workers))


@hub.command()
def worker(data: Data = None) -> None:
    """Send webhooks only, beside serving processes or in their place (HUB_WEBHOOKS=false); start as many as you need."""
    launch.send(knobs.load(data_dir=data))


@hub.command()
def migrate(data: Data = None, write: Write = None) -> None:
    """Bring the database's tables to what this version needs; or print the migration that changed tables ask for."""
    if write is not None:
        if not write.strip():
            raise typer.BadParameter('say in a few words what it does: --write "tickets"', param_hint="--write")
        print(launch.migration(knobs.load(), write) or "The tables ask for no migration.")
        return
    with launch.database(knobs.load(data_dir=data)) as dsn:
        asyncio.run(launch.migrate_fit(dsn))


@hub.command()
def sdl() -> None:
    """Print the schema as text."""
    print(schema.build().strawberry.as_str())


@hub.command()
def settings() -> None:
    """Print every setting with its default and what it is for, as Markdown."""
    print(knobs.markdown(), end="")


@hub.command(name="errors")
def codes() -> None:
    """Print every error code with what it means, as Markdown."""
    print(errors.markdown(), end="")


@hub.command(name="doctor")
def examine(data: Data = None) -> None:
    """Say what is wrong with the set-up, and how to mend it."""
    chosen = knobs.load(data_dir=data)
    found = doctor.machine(chosen)
    try:
        with launch.database(chosen) as dsn:
            found += asyncio.run(doctor.database(dsn))
    except HubError as error:
        found.append(Check("database", False, error.message, "see above"))
    table = Table(box=None, show_header=False)
    for check in found:
        mark = "[green]well[/]" if check.ok else "[red]wrong[/]"
        table.add_row(mark, check.name, "" if check.ok else f"{check.wrong}; {check.mend}")
    Console().print(table)
    if not all(check.ok for check in found):
        raise typer.Exit(1)


@key.command()
def create(
    role: Annotated[Role, typer.Option(help="What it may do.")],
    name: Annotated[str, typer.Option(help="What you call it.")] = "",
    unit: Annotated[str | None, typer.Option(help="Bind it to a unit and all below: its id or code.")] = None,
    customer: Annotated[str | None, typer.Option(help="Bind it to one customer: its id.")] = None,
    expires: Annotated[str | None, typer.Option(help="2030-12-31, a full time, or 90d or 12h from now.")] = None,
    data: Data = None,
) -> None:
    """Make a key and print it. It is shown once; the database keeps a hash."""
    now = datetime.now(UTC)
    until = None if expires is None else _time(expires, now)
    customer_id = None if customer is None else _uuid(customer)

    async def issue(pool: Pool) -> str:
        async with pool.transaction() as tx:
            unit_id = None if unit is None else await api_keys.unit_named(tx, _plain(unit))
            return await api_keys.create(tx, ADMIN, api_keys.NewKey(name, role, unit_id, customer_id, until), now)

    print(_in_database(data, issue))


@key.command(name="list")
def every(data: Data = None) -> None:
    """Show all keys, without what is secret about them."""

    async def look(pool: Pool) -> list[api_keys.KeyFound]:
        async with pool.connection() as connection:
            return await api_keys.every(connection, ADMIN)

    table = Table("id", "name", "role", "bound to", "created", "expires", "last used", "state", box=None)
    table.columns[0].no_wrap = True
    now = datetime.now(UTC)
    for each in _in_database(data, look):
        bound = each.viewer.unit_path or (f"customer {each.viewer.customer_id}" if each.viewer.customer_id else "")
        times = (_shown(at) for at in (each.created_at, each.expires_at, each.last_used_at))
        table.add_row(each.public_id, each.name, each.viewer.role, bound, *times, each.state(now))
    Console().print(table)


@key.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id, the part between its two underscores.")], data: Data = None
) -> None:
    """Refuse a key from now on."""

    async def end(pool: Pool) -> datetime:
        async with pool.transaction() as tx:
            return await api_keys.revoke(tx, ADMIN, id, datetime.now(UTC))

    print(f"{id} is refused since {_shown(_in_database(data, end))}")


@webhook.command()
def listen(
    secret: Annotated[
        str, typer.Option(prompt=True, hide_input=True, help="The webhook's secret; asked for if left out.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of this machine; 0 takes any free one.")] = 8787,
) -> None:
    """Take deliveries on this machine, check their signatures and show them. The hub must be allowed to reach it."""
    try:
        known = signing_secrets.key_of(secret)
    except ValueError:
        message = "--secret: this is no secret of a webhook; give it as the hub told it, whsec_ and 44 characters."
        raise BadInput(message, code="KEY_INVALID", argument="secret") from None
    with suppress(KeyboardInterrupt):
        asyncio.run(listener.listen(port, known, lambda text: print(text, flush=True)))


def _in_database(data: Path | None, do: Callable[[Pool], Awaitable[Done]]) -> Done:
    chosen = knobs.load(data_dir=data)
    with launch.database(chosen) as dsn:
        return asyncio.run(launch.with_pool(chosen, dsn, do))


async def _loaded(dsn: str, customers: int) -> None:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        bar: dict[str, TaskID] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in bar:
                bar[stage] = bars.add_task(stage, total=total)
            bars.update(bar[stage], completed=done)

        await load(dsn, customers, tell)


def _plain(text: str) -> str:
    """An id as the database writes it, from the API's `org_0192…` or a UUID; any other text as it is."""
    try:
        return str(UUID(text.rpartition("_")[2]))
    except ValueError:
        return text


def _uuid(text: str) -> UUID:
    try:
        return UUID(_plain(text))
    except ValueError:
        message = f"--customer: {text!r} is not an id; give it as the API shows it, cus_ and 32 characters."
        raise BadInput(message, code="ID_MALFORMED", argument="customer") from None


def _time(text: str, now: datetime) -> datetime:
    age = AGE.fullmatch(text)
    if age:
        return now + (timedelta(hours=int(age[1])) if age[2] == "h" else timedelta(days=int(age[1])))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        message = f"--expires: {text!r} is not a time; give 2030-12-31, 2030-12-31T12:00Z, 90d or 12h."
        raise BadInput(message, code="KEY_INVALID", argument="expires") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _shown(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def main() -> None:
    """The `hub` command."""
    try:
        hub()
    except HubError as error:
        print(f"hub: {error.message}", file=sys.stderr)
        sys.exit(2 if error.code in WRONG_USAGE else 1)


if __name__ == "__main__":
    main()
