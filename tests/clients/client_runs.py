"""The client libraries: which are installed, in which version, and a run of their tests against a hub.

The clients of one environment share a process: starting one costs more than most tests."""

import asyncio
import json
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GENERATED = HERE / ".generated"
ENVIRONMENTS = HERE / "environments"
TIMEOUT = 300.0  # seconds for one command

Failures = dict[str, str | None]  # by the name of a client's test; None for one that passed


class Environment(Enum):
    """Where a client is installed: by npm, with the development tools, or in a virtual environment of the folder's name."""

    NODE = "node"
    DEVELOPMENT = "development"
    GQL = "gql"
    CODEGEN = "codegen"  # needs an older graphql-core than gql

    @property
    def bin(self) -> Path:
        """The folder of the environment's programs."""
        if self is Environment.NODE:
            return HERE / "node_modules" / ".bin"
        return (
            Path(sys.executable).parent
            if self is Environment.DEVELOPMENT
            else ENVIRONMENTS / self.value / ".venv" / "bin"
        )

    @property
    def is_installed(self) -> bool:
        return self.bin.exists() and (self is not Environment.NODE or shutil.which("node") is not None)

    def command(self, scripts: Sequence[str]) -> list[str]:
        """The command that runs the tests of these scripts."""
        if self is Environment.NODE:
            return ["node", "--test-force-exit", "--test-reporter=./node/reporter.mjs", "node/all.mjs", *scripts]
        return [str(self.bin / "python"), "python/run.py", *scripts]


@dataclass(frozen=True)
class ClientLibrary:
    """A library of the README's table: its name there, its package, and the script that uses it."""

    name: str
    package: str
    script: str
    environment: Environment

    @property
    def version(self) -> str:
        """The locked version."""
        if self.environment is Environment.NODE:
            version: str = json.loads((HERE / "package.json").read_text())["dependencies"][self.package]
            return version
        if self.environment is Environment.DEVELOPMENT:
            return metadata.version(self.package)
        lock = (ENVIRONMENTS / self.environment.value / "requirements.lock").read_text()
        pinned = re.search(rf"^{re.escape(self.package)}(?:\[.*\])?==(\S+)", lock, re.MULTILINE)
        assert pinned is not None, f"{self.package} is not locked"
        return pinned[1]

    @property
    def generators(self) -> list[list[str]]:
        """The commands that write the code that the script imports; `{url}` and `{key}` are the hub's."""
        return [[str(self.environment.bin / command[0]), *command[1:]] for command in GENERATORS.get(self.name, ())]


NODE, GQL, CODEGEN, DEVELOPMENT = Environment.NODE, Environment.GQL, Environment.CODEGEN, Environment.DEVELOPMENT
CLIENTS = (
    ClientLibrary("Apollo Client", "@apollo/client", "apollo", NODE),
    ClientLibrary("urql", "@urql/core", "urql", NODE),
    ClientLibrary("Relay", "relay-runtime", "relay", NODE),
    ClientLibrary("graphql-codegen", "@graphql-codegen/cli", "graphql-codegen", NODE),
    ClientLibrary("graphql-request", "graphql-request", "graphql-request", NODE),
    ClientLibrary("graphql-ws", "graphql-ws", "graphql-ws", NODE),
    ClientLibrary("graphql-sse", "graphql-sse", "graphql-sse", NODE),
    ClientLibrary("graphql-js", "graphql", "introspection", NODE),
    ClientLibrary("Standard Webhooks in Node", "standardwebhooks", "standardwebhooks", NODE),
    ClientLibrary("gql", "gql", "gql_client", GQL),
    ClientLibrary("ariadne-codegen", "ariadne-codegen", "ariadne_client", CODEGEN),
    ClientLibrary("sgqlc", "sgqlc", "sgqlc_client", CODEGEN),
    ClientLibrary("Standard Webhooks in Python", "standardwebhooks", "standardwebhooks_client", DEVELOPMENT),
)
SGQLC_JSON, SGQLC_MODULE = ".generated/python/schema.json", ".generated/python/sgqlc_schema.py"
GENERATORS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Relay": (("relay-compiler",),),
    "graphql-codegen": (("graphql-codegen", "--config", "node/typed/codegen.mjs"), ("tsc", "--project", "node/typed")),
    "ariadne-codegen": (("ariadne-codegen", "--config", "environments/codegen/ariadne.toml"),),
    "sgqlc": (
        ("python", "-m", "sgqlc.introspection", "-H", "Authorization: Bearer {key}", "{url}", SGQLC_JSON),
        ("sgqlc-codegen", "schema", SGQLC_JSON, SGQLC_MODULE),
    ),
}


class CommandFailed(Exception):
    """A command ended with an error or took too long; holds its output."""


async def run(command: Sequence[str], variables: Mapping[str, str], folder: Path = HERE) -> str:
    """The output of a command; raises CommandFailed."""
    environment = {**os.environ, **variables}
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT)
    try:
        async with asyncio.timeout(TIMEOUT):
            output, _ = await process.communicate()
    except TimeoutError:
        raise CommandFailed(f"{' '.join(command)}: not done after {TIMEOUT:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}\n{output.decode()}")
    return output.decode()


@dataclass
class ClientRuns:
    """Runs the tests of installed clients against the hub at `url`."""

    url: str
    key: str
    failures: dict[str, Failures] = field(default_factory=dict)

    async def run_all(self, selection: Collection[ClientLibrary]) -> None:
        """Generates the clients' code, then runs the tests of one environment after the other."""
        shutil.rmtree(GENERATED, ignore_errors=True)
        for folder in ("relay", "typed", "python"):
            (GENERATED / folder).mkdir(parents=True)
        (GENERATED / "relay" / "package.json").write_text('{"type": "commonjs"}')
        for environment in Environment:
            clients = [client for client in selection if client.environment is environment]
            if clients and environment.is_installed:
                await self._run_environment(environment, clients)

    async def _run_environment(self, environment: Environment, clients: Sequence[ClientLibrary]) -> None:
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(self._generate(client))
        scripts = [client.script for client in clients if client.name not in self.failures]
        try:
            output = await self._run(environment.command(scripts))
        except CommandFailed as error:
            output = str(error)
        for line in output.splitlines():
            if line.startswith('{"client":'):
                outcome = json.loads(line)
                self.failures.setdefault(outcome["client"], {})[outcome["name"]] = outcome["failure"]
        for client in clients:
            self.failures.setdefault(client.name, {"the run": output})

    async def _generate(self, client: ClientLibrary) -> None:
        try:
            for command in client.generators:
                await self._run(command)
        except CommandFailed as error:
            self.failures[client.name] = {"code generation": str(error)}

    async def _run(self, command: Sequence[str]) -> str:
        command = [part.replace("{url}", self.url).replace("{key}", self.key) for part in command]
        variables = {
            "HUB_URL": self.url,
            "HUB_KEY": self.key,
            "HUB_AUTHORIZATION": f"Bearer {self.key}",
            "HUB_GENERATED": str(GENERATED),
            "PYTHONPATH": str(GENERATED / "python"),
        }
        return await run(command, variables)
