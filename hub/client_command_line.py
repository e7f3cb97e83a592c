"""Commands about clients: manifests of trusted documents, and the limits of single keys. hub/cli.py registers them."""

from pathlib import Path
from typing import Annotated

import typer

from hub import graph
from hub import settings as settings_module
from hub.client_limits import ClientLimits, CostBudget
from hub.db.pool import Pool
from hub.domain.access import api_keys, key_limits, trusted_documents
from hub.domain.access.key_limits import LimitChanges
from hub.domain.access.manifests import Manifest, read_manifest
from hub.engine.document.documents import InvalidDocument
from hub.engine.document_stores import document_store
from hub.errors import BadInput, NotFound
from hub.installation import hub_time, run_in_database
from hub.key_command_line import DataDirOption, KeyArgument, selected_key
from hub.terminal import print_rows
from hub.viewer import ADMIN

MAX_REPORTED = 5  # documents of a manifest that do not fit the schema

documents = typer.Typer(help="Load, list and remove manifests of trusted documents.", no_args_is_help=True)


@documents.command()
def load(
    file: Annotated[
        Path, typer.Argument(help="The manifest that the build of an Apollo, Relay or codegen client wrote.")
    ],
    name: Annotated[str, typer.Option(help="A name for the manifest; the file's name by default.")] = "",
    data: DataDirOption = None,
) -> None:
    """Load the documents of a manifest. Those of earlier builds stay, because their clients are still in use."""
    manifest = read_manifest(file)
    _require_valid(manifest, file)
    manifest_name = name or file.name

    async def store(pool: Pool) -> int:
        now = await hub_time(data, pool)
        async with pool.transaction() as tx:
            return await trusted_documents.load(tx, ADMIN, manifest_name, manifest, now)

    new = run_in_database(data, store)
    print(f"{manifest_name}: {len(manifest.documents)} documents ({manifest.format}), {new} of them new")


@documents.command(name="list")
def list_manifests(
    data: DataDirOption = None, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the loaded manifests."""

    async def fetch(pool: Pool) -> list[trusted_documents.LoadedManifest]:
        async with pool.connection() as connection:
            return await trusted_documents.list_manifests(connection, ADMIN)

    rows = [
        {
            "manifest": manifest.manifest,
            "documents": manifest.documents,
            "first loaded": manifest.first_loaded_at,
            "last loaded": manifest.last_loaded_at,
        }
        for manifest in run_in_database(data, fetch)
    ]
    print_rows(rows, json=json)


@documents.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the manifest; `hub documents list` shows them.")],
    data: DataDirOption = None,
) -> None:
    """Remove a manifest: keys that run trusted documents alone are refused its documents within seconds.

    Documents that another manifest has stay."""

    async def delete(pool: Pool) -> trusted_documents.RemovedManifest:
        async with pool.transaction() as tx:
            return await trusted_documents.remove(tx, ADMIN, name)

    removed = run_in_database(data, delete)
    stays = f"; {removed.shared} of them stay, because another manifest has them" if removed.shared else ""
    print(f"{name}: {removed.documents} documents removed{stays}")


def limit_key(
    key: KeyArgument,
    capacity: Annotated[
        int | None, typer.Option(min=0, help="Cost points that the key can save up; 0 for no budget of its own.")
    ] = None,
    refill: Annotated[
        float, typer.Option(help="Cost points per second; 1,000 stand for one database connection in use all the time.")
    ] = 100.0,
    trusted: Annotated[
        bool | None, typer.Option("--trusted/--untrusted", help="Whether it runs only documents of a manifest.")
    ] = None,
    data: DataDirOption = None,
) -> None:
    """Limit an API key: give it a budget of cost points, or let it run trusted documents only. Prints its limits."""
    budget = CostBudget(capacity, refill) if capacity else None
    changes = LimitChanges(budget, without_budget=capacity == 0, trusted_only=trusted)

    async def change(pool: Pool) -> tuple[str, ClientLimits]:
        id = await selected_key(pool, key, await hub_time(data, pool))
        async with pool.transaction() as tx:
            stored_key = await api_keys.find_key(tx, id)
            if stored_key is None or stored_key.viewer.key_id is None or stored_key.is_session:
                raise NotFound(f"key: no key has the id {key!r}; `hub key list` shows them.", argument="key")
            return id, await key_limits.change(tx, ADMIN, stored_key.viewer.key_id, changes)

    id, limits = run_in_database(data, change)
    own = limits.budget
    points = f"{own.capacity:,} points, {own.refill_per_second:g} per second" if own else "none of its own"
    print(f"{id}: budget {points}; {'trusted documents only' if limits.trusted_only else 'any document'}")


def _require_valid(manifest: Manifest, file: Path) -> None:
    """Raises BadInput that names documents which this hub's schema does not answer."""
    store = document_store(graph.build(), settings_module.load())
    faults = []
    for document in manifest.documents:
        outcome = store.check(document.text)
        if isinstance(outcome, InvalidDocument):
            faults.append(f"{document.id[:70]}: {outcome.errors[0].message}")
    if faults:
        shown = "; ".join(faults[:MAX_REPORTED])
        message = (
            f"{file}: {len(faults)} of {len(manifest.documents)} documents cannot run here, so none is loaded. {shown}"
        )
        raise BadInput(message, code=trusted_documents.CODE, argument="manifest")
