"""`hub key …`: create, list, rotate and revoke API keys, as the operator of the hub."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.domain.access.key_commands import MAX_OVERLAP_MINUTES
from hub.domain.access.shipped_roles import SHIPPED_ROLES
from hub.errors import BadInput
from hub.installation import hub_time, run_in_database
from hub.terminal import print_rows
from hub.viewer import ADMIN

DURATION_PATTERN = re.compile(r"(\d{1,5})([mhd])")
DURATION_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

key_commands = typer.Typer(help="Create, list, rotate and revoke API keys.", no_args_is_help=True)


def require_text(parameter: typer.CallbackParam, value: str | list[str] | None) -> str | list[str] | None:
    """Raises BadInput for bytes that are no UTF-8, which the database could not compare with anything."""
    for text in [value] if isinstance(value, str) else value or ():
        try:
            text.encode()
        except UnicodeEncodeError:
            name = str(parameter.name)
            shown = text.encode("utf-8", "surrogateescape").decode("ascii", "backslashreplace")
            message = f"{name}: '{shown[:60]}' is no text in UTF-8; write it anew, or give the id of `hub key list`."
            raise BadInput(message, argument=name) from None
    return value


DataDirOption = Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyArgument = Annotated[
    str,
    typer.Argument(help="The key's id, the part between its two underscores; or its name.", callback=require_text),
]


RoleOption = Annotated[
    str,
    typer.Option(
        help="Name of its role: admin, writer, reader, or one of `hub role list`.",
        callback=require_text,
        autocompletion=lambda: list(SHIPPED_ROLES),
    ),
]
NameOption = Annotated[str, typer.Option(help="A name for the key.", callback=require_text)]
UnitOption = Annotated[
    str | None, typer.Option(help="Bind the key to a unit and its subtree: id or code.", callback=require_text)
]
CustomerOption = Annotated[str | None, typer.Option(help="Bind the key to one customer: id.", callback=require_text)]
StaffOption = Annotated[
    str | None,
    typer.Option(
        help="The member of staff whose key it is: id or personnel number. It sees the person's unit.",
        callback=require_text,
    ),
]
UnrestrictedOption = Annotated[
    bool, typer.Option("--unrestricted", help="The key of a member of staff sees everything.")
]
NetworkOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A network that the key may be used from: 10.1.0.0/16, 2001:db8::/32. Repeat it for more.",
        show_default=False,
        callback=require_text,
    ),
]
SourceOption = Annotated[
    str | None,
    typer.Option(
        help="The system that the key is for: what the key writes, this source says.",
        show_default=False,
        callback=require_text,
    ),
]
ExpiresOption = Annotated[
    str | None, typer.Option(help="2030-12-31, a full time, or 90d, 12h or 30m from now.", callback=require_text)
]


@key_commands.command()
def create(
    role: RoleOption,
    name: NameOption = "",
    unit: UnitOption = None,
    customer: CustomerOption = None,
    staff: StaffOption = None,
    unrestricted: UnrestrictedOption = False,
    network: NetworkOption = None,
    expires: ExpiresOption = None,
    source: SourceOption = None,
    data: DataDirOption = None,
) -> None:
    """Create an API key and print it. It is shown once; the database stores only a hash."""
    expiry = None if expires is None else _parse_expiry(expires)
    customer_id = None if customer is None else _parse_uuid(customer)
    if unrestricted and (staff is None or unit is not None):
        message = "--unrestricted: it stands with --staff and without --unit; leave it out."
        raise BadInput(message, code="KEY_INVALID", argument="unrestricted")

    async def issue(pool: Pool) -> str:
        now = await hub_time(data, pool)
        expires_at = now + expiry if isinstance(expiry, timedelta) else expiry
        async with pool.transaction() as tx:
            unit_id = None if unit is None else await api_keys.find_unit(tx, _database_id(unit))
            staff_id = None if staff is None else await api_keys.find_staff(tx, _database_id(staff))
            new_key = api_keys.NewKey(
                name,
                role,
                unit_id,
                customer_id,
                expires_at,
                staff_id=staff_id,
                follows_unit=staff_id is not None and unit_id is None and customer_id is None and not unrestricted,
                allowed_networks=network or (),
                source=source,
            )
            return await api_keys.create(tx, ADMIN, new_key, now)

    print(run_in_database(data, issue))


@key_commands.command(name="list")
def list_keys(data: DataDirOption = None, json: JsonOption = False) -> None:
    """List all API keys, without their secret parts. Into a pipe: one line per key, its fields separated by tabs."""

    async def fetch(pool: Pool) -> tuple[list[api_keys.StoredKey], datetime]:
        return await _fetch_keys(pool), await hub_time(data, pool)

    stored_keys, now = run_in_database(data, fetch)
    rows = [
        {
            "id": stored_key.public_id,
            "name": stored_key.name,
            "role": ", ".join(stored_key.role_names),
            "unit": stored_key.viewer.unit_path,
            "customer": None if stored_key.viewer.customer_id is None else f"cus_{stored_key.viewer.customer_id.hex}",
            "created": stored_key.created_at,
            "expires": stored_key.expires_at,
            "last used": stored_key.last_used_at,
            "state": stored_key.state(now),
            "staff": None if stored_key.viewer.staff_id is None else f"stf_{stored_key.viewer.staff_id.hex}",
            "networks": " ".join(stored_key.allowed_networks) or None,
            "source": stored_key.viewer.key_source or None,
            "previous until": _upcoming(stored_key.previous_until, now),
        }
        for stored_key in stored_keys
    ]
    print_rows(rows, json=json)


@key_commands.command()
def rotate(
    key: KeyArgument,
    overlap: Annotated[
        str, typer.Option(help="How long the old text opens the API beside the new one: 60m, 12h, 7d; 0m for not.")
    ] = "60m",
    data: DataDirOption = None,
) -> None:
    """Give an API key a new text and print it. Its webhooks and sessions go on; the old text ends after the overlap."""
    duration = DURATION_PATTERN.fullmatch(overlap)
    length = None if duration is None else int(duration[1]) * DURATION_UNITS[duration[2]]
    if length is None or length > timedelta(minutes=MAX_OVERLAP_MINUTES):
        message = f"--overlap: {overlap!r} is not a duration; give 60m, 12h or at most 7d."
        raise BadInput(message, code="KEY_INVALID", argument="overlap")

    async def rotate_key(pool: Pool) -> str:
        now = await hub_time(data, pool)
        id = _select_key(await _fetch_keys(pool), key, now)
        async with pool.transaction() as tx:
            return await api_keys.rotate(tx, ADMIN, id, length, now)

    print(run_in_database(data, rotate_key))


@key_commands.command()
def revoke(key: KeyArgument, data: DataDirOption = None) -> None:
    """Revoke an API key immediately."""

    async def revoke_key(pool: Pool) -> tuple[str, datetime]:
        now = await hub_time(data, pool)
        id = _select_key(await _fetch_keys(pool), key, now)
        async with pool.transaction() as tx:
            return id, await api_keys.revoke(tx, ADMIN, id, now)

    id, revoked_at = run_in_database(data, revoke_key)
    print(f"{id} is revoked since {revoked_at.astimezone(UTC):%Y-%m-%d %H:%M}")


async def _fetch_keys(pool: Pool) -> list[api_keys.StoredKey]:
    async with pool.connection() as connection:
        return await api_keys.list_keys(connection, ADMIN)


async def selected_key(pool: Pool, text: str, now: datetime) -> str:
    """Returns the id of the key that a user means, by id or by name; raises BadInput if the name is not unique."""
    return _select_key(await _fetch_keys(pool), text, now)


def _select_key(stored_keys: list[api_keys.StoredKey], text: str, now: datetime) -> str:
    """Returns the id of the key that a user means: by id, or by a name that one living key has."""
    if any(stored_key.public_id == text for stored_key in stored_keys):
        return text
    ids = [key.public_id for key in stored_keys if key.name == text and key.state(now) == "living"]
    if len(ids) > 1:
        raise BadInput(f"{len(ids)} living keys have the name {text!r}; give one of the ids {', '.join(ids)}.")
    return ids[0] if ids else text


def _upcoming(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment > now else None


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


def _parse_expiry(text: str) -> datetime | timedelta:
    """When a key expires, or how long from now; raises BadInput."""
    duration = DURATION_PATTERN.fullmatch(text)
    if duration:
        return int(duration[1]) * DURATION_UNITS[duration[2]]
    try:
        timestamp = datetime.fromisoformat(text)
        return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"--expires: {text!r} is not a time; give 2030-12-31, 2030-12-31T12:00Z, 90d, 12h or 30m."
        raise BadInput(message, code="KEY_INVALID", argument="expires") from None
