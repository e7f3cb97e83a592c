"""CONTRIBUTING.md's way to a new entity, gone to the letter in a copy of the repository, down to a hub that answers."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx2
from conftest import execute_sql, post_query

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "static", "results", "data", "hub-data")
STEP = re.compile(r"\*\*`([^`]+)`\*\*(?:(?!\*\*`).)*?\n *```(python|diff)\n(.*?)\n *```", re.DOTALL)

TICKETS = """
insert into tickets (customer_id, subject, status, due_at, created_at)
select customer_id, subject, status, due_at, placed_at from identifiers join (values
    ('QUICK', 'Where is it?', 'OPEN', timestamptz '1998-05-08', timestamptz '1998-05-01'),
    ('QUICK', 'Too late', 'OPEN', null, '1998-05-02'),
    ('QUICK', 'Here!', 'SOLVED', null, '1998-05-03'),
    ('ALFKI', 'Wrong colour', 'OPEN', null, '1998-05-04')
) as ticket_rows (name, subject, status, due_at, placed_at) on value = ticket_rows.name
"""
QUICK = 'customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"})'
COUNTS = "tickets { totalCount } ticketsGrouped(by: [{field: STATUS}]) { nodes { key { status } stats { count } } }"

AskCopy = Callable[..., Awaitable[Any]]


@dataclass
class RepositoryCopy:
    """A copy of the repository, a database for it, and what was done to it by hand."""

    root: Path
    dsn: str
    written: list[str] = field(default_factory=list)
    edited: dict[str, int] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "PYTHON"))}
        return bare | {"HUB_DATABASE_URL": self.dsn}

    def follow(self, page: str) -> None:
        """Write the files and make the edits that a page tells."""
        for path, language, block in STEP.findall(page):
            target, block = self.root / path, dedent(block)
            if language == "python":
                assert not target.exists()
                target.write_text(block + "\n")
                self.written.append(path)
            else:
                before, added = block.splitlines()
                assert (before[0], added[0], target.read_text().count(before[1:] + "\n")) == (" ", "+", 1)
                target.write_text(target.read_text().replace(before[1:], f"{before[1:]}\n{added[1:]}"))
                self.edited[path] = self.edited.get(path, 0) + 1

    def run(self, *command: str) -> str:
        """What a module prints that is run in the copy."""
        call = [sys.executable, "-m", *command]
        done = subprocess.run(call, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[AskCopy]:
        """Asks the copy's hub, with a key, through its socket."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        call = (sys.executable, "-m", "hub", "serve", "--port", str(port))
        process = await asyncio.create_subprocess_exec(*call, cwd=self.root, env=self.environment, stderr=DEVNULL)
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(60):
                await _ready(client, process)

                async def ask(key: str, query: str, **variables: Any) -> Any:
                    answer = await post_query(client, query, variables, key)
                    assert "errors" not in answer, answer["errors"]
                    return answer["data"]

                yield ask
        finally:
            process.terminate()
            await process.wait()


async def _ready(http_client: httpx2.AsyncClient, process: Process) -> None:
    while process.returncode is None:
        try:
            if (await http_client.get("/readyz")).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("the copy's hub ended at once")


