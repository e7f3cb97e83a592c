"""`hub audit`: verifies the audit log, and prints the digest that is worth storing elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from hub import settings as settings_module
from hub.changefeed import audit_chain, audit_verification
from hub.changefeed.audit_verification import ChainVerification
from hub.db.pool import Pool
from hub.errors import BadInput
from hub.installation import run_with_settings
from hub.settings import Settings
from hub.terminal import print_rows

commands = typer.Typer(help="Verify the audit log.", no_args_is_help=True)

DIGEST_DIGITS = 64
PAGE_SECONDS = 60.0  # for one page of the log


@commands.callback()
def describe() -> None:
    """Verify the audit log."""


@commands.command()
def verify(
    start: Annotated[
        int | None,
        typer.Option("--from", min=1, help="Trust the log up to the entry of this number.", show_default=False),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(help="A digest that was printed before: the log must contain it.", show_default=False),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recompute every digest of the audit log and name the first entry that is not as it was written; exit code 1 then.

    Store the printed digest outside the database. Without --expect a log whose end was cut off looks like a shorter log."""
    expected = None if expect is None else _parse_digest(expect)
    configuration = settings_module.load(data_dir=data, statement_timeout=PAGE_SECONDS)
    result = run_with_settings(configuration, lambda pool: _verify(configuration, pool, start, expected))
    if json:
        print_rows([{**result._asdict(), "digest": result.digest.hex()}], json=True)
    elif result.fault:
        print(f"entry {result.number}: {result.fault}")
    else:
        print(_summary(result))
    if result.fault:
        raise typer.Exit(1)


async def _verify(configuration: Settings, pool: Pool, start: int | None, expected: bytes | None) -> ChainVerification:
    async with pool.connection() as connection:
        key = await audit_chain.load_audit_key(connection, configuration)
    async with pool.snapshot() as connection:
        return await audit_verification.verify(connection, key, start=start, expected=expected)


def _summary(result: ChainVerification) -> str:
    count = result.last - result.first + 1
    erased = f", {result.erased:,} of them with erased contents" if result.erased else ""
    entries = "entry is" if count == 1 else "entries are"
    return f"{count:,} {entries} as written{erased}\nnumber {result.last}\ndigest {result.digest.hex()}"


def _parse_digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(text) != DIGEST_DIGITS or not digest:
        message = f"--expect: {text[:80]!r} is not a digest; give the 64 digits that `hub audit verify` printed."
        raise BadInput(message, code="SETTING_INVALID", argument="expect")
    return digest
