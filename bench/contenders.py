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
from bench.children import HOST, POOL, Failed, child, environment, free_port, post, until_ready
from bench.facts import Facts
from bench.workloads import HUB, POSTGRAPHILE, STRAWBERRY, Workload

HERE = Path(__file__).parent
BARE = "bare, hub's SQL"
NODE_PROJECT = HERE / "postgraphile"
NODE_AT_LEAST = 22
INSTALL = 600.0  # seconds npm may take
COMMAND = 60.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that answers GraphQL, with the key that its requests carry."""

    name: str
    pid: int
    address: tuple[str, int]
    path: str
    key: str | None = None
    speaks: str | None = None  # whose documents it takes, if not those of its name

    def bodies(self, work: Workload, facts: Facts) -> list[bytes]:
        return work.bodies(facts, self.speaks or self.name)

    def requests(self, bodies: list[bytes]) -> list[bytes]:
        return [post(self.path, body, self.key) for body in bodies]

    def answer(self, body: bytes) -> bytes:
        return load.fetch(self.address, post(self.path, body, self.key))

    def holding(self, key: str) -> "Contender":
        """The same server, asked with another key."""
        return replace(self, key=key)


@contextmanager
def hub(dsn: str, logs: Path) -> Iterator[Contender]:
    """The hub as it is run in production: limits, metrics and logs on, asked with an admin key."""
    port, log = free_port(), logs / "hub.log"
    command = [sys.executable, "-m", "hub", "serve", "--host", HOST, "--port", str(port)]
    env = environment(HUB_DATABASE_URL=dsn, HUB_POOL_SIZE=POOL, HUB_WORKERS="1")
    with admin_key(dsn) as key, child(command, env, log, HERE.parent) as process:
        until_ready(process, (HOST, port), "/graphql", key, log)
        yield Contender(HUB, process.pid, (HOST, port), "/graphql", key)


@contextmanager
def admin_key(dsn: str, *binding: str) -> Iterator[str]:
    """A key of role admin, bound as the arguments say, revoked at the end."""
    made = hub_command(dsn, "key", "create", "--role", "admin", "--name", "bench", *binding).strip()
    try:
        yield made
    finally:
        hub_command(dsn, "key", "revoke", made.split("_")[1])


def hub_command(dsn: str, *arguments: str) -> str:
    """What a command of the hub prints."""
    done = subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        env=environment(HUB_DATABASE_URL=dsn),
        capture_output=True,
        text=True,
        timeout=COMMAND,
        check=False,
    )
    if done.returncode:
        raise Failed(f"hub {' '.join(arguments[:2])}: {done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def strawberry(dsn: str, logs: Path, tuned: str = "") -> Iterator[Contender]:
    """bench/strawberry_app.py."""
    port, log = free_port(), logs / f"strawberry{tuned}.log"
    env = environment(DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), TUNED=tuned)
    with child([sys.executable, "-m", "bench.strawberry_app"], env, log, HERE.parent) as process:
        until_ready(process, (HOST, port), "/", None, log)
        yield Contender(STRAWBERRY + tuned, process.pid, (HOST, port), "/", speaks=STRAWBERRY)


def strawberry_tuned(dsn: str, logs: Path) -> AbstractContextManager[Contender]:
    """The same with all that is known to make it faster."""
    return strawberry(dsn, logs, ", tuned")


@contextmanager
def bare(dsn: str, logs: Path, asked: Mapping[str, tuple[str, Sequence[Any]]]) -> Iterator[Contender]:
    """bench/bare_app.py, with the statements that it is to send."""
    port, log = free_port(), logs / "bare.log"
    statements = orjson.dumps(asked).decode()
    env = environment(DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), STATEMENTS=statements)
    with child([sys.executable, "-m", "bench.bare_app"], env, log, HERE.parent) as process:
        until_ready(process, (HOST, port), "/", None, log)
        yield Contender(BARE, process.pid, (HOST, port), "/", speaks=HUB)


@contextmanager
def postgraphile(dsn: str, logs: Path) -> Iterator[Contender]:
    """bench/postgraphile/server.mjs, installed from its lock file when it is not yet."""
    node, port, log = node_program(logs), free_port(), logs / "postgraphile.log"
    env = environment(
        DATABASE_URL=dsn, POOL_SIZE=POOL, PORT=str(port), NODE_ENV="production", GRAPHILE_ENV="production"
    )
    with child([str(node), "server.mjs"], env, log, NODE_PROJECT) as process:
        until_ready(process, (HOST, port), "/graphql", None, log)
        yield Contender(POSTGRAPHILE, process.pid, (HOST, port), "/graphql")


def node_program(logs: Path) -> Path:
    """A Node that PostGraphile can run on, with its packages installed; Failed says what is missing."""
    modules = NODE_PROJECT / "node_modules"
    installed, lock = modules / ".package-lock.json", NODE_PROJECT / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm = shutil.which("npm")
        if npm is None:
            raise Failed("PostGraphile needs npm, which is not installed; install Node.js with npm to compare with it")
        with (logs / "npm.log").open("wb") as out:
            done = subprocess.run(
                [npm, "ci"], cwd=NODE_PROJECT, stdout=out, stderr=subprocess.STDOUT, timeout=INSTALL, check=False
            )
        if done.returncode:
            raise Failed(f"npm ci failed in {NODE_PROJECT.name}; see {logs / 'npm.log'}")
    found = modules / ".bin" / "node"
    if found.exists():
        return found
    system = shutil.which("node")
    if system is None or node_version(Path(system)) < NODE_AT_LEAST:
        raise Failed(f"PostGraphile needs Node.js {NODE_AT_LEAST} or newer on this platform")
    return Path(system)


def node_version(node: Path) -> int:
    """The major version of a Node."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=COMMAND, check=True).stdout
    number = re.match(r"v(\d+)", said)
    return int(number[1]) if number else 0