def changed_files(copy: Path) -> set[str]:
    """The files of a copy that the repository does not have, or has otherwise; not those that tools keep."""
    names = (path.relative_to(copy) for path in copy.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    seen = (name for name in names if not name.parts[0].startswith("."))
    return {str(name) for name in seen if not (ROOT / name).exists() or _differ(ROOT / name, copy / name)}


def _differ(one: Path, other: Path) -> bool:
    return one.read_bytes() != other.read_bytes()


async def test_an_entity_costs_three_files_and_two_lines(tmp_path: Path, northwind_dsn: str) -> None:
    copy = RepositoryCopy(tmp_path / "copy", northwind_dsn)
    shutil.copytree(ROOT, copy.root, symlinks=True, ignore=NOT_COPIED)
    copy.follow((ROOT / "CONTRIBUTING.md").read_text())
    assert copy.written == ["hub/domain/tickets.py", "schema/tickets.py", "tests/test_tickets.py"]
    assert copy.edited == {"schema/__init__.py": 1, "schema/customers.py": 1}

    migration = Path(copy.run("hub", "migrate", "--write", "tickets").strip())
    (copy.root / "schema/schema.graphql").write_text(copy.run("hub", "sdl"))
    printed = {str(migration.relative_to(copy.root)), "schema/schema.graphql"}
    assert changed_files(copy.root) == {*copy.written, *copy.edited, *printed}
    files = (*copy.written, *copy.edited, str(migration))
    copy.run("ruff", "check", "--quiet", *files)
    copy.run("ruff", "format", "--check", "--quiet", *files)
    copy.run(
        "pytest",
        "tests/architecture/test_rules.py",
        "tests/architecture/test_generated_files.py",
        "tests/test_tickets.py",
    )

    copy.run("hub", "migrate")
    await execute_sql(copy.dsn, TICKETS)
    everything = copy.run("hub", "key", "create", "--role", "admin").strip()
    one_unit = copy.run("hub", "key", "create", "--role", "reader", "--unit", "01581").strip()
    async with copy.serving() as ask:
        await the_customer_lists_them(ask, everything)
        await the_roots_and_filters_know_them(ask, everything)
        await a_unit_sees_its_own(ask, one_unit, everything)
        await they_are_written(ask, everything)


async def the_customer_lists_them(ask: AskCopy, key: str) -> None:
    page = "filter: {status: {eq: OPEN}}, orderBy: [{field: CREATED_AT}], first: 1"
    listed = "totalCount pageInfo { hasNextPage endCursor } nodes { id subject dueAt customer { name } }"
    data = await ask(key, f"{{ {QUICK} {{ tickets({page}) {{ {listed} }} }} }}")
    tickets = data["customerBy"]["tickets"]
    cursor, ticket = tickets["pageInfo"].pop("endCursor"), tickets["nodes"][0].pop("id")
    node = {"subject": "Where is it?", "dueAt": "1998-05-08T00:00:00+00:00", "customer": {"name": "QUICK-Stop"}}
    assert tickets == {"totalCount": 2, "pageInfo": {"hasNextPage": True}, "nodes": [node]}
    behind = f"query ($c: Cursor) {{ {QUICK} {{ tickets({page}, after: $c) {{ nodes {{ subject }} }} }} }}"
    assert await ask(key, behind, c=cursor) == {"customerBy": {"tickets": {"nodes": [{"subject": "Too late"}]}}}
    by_id = "query ($id: ID!) { ticket(id: $id) { status } node(id: $id) { __typename ... on Ticket { subject } } }"
    expected = {"ticket": {"status": "OPEN"}, "node": {"__typename": "Ticket", "subject": "Where is it?"}}
    assert await ask(key, by_id, id=ticket) == expected


async def the_roots_and_filters_know_them(ask: AskCopy, key: str) -> None:
    grouped = [{"key": {"status": "OPEN"}, "stats": {"count": 3}}, {"key": {"status": "SOLVED"}, "stats": {"count": 1}}]
    assert await ask(key, f"{{ {COUNTS} }}") == {"tickets": {"totalCount": 4}, "ticketsGrouped": {"nodes": grouped}}
    many = "{ customers(filter: {tickets: {count: {gte: 2}}}) { nodes { name } } }"
    assert await ask(key, many) == {"customers": {"nodes": [{"name": "QUICK-Stop"}]}}
    most = "{ customers(orderBy: [{tickets: {by: COUNT}, direction: DESC}], first: 2) { nodes { name } } }"
    names = [{"name": "QUICK-Stop"}, {"name": "Alfreds Futterkiste"}]
    assert await ask(key, most) == {"customers": {"nodes": names}}


async def a_unit_sees_its_own(ask: AskCopy, key: str, everything: str) -> None:
    grouped = [{"key": {"status": "OPEN"}, "stats": {"count": 2}}, {"key": {"status": "SOLVED"}, "stats": {"count": 1}}]
    assert await ask(key, f"{{ {COUNTS} }}") == {"tickets": {"totalCount": 3}, "ticketsGrouped": {"nodes": grouped}}
    foreign = '{ tickets(filter: {subject: {eq: "Wrong colour"}}) { nodes { id } } }'
    (hidden,) = (await ask(everything, foreign))["tickets"]["nodes"]
    both = "query ($id: ID!) { ticket(id: $id) { subject } node(id: $id) { id } }"
    assert await ask(key, both, **hidden) == {"ticket": None, "node": None}


async def they_are_written(ask: AskCopy, key: str) -> None:
    (customer,) = (await ask(key, '{ customers(filter: {name: {eq: "QUICK-Stop"}}) { nodes { id } } }'))["customers"][
        "nodes"
    ]
    create = 'mutation ($c: ID!) { ticketCreate(input: {customerId: $c, subject: " New "}) { ticket { id subject status } } }'
    ticket = (await ask(key, create, c=customer["id"]))["ticketCreate"]["ticket"]
    assert (ticket["subject"], ticket["status"]) == ("New", "OPEN")
    update = "mutation ($id: ID!) { ticketsUpdate(input: {rows: [{id: $id, status: SOLVED}]}) { results { ticket { status } } } }"
    assert await ask(key, update, id=ticket["id"]) == {"ticketsUpdate": {"results": [{"ticket": {"status": "SOLVED"}}]}}
    delete = "mutation ($id: ID!) { ticketDelete(input: {id: $id}) { deletedId } }"
    assert await ask(key, delete, id=ticket["id"]) == {"ticketDelete": {"deletedId": ticket["id"]}}
