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
from conftest import execute_sql

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(".*", "node_modules", "static", "results", "data", "hub-data")
STEP = re.compile(r"\*\*`([^`]+)`\*\*(?:(?!\*\*`).)*?\n *```(python|diff)\n(.*?)\n *```", re.DOTALL)

LOANS = """
insert into loans (customer_id, title, medium, status, lent_at, due_at)
select customer_id, title, 'BOOK', status, lent_at, due_at from identifiers join (values
    ('QUICK', 'Emma', 'LENT', timestamptz '1998-05-01', timestamptz '1998-05-29'),
    ('QUICK', 'Persuasion', 'LENT', '1998-05-02', '1998-05-30'),
    ('QUICK', 'Sanditon', 'RETURNED', '1998-05-03', '1998-05-31'),
    ('ALFKI', 'Walden', 'LENT', '1998-05-04', '1998-06-01')
) as loan_rows (name, title, status, lent_at, due_at) on value = loan_rows.name
"""
QUICK = 'customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"})'
COUNTS = "loans { totalCount } loansGrouped(by: [{field: STATUS}]) { nodes { key { status } stats { count } } }"
WRITTEN = [
    "schema/library/loans.py",
    "schema/library/__init__.py",
    "hub/domain/library/__init__.py",
    "hub/domain/library/loans.py",
    "tests/mutations/test_loans.py",
]
MAX_DECLARATION, MAX_RULES = 60, 30  # lines of code without imports and docstrings of modules

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
                target.parent.mkdir(exist_ok=True)
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
        done = subprocess.run(call, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write_migration(self, message: str) -> str:
        """Generates a migration; returns its path, as the link in hub/ resolves to it."""
        path = Path(self.run("hub", "migrate", "--write", message).strip())
        return str(path.resolve().relative_to(self.root.resolve()))

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
                    body = {"query": query, "variables": variables}
                    headers = {"authorization": f"Bearer {key}"}
                    answer = (await client.post("/graphql", json=body, headers=headers)).json()
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


def code_lines(path: Path) -> int:
    """Lines of a file from its first definition on, blank ones left out."""
    lines = path.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(("class ", "def ", "@", "WEEKS")))
    return sum(1 for line in lines[first:] if line.strip())


async def test_an_entity_costs_its_own_files_and_one_line(tmp_path: Path, northwind_dsn: str) -> None:
    copy = RepositoryCopy(tmp_path / "copy", northwind_dsn)
    shutil.copytree(ROOT, copy.root, ignore=NOT_COPIED, symlinks=True)
    copy.follow((ROOT / "CONTRIBUTING.md").read_text())
    assert copy.written == WRITTEN
    assert copy.edited == {"schema/__init__.py": 1}
    assert code_lines(copy.root / "schema/library/loans.py") <= MAX_DECLARATION
    assert code_lines(copy.root / "hub/domain/library/loans.py") <= MAX_RULES

    migration = copy.write_migration("loans")
    (copy.root / "schema/schema.graphql").write_text(copy.run("hub", "sdl"))
    printed = {migration, "schema/schema.graphql"}
    assert changed_files(copy.root) == {*copy.written, *copy.edited, *printed}
    files = (*copy.written, *copy.edited, migration)
    copy.run("ruff", "check", "--quiet", *files)
    copy.run("ruff", "format", "--check", "--quiet", *files)
    copy.run(
        "pytest",
        "tests/architecture/test_rules.py",
        "tests/architecture/test_generated_files.py",
        "tests/mutations/test_loans.py",
    )

    copy.run("hub", "migrate")
    await execute_sql(copy.dsn, LOANS)
    admin_key = copy.run("hub", "key", "create", "--role", "admin").strip()
    unit_key = copy.run("hub", "key", "create", "--role", "writer", "--unit", "01581").strip()
    async with copy.serving() as ask:
        await the_customer_lists_them(ask, admin_key)
        await the_roots_and_filters_know_them(ask, admin_key)
        await a_unit_sees_its_own(ask, unit_key, admin_key)
        await they_are_written(ask, admin_key)


