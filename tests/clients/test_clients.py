"""Client libraries, unchanged, against one hub. Those that are not installed are left out; `make clients` installs them."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from client_runs import CLIENTS, CODEGEN, GENERATED, HERE, NODE, ROOT, ClientLibrary, ClientRuns, Environment, run
from conftest import CreateDatabase
from graphql import GraphQLInterfaceType, build_schema
from socket_hub import run_socket_hub

SDL = ROOT / "schema" / "schema.graphql"
ORIGIN = "https://app.example"  # of the pages that hub.mjs sends requests for


def needs(environment: Environment) -> pytest.MarkDecorator:
    """Leaves a test out if its environment is not installed."""
    return pytest.mark.skipif(not environment.is_installed, reason="not installed; run `make clients`")


@pytest.fixture(scope="module")
async def client_runs(
    create_database: CreateDatabase, demo_dsn: str, request: pytest.FixtureRequest
) -> AsyncIterator[ClientRuns]:
    """The selected and installed clients, after the run of their tests against one hub on Northwind."""
    selected = {item.name for item in request.session.items}
    selection = [client for client in CLIENTS if f"test_a_client_runs_unchanged[{client.name}]" in selected]
    dsn = await create_database("northwind")
    async with run_socket_hub(dsn, webhook_allow=("127.0.0.1",), allowed_origins=(ORIGIN,)) as hub:
        runs = ClientRuns(f"http://127.0.0.1:{hub.port}/graphql", hub.key)
        await runs.run_all(selection)
        yield runs


@pytest.mark.parametrize(
    "client", [pytest.param(client, id=client.name, marks=needs(client.environment)) for client in CLIENTS]
)
def test_a_client_runs_unchanged(
    client: ClientLibrary, client_runs: ClientRuns, request: pytest.FixtureRequest
) -> None:
    failures = client_runs.failures[client.name]
    request.node.user_properties.append(("client", f"{client.name} {client.version}: {'; '.join(failures)}"))
    messages = [f"{name}: {failure}" for name, failure in failures.items() if failure is not None]
    assert not messages, "\n\n".join(messages)
    assert failures, "no test ran"


@needs(NODE)
async def test_relay_compiler_accepts_a_refetchable_fragment_on_every_node_type(tmp_path: Path) -> None:
    schema = build_schema(SDL.read_text())
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    names = sorted(implementation.name for implementation in schema.get_possible_types(node))
    fragments = [
        f'graphql`fragment all{name} on {name} @refetchable(queryName: "all{name}Query") {{ id __typename }}`;'
        for name in names
    ]
    (tmp_path / "all.js").write_text("\n".join(fragments))
    (tmp_path / "schema.graphql").write_text(SDL.read_text())
    (tmp_path / "relay.config.json").write_text('{"src": ".", "schema": "schema.graphql", "language": "javascript"}')
    await run([str(NODE.bin / "relay-compiler")], {}, tmp_path)
    queries = {path.name for path in (tmp_path / "__generated__").iterdir()}
    assert queries >= {f"all{name}Query.graphql.js" for name in names}
    assert len(names) > 15


@needs(CODEGEN)
async def test_mypy_accepts_the_code_of_ariadne_codegen_and_its_calls(client_runs: ClientRuns) -> None:
    assert GENERATED.joinpath("python", "hub_client").exists(), client_runs.failures
    interpreter = f"--python-executable={CODEGEN.bin / 'python'}"
    config = "--config-file=python/mypy.ini"
    command = [sys.executable, "-m", "mypy", "--strict", config, interpreter, "python/ariadne_client.py"]
    await run(command, {"MYPYPATH": f"{GENERATED / 'python'}:{HERE / 'python'}"})


def test_the_readme_names_every_client_with_its_version() -> None:
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| ")]
    for client in CLIENTS:
        name = client.name.removesuffix(" in Node").removesuffix(" in Python")
        assert any(name in row and client.version in row for row in rows), f"{client.name} {client.version}"
