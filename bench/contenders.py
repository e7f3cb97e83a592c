"""Who is compared: how each contender is started on a database, and how it is asked. All get one process, one pool."""

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
    HOST,
    POOL,
    BenchmarkError,
    child_process,
    environment,
    free_port,
    http_request,
    wait_until_ready,
)
from bench.facts import WorkloadInputs
from bench.workloads import HUB, POSTGRAPHILE, STRAWBERRY, Workload

HERE = Path(__file__).parent
BARE = "bare, hub's SQL"
NODE_PROJECT = HERE / "postgraphile"
MIN_NODE_MAJOR = 22
INSTALL_TIMEOUT = 600.0  # seconds npm may take
COMMAND_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that answers GraphQL, with the key that its requests carry."""

    name: str
    pid: int
    address: tuple[str, int]
    path: str
    key: str | None = None
    documents_of: str | None = None  # whose documents it takes, if not those of its name

    def bodies(self, workload: Workload, facts: WorkloadInputs) -> list[bytes]:
        return workload.bodies(facts, self.documents_of or self.name)

    def requests(self, bodies: list[bytes]) -> list[bytes]:
        return [http_request(self.path, body, self.key) for body in bodies]

    def execute(self, body: bytes) -> bytes:
        return load.fetch(self.address, http_request(self.path, body, self.key))

    def with_key(self, key: str) -> "Contender":
        """The same server, asked with another key."""
        return replace(self, key=key)


@contextmanager
def hub(dsn: str, logs: Path) -> Iterator[Contender]:
    """The hub as it is run in production: limits, metrics and logs on, asked with an admin key."""
    port, log = free_port(), logs / "hub.log"
    command = [sys.executable, "-m", "hub", "serve", "--host", HOST, "--port", str(port)]
    env = environment(HUB_DATABASE_URL=dsn, HUB_POOL_SIZE=POOL, HUB_WORKERS="1")
    with admin_key(dsn) as key, child_process(command, env, log, HERE.parent) as process:
        wait_until_ready(process, (HOST, port), "/graphql", key, log)
        yield Contender(HUB, process.pid, (HOST, port), "/graphql", key)


@contextmanager
def admin_key(dsn: str, *binding: str) -> Iterator[str]:
    """A key of role admin, bound as the arguments say, revoked at the end."""
    key = hub_command(dsn, "key", "create", "--role", "admin", "--name", "bench", *binding).strip()
    try:
        yield key
    finally:
        hub_command(dsn, "key", "revoke", key.split("_")[1])


def hub_command(dsn: str, *arguments: str) -> str:
    """What a command of the hub prints."""
    completed = subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        env=environment(HUB_DATABASE_URL=dsn),
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT,
        check=False,
    )
    if completed.returncode:
        raise BenchmarkError(f"hub {' '.join(arguments[:2])}: {completed.stderr[-2000:]}")
    return completed.stdout


@contextmanager
def strawberry(dsn: str, logs: Path, tuned: str = "") -> Iterator[Contender]:
    """bench/strawberry_app.py."""
    port, log = free_port(), logs / f"strawberry{tuned}.log"
    env = environment(DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), TUNED=tuned)
    with child_process([sys.executable, "-m", "bench.strawberry_app"], env, log, HERE.parent) as process:
        wait_until_ready(process, (HOST, port), "/", None, log)
        yield Contender(STRAWBERRY + tuned, process.pid, (HOST, port), "/", documents_of=STRAWBERRY)


def strawberry_tuned(dsn: str, logs: Path) -> AbstractContextManager[Contender]:
    """The same with all that is known to make it faster."""
    return strawberry(dsn, logs, ", tuned")


@contextmanager
def bare(dsn: str, logs: Path, statements_by_workload: Mapping[str, tuple[str, Sequence[Any]]]) -> Iterator[Contender]:
    """bench/bare_app.py, with the statements that it is to send."""
    port, log = free_port(), logs / "bare.log"
    statements = orjson.dumps(statements_by_workload).decode()
    env = environment(DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), STATEMENTS=statements)
    with child_process([sys.executable, "-m", "bench.bare_app"], env, log, HERE.parent) as process:
        wait_until_ready(process, (HOST, port), "/", None, log)
        yield Contender(BARE, process.pid, (HOST, port), "/", documents_of=HUB)


@contextmanager
def postgraphile(dsn: str, logs: Path) -> Iterator[Contender]:
    """bench/postgraphile/server.mjs, installed from its lock file when it is not yet."""
    node, port, log = node_program(logs), free_port(), logs / "postgraphile.log"
    env = environment(
        DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), NODE_ENV="production", GRAPHILE_ENV="production"
    )
    with child_process([str(node), "server.mjs"], env, log, NODE_PROJECT) as process:
        wait_until_ready(process, (HOST, port), "/graphql", None, log)
        yield Contender(POSTGRAPHILE, process.pid, (HOST, port), "/graphql")


def node_program(logs: Path) -> Path:
    """A Node that PostGraphile can run on, with its packages installed; Failed says what is missing."""
    modules = NODE_PROJECT / "node_modules"
    installed, lock = modules / ".package-lock.json", NODE_PROJECT / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = shutil.which("npm")
        if npm is None:
            raise BenchmarkError(
                "PostGraphile needs npm, which is not installed; install Node.js with npm to compare with it"
            )
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
    """The major version of a Node."""
    version_text = subprocess.run(
        [node, "--version"], capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=True
    ).stdout
    version_match = re.match(r"v(\d+)", version_text)
    return int(version_match[1]) if version_match else 0