async def the_customer_lists_them(ask: AskCopy, key: str) -> None:
    page = "filter: {status: {eq: LENT}}, orderBy: [{field: LENT_AT}], first: 1"
    listed = "totalCount pageInfo { hasNextPage endCursor } nodes { id title dueAt customer { name } }"
    data = await ask(key, f"{{ {QUICK} {{ loans({page}) {{ {listed} }} }} }}")
    loans = data["customerBy"]["loans"]
    cursor, loan = loans["pageInfo"].pop("endCursor"), loans["nodes"][0].pop("id")
    node = {"title": "Emma", "dueAt": "1998-05-29T00:00:00+00:00", "customer": {"name": "QUICK-Stop"}}
    assert loans == {"totalCount": 2, "pageInfo": {"hasNextPage": True}, "nodes": [node]}
    behind = f"query ($c: Cursor) {{ {QUICK} {{ loans({page}, after: $c) {{ nodes {{ title }} }} }} }}"
    assert await ask(key, behind, c=cursor) == {"customerBy": {"loans": {"nodes": [{"title": "Persuasion"}]}}}
    by_id = "query ($id: ID!) { loan(id: $id) { status } node(id: $id) { __typename ... on Loan { title } } }"
    expected = {"loan": {"status": "LENT"}, "node": {"__typename": "Loan", "title": "Emma"}}
    assert await ask(key, by_id, id=loan) == expected


async def the_roots_and_filters_know_them(ask: AskCopy, key: str) -> None:
    grouped = [
        {"key": {"status": "LENT"}, "stats": {"count": 3}},
        {"key": {"status": "RETURNED"}, "stats": {"count": 1}},
    ]
    assert await ask(key, f"{{ {COUNTS} }}") == {"loans": {"totalCount": 4}, "loansGrouped": {"nodes": grouped}}
    many = "{ customers(filter: {loans: {count: {gte: 2}}}) { nodes { name } } }"
    assert await ask(key, many) == {"customers": {"nodes": [{"name": "QUICK-Stop"}]}}
    most = "{ customers(orderBy: [{loans: {by: COUNT}, direction: DESC}], first: 2) { nodes { name } } }"
    names = [{"name": "QUICK-Stop"}, {"name": "Alfreds Futterkiste"}]
    assert await ask(key, most) == {"customers": {"nodes": names}}


async def a_unit_sees_its_own(ask: AskCopy, key: str, admin_key: str) -> None:
    grouped = [
        {"key": {"status": "LENT"}, "stats": {"count": 2}},
        {"key": {"status": "RETURNED"}, "stats": {"count": 1}},
    ]
    assert await ask(key, f"{{ {COUNTS} }}") == {"loans": {"totalCount": 3}, "loansGrouped": {"nodes": grouped}}
    foreign = '{ loans(filter: {title: {eq: "Walden"}}) { nodes { id } } }'
    (hidden,) = (await ask(admin_key, foreign))["loans"]["nodes"]
    both = "query ($id: ID!) { loan(id: $id) { title } node(id: $id) { id } }"
    assert await ask(key, both, **hidden) == {"loan": None, "node": None}


async def they_are_written(ask: AskCopy, key: str) -> None:
    (customer,) = (await ask(key, '{ customers(filter: {name: {eq: "QUICK-Stop"}}) { nodes { id } } }'))["customers"][
        "nodes"
    ]
    create = 'mutation ($c: ID!) { loanCreate(input: {customerId: $c, title: " New "}) { loan { id title status } } }'
    loan = (await ask(key, create, c=customer["id"]))["loanCreate"]["loan"]
    assert (loan["title"], loan["status"]) == ("New", "LENT")
    move = "mutation ($id: ID!) { loansStatusMove(input: {rows: [{id: $id, status: RETURNED}]}) { results { loan { status } } } }"
    assert await ask(key, move, id=loan["id"]) == {"loansStatusMove": {"results": [{"loan": {"status": "RETURNED"}}]}}
    delete = "mutation ($id: ID!) { loanDelete(input: {id: $id}) { deletedId } }"
    assert await ask(key, delete, id=loan["id"]) == {"loanDelete": {"deletedId": loan["id"]}}
