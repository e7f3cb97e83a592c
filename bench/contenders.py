"""The contenders: how each is started on a database and queried. All have one process and one pool of the same size."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from bench import load
from bench.children import (
    GRAPHQL_PATH,
    HOST,
    POOL,
    REPOSITORY,
    BenchmarkError,
    child_process,
    environment,
    free_port,
    http_request,
    wait_until_ready,
)
from bench.facts import WorkloadInputs
from bench.hub_source import COMMAND_TIMEOUT, WORKING_TREE, HubSource
from bench.workloads import HUB, POSTGRAPHILE, STRAWBERRY, Workload

BARE = "bare, hub's SQL"
ADMIN, WRITER = "admin", "writer"  # roles of keys
NODE_PROJECT = REPOSITORY / "bench" / "postgraphile"
MIN_NODE_MAJOR = 22
INSTALL_TIMEOUT = 600.0  # seconds npm may take


@dataclass(frozen=True, slots=True)
class Contender:
    """A GraphQL server, and the API key for its requests."""

    name: str
    pid: int
    address: tuple[str, int]
    path: str
    key: str | None = None
    documents_of: str | None = None  # the contender whose documents it accepts, if they are not its own

    def bodies(self, workload: Workload, inputs: WorkloadInputs) -> list[bytes]:
        """The bodies of a workload's requests."""
        return workload.bodies(inputs, self.documents_of or self.name)

    def requests(self, bodies: list[bytes]) -> list[bytes]:
        """The whole requests for some bodies."""
        return [http_request(self.path, body, self.key) for body in bodies]

    def execute(self, body: bytes) -> bytes:
        """The body of one response."""
        return load.fetch(self.address, http_request(self.path, body, self.key))

    def with_key(self, key: str) -> "Contender":
        """The same server, queried with another key."""
        return replace(self, key=key)


@contextmanager
def hub(
    dsn: str, logs: Path, source: HubSource = WORKING_TREE, *binding: str, role: str = ADMIN
) -> Iterator[Contender]:
    """One hub process with default settings, as in production, and a key for it, an unbound admin's by default."""
    port, log = free_port(), logs / source.log_name
    command = source.command("serve", "--host", HOST, "--port", str(port), "--workers", "1")
    env = source.environment(dsn, HUB_POOL_SIZE=POOL)
    with (
        new_key(dsn, *binding, role=role, source=source) as key,
        child_process(command, env, log, source.root) as process,
    ):
        wait_until_ready(process, (HOST, port), GRAPHQL_PATH, key, log)
        yield Contender(source.name, process.pid, (HOST, port), GRAPHQL_PATH, key, documents_of=HUB)


@contextmanager
def new_key(dsn: str, *binding: str, role: str = ADMIN, source: HubSource = WORKING_TREE) -> Iterator[str]:
    """A key of a role with the binding that the arguments describe; it is revoked at the end."""
    key = source.run(dsn, "key", "create", "--role", role, "--name", "bench", *binding).strip()
    try:
        yield key
    finally:
        source.run(dsn, "key", "revoke", key.split("_")[1])


@contextmanager
def strawberry(dsn: str, logs: Path, tuned: str = "") -> Iterator[Contender]:
    """A server of bench/strawberry_app.py."""
    port, log = free_port(), logs / f"strawberry{tuned}.log"
    env = environment(DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), TUNED=tuned)
    with child_process([sys.executable, "-m", "bench.strawberry_app"], env, log, REPOSITORY) as process:
        wait_until_ready(process, (HOST, port), "/", None, log)
        yield Contender(STRAWBERRY + tuned, process.pid, (HOST, port), "/", documents_of=STRAWBERRY)


def strawberry_tuned(dsn: str, logs: Path) -> AbstractContextManager[Contender]:
    """The same, with every setting that makes it faster."""
    return strawberry(dsn, logs, ", tuned")


@contextmanager
def bare(dsn: str, logs: Path, statements_by_workload: Mapping[str, tuple[str, Sequence[Any]]]) -> Iterator[Contender]:
    """A server of bench/bare_app.py, with its statements."""
    port, log = free_port(), logs / "bare.log"
    statements = orjson.dumps(statements_by_workload).decode()
    env = environment(DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), STATEMENTS=statements)
    with child_process([sys.executable, "-m", "bench.bare_app"], env, log, REPOSITORY) as process:
        wait_until_ready(process, (HOST, port), "/", None, log)
        yield Contender(BARE, process.pid, (HOST, port), "/", documents_of=HUB)


@contextmanager
def postgraphile(dsn: str, logs: Path) -> Iterator[Contender]:
    """A server of bench/postgraphile/server.mjs; its packages are installed from the lock file when they are missing."""
    node, port, log = node_program(logs), free_port(), logs / "postgraphile.log"
    env = environment(
        DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), NODE_ENV="production", GRAPHILE_ENV="production"
    )
    with child_process([str(node), "server.mjs"], env, log, NODE_PROJECT) as process:
        wait_until_ready(process, (HOST, port), GRAPHQL_PATH, None, log)
        yield Contender(POSTGRAPHILE, process.pid, (HOST, port), GRAPHQL_PATH)


def node_program(logs: Path) -> Path:
    """A Node.js for PostGraphile, with its packages installed; raises BenchmarkError when something is missing."""
    modules = NODE_PROJECT / "node_modules"
    installed, lock = modules / ".package-lock.json", NODE_PROJECT / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = shutil.which("npm")
        if npm is None:
            raise BenchmarkError("PostGraphile needs npm, which is not installed; install Node.js with npm")
        with (logs / "npm.log").open("wb") as output:
            completed = subprocess.run(
                [npm, "ci"],
                cwd=NODE_PROJECT,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_TIMEOUT,
                check=False,
            )
        if completed.returncode:
            raise BenchmarkError(f"npm ci failed in {NODE_PROJECT.name}; see {logs / 'npm.log'}")
    bundled_node = modules / ".bin" / "node"
    if bundled_node.exists():
        return bundled_node
    system_node = shutil.which("node")
    if system_node is None or node_version(Path(system_node)) < MIN_NODE_MAJOR:
        raise BenchmarkError(f"PostGraphile needs Node.js {MIN_NODE_MAJOR} or newer on this platform")
    return Path(system_node)


def node_version(node: Path) -> int:
    """The major version of a Node.js program."""
    version_text = subprocess.run(
        [node, "--version"], capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=True
    ).stdout
    version_match = re.match(r"v(\d+)", version_text)
    return int(version_match[1]) if version_match else 0
