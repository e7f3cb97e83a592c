"""`hub projections`: how far derived rows are behind the changes that they follow from, and their rebuild."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hub import graph
from hub.db.pool import Pool
from hub.errors import BadInput, Unavailable
from hub.installation import run_in_database
from hub.model import projection_state
from hub.model.projection_state import ProjectionReport
from hub.model.projections import registered_projections
from hub.terminal import print_rows

commands = typer.Typer(help="Show how far derived rows are, and build them anew.", invoke_without_command=True)
DataDirOption = Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MAX_COUNTED = 100_000  # changes that a projection has still to apply
ATTEMPTS, PAUSE = 100, 0.05  # to begin a rebuild between two pages of a hub that runs; seconds between them


@commands.callback()
def list_projections(context: typer.Context, data: DataDirOption = None, json: JsonOption = False) -> None:
    """List projections: the position of each, how many changes it is behind, and why it failed, if it did."""
    if context.invoked_subcommand is not None:
        return

    async def read(pool: Pool) -> list[ProjectionReport]:
        async with pool.connection() as connection:
            return await projection_state.report(connection, MAX_COUNTED)

    reports = run_in_database(data, read)
    print_rows(
        [{**line._asdict(), "advanced_at": f"{line.advanced_at:%Y-%m-%dT%H:%M:%SZ}"} for line in reports], json=json
    )


@commands.command()
def rebuild(
    name: Annotated[str, typer.Argument(help="Name of the projection, as `hub projections` lists it.")],
    data: DataDirOption = None,
) -> None:
    """Derive all rows of a projection anew, beside the hub that runs. Rows that are right stay as they are."""
    graph.declarations()  # which registers the projections
    known = {projection.name: projection for projection in registered_projections()}
    projection = known.get(name)
    if projection is None or projection.rebuild is None:
        names = ", ".join(sorted(other.name for other in known.values() if other.rebuild is not None))
        raise BadInput(f"name: {name[:63]!r} cannot be built anew; give one of {names}.", argument="name")

    async def run(pool: Pool) -> None:
        for _ in range(ATTEMPTS):
            async with pool.transaction() as tx:
                if await projection_state.request_rebuild(tx, projection):
                    return
            await asyncio.sleep(PAUSE)
        raise Unavailable(f"name: a hub applies changes to {name} without a pause; try again.", argument="name")

    run_in_database(data, run)
    print(f"{name} is built anew by the hub that runs, or the next that starts")
