"""`hub role …`: the operator's view of roles. Changes run the same mutations as administrators send."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from hub import app as hub_app
from hub.db.pool import Connection, Pool
from hub.domain.access import api_keys, roles
from hub.domain.access.shipped_roles import explicit_rules
from hub.errors import BadInput, NotFound
from hub.installation import load_settings, run_in_database, run_with_settings
from hub.rights import AccessRule, RoleVersion, Verb
from hub.terminal import print_rows

DataFolder = Annotated[Path | None, typer.Option("--data", help="Data directory (HUB_DATA_DIR).", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="Id of the API key, as `hub key list` shows it.")]
StaffOption = Annotated[str | None, typer.Option("--staff", help="Id or personnel number of the member of staff.")]

UPSERT = """mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created plans role { version } } }"""
ASSIGN = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"
UNASSIGN = "mutation ($input: RoleUnassignInput!) { roleUnassign(input: $input) { role { name } } }"
commands = typer.Typer(help="List, show, change and assign roles.", no_args_is_help=True)


@commands.command(name="list")
def list_roles(data: DataFolder = None, json: AsJson = False) -> None:
    """List all roles: what they are for, for how many types they have rules, and how many keys and people have them."""

    async def fetch(pool: Pool) -> tuple[list[roles.StoredRole], dict[str, int]]:
        async with pool.connection() as connection:
            return await roles.all_roles(connection), await roles.count_holders(connection)

    stored, holders = run_in_database(data, fetch)
    rows = [
        {
            "name": role.version.name,
            "shipped": role.is_shipped,
            "types": "all" if role.version.rules is None else len(role.version.rules),
            "administers": role.version.administers,
            "holders": holders[role.version.name],
            "description": role.description,
        }
        for role in stored
    ]
    print_rows(rows, json=json)


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the role.")],
    copy: Annotated[
        str | None, typer.Option("--as", help="Print a copy under this name, which does not administer.")
    ] = None,
    data: DataFolder = None,
) -> None:
    """Print a role as JSON, as `hub role apply` reads it. Copy a shipped role with --as before you change it."""

    async def fetch(pool: Pool) -> roles.StoredRole | None:
        async with pool.connection() as connection:
            return await roles.find_role(connection, name)

    role = run_in_database(data, fetch)
    if role is None:
        raise BadInput(f"{name}: there is no such role; `hub role list` shows them.", code="NOT_FOUND", argument="name")
    version = role.version if copy is None else replace(role.version, name=copy, administers=False)
    print(orjson.dumps(_as_input(version, role.description), option=orjson.OPT_INDENT_2).decode())


@commands.command()
def apply(
    file: Annotated[Path, typer.Argument(help="JSON file with the input of roleUpsert, as `hub role show` prints it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and explain the role only.")] = False,
    unbounded: Annotated[
        bool, typer.Option("--unbounded", help="Accept lists that read large parts of a table.")
    ] = False,
    data: DataFolder = None,
) -> None:
    """Create or change a role, and print what its lists read: type, list, entries, and whether that is bounded."""
    try:
        value = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BadInput(f"{file}: it cannot be read ({error}); give a JSON file.", argument="file") from None
    if not isinstance(value, dict):
        raise BadInput(f"{file}: it holds no object; `hub role show` prints one.", argument="file")
    flags = {name: True for name, chosen in (("dryRun", dry_run), ("unbounded", unbounded)) if chosen}
    result = _mutate(data, UPSERT, value | flags)["roleUpsert"]
    print_rows([{name: plan[name] for name in ("type", "list", "entries", "bounded")} for plan in result["plans"]])


@commands.command()
def assign(
    role: Annotated[str, typer.Argument(help="Name of the role.")],
    key: KeyOption = None,
    staff: StaffOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="In place of all roles that it has by now.")] = False,
    data: DataFolder = None,
) -> None:
    """Give a role to an API key or to a member of staff."""
    _mutate(data, ASSIGN, {"role": role, "replace": replace}, key, staff)


@commands.command()
def unassign(
    role: Annotated[str, typer.Argument(help="Name of the role.")],
    key: KeyOption = None,
    staff: StaffOption = None,
    data: DataFolder = None,
) -> None:
    """Take a role from an API key or from a member of staff."""
    _mutate(data, UNASSIGN, {"role": role}, key, staff)


def _mutate(
    data: Path | None, document: str, value: dict[str, Any], key: str | None = None, staff: str | None = None
) -> dict[str, Any]:
    """Runs a mutation as the operator; `key` and `staff` name who is meant. Raises the first error of its response."""

    settings = load_settings(data)

    async def run(pool: Pool) -> dict[str, Any]:
        async with pool.connection() as connection:
            if key is not None:
                value["keyId"] = await _key_id(connection, key)
            if staff is not None:
                value["staffId"] = f"stf_{(await api_keys.find_staff(connection, staff)).hex}"
        return await hub_app.run_mutation(settings, pool, document, {"input": value})

    return run_with_settings(settings, run)


async def _key_id(connection: Connection, public_id: str) -> str:
    """The id of a key as the API shows it; of a session, that of its key."""
    stored_key = await api_keys.find_key(connection, public_id)
    if stored_key is None or stored_key.viewer.key_id is None:
        raise NotFound(f"key: no key has the id {public_id!r}; `hub key list` shows them.", argument="key")
    return f"key_{stored_key.viewer.key_id.hex}"


def _as_input(role: RoleVersion, description: str | None) -> dict[str, Any]:
    value: dict[str, Any] = {"name": role.name, "description": description, "administers": role.administers}
    value |= {"introspects": role.introspects, "trustedOnly": role.trusted_only}
    value["run"] = ["*"] if role.run is None else sorted(role.run)
    if role.budget is not None:
        value["budget"] = {"capacity": role.budget.capacity, "refillPerSecond": int(role.budget.refill_per_second)}
    value["rules"] = [_rule_input(rule) for _, rule in sorted(explicit_rules(role).items())]
    return value


def _rule_input(rule: AccessRule) -> dict[str, Any]:
    optional = {
        "rowFilter": None if rule.row_filter is None else orjson.loads(rule.row_filter),
        "fields": None if rule.fields is None else sorted(rule.fields),
        "writable": None if rule.writable is None else sorted(rule.writable),
        "masks": [{"field": name, "mask": mask.upper()} for name, mask in sorted(rule.masks)] or None,
        "aggregateOnly": rule.aggregate_only or None,
    }
    verbs = [verb.upper() for verb in Verb if verb in rule.verbs]
    return {"entity": rule.entity, "verbs": verbs} | {name: part for name, part in optional.items() if part is not None}
