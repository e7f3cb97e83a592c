"""GraphiQL: the saved operations on the demo data, and the page in a browser. How it is served is test_pages.py's."""

import asyncio
import json
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import pytest_asyncio
import uvicorn
from browser import open_browser, requires_browser, screenshot
from graphql import GraphQLSchema, build_schema, graphql_sync, parse, validate
from graphql.type import is_enum_type, is_list_type, is_non_null_type, is_scalar_type
from hub_process import free_port, is_ready
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from websocket_client import PROTOCOL, WebSocketClient
from websockets.asyncio.client import connect

from hub.web import pages

ROOT = Path(__file__).parents[2]
SDL = ROOT / "schema" / "schema.graphql"
OPERATIONS = sorted((ROOT / "ui" / "src" / "graphiql" / "operations").glob("*.graphql"))
SUBSCRIPTIONS = [path for path in OPERATIONS if "\nsubscription " in path.read_text()]
ANSWERED = [path for path in OPERATIONS if path not in SUBSCRIPTIONS]
KEY = "hub_01234567_not-a-real-key"

# What a CodeMirror editor holds, once it holds something.
EDITOR = "document.querySelector('%s .CodeMirror')?.CodeMirror.getValue()"
QUERY, RESULT = EDITOR % ".graphiql-query-editor", EDITOR % ".result-window"
# The button of a saved operation, by its title as JSON.
BUTTON = "[...document.querySelectorAll('.saved-operations button')].find(b => b.innerText == %s)"
RUN = "document.querySelector('.graphiql-execute-button')"


def test_the_lock_file_names_no_download_address() -> None:
    lock = json.loads((ROOT / "ui" / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
    assert [name for name, entry in lock["packages"].items() if name and "integrity" not in entry] == []
    assert "registry=" not in (ROOT / "ui" / ".npmrc").read_text()


@pytest.fixture(scope="module")
def graphql_schema() -> GraphQLSchema:
    return build_schema(SDL.read_text())


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_a_saved_operation_has_a_title_and_fits_the_schema(path: Path, graphql_schema: GraphQLSchema) -> None:
    text = path.read_text()
    assert re.match(r"# \S.{5,60}\n(query|mutation|subscription) [A-Z]\w+", text)
    assert [error.message for error in validate(graphql_schema, parse(text))] == []


class DemoHub(NamedTuple):
    """`hub demo`: a client with the key that it left in its directory, and the login link that it printed."""

    client: httpx2.AsyncClient
    login_url: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo_hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoHub]:
    """`hub demo`, run as a person would."""
    data, port = tmp_path_factory.mktemp("demo"), free_port()
    command = (sys.executable, "-m", "hub", "demo", "--port", str(port), "--data", str(data))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(120):
            while not (line := (await process.stdout.readline()).decode()).startswith("Login  "):
                assert line, "hub demo ended"
            while not await is_ready(client):
                assert process.returncode is None, "hub demo ended"
                await asyncio.sleep(0.2)
            client.headers["authorization"] = f"Bearer {(data / 'key').read_text().strip()}"
            yield DemoHub(client, line.split()[1])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture(scope="module")
def demo_client(demo_hub: DemoHub) -> httpx2.AsyncClient:
    """A client of `hub demo`."""
    return demo_hub.client


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("query", [path.read_text() for path in ANSWERED], ids=[path.stem for path in ANSWERED])
async def test_a_saved_operation_finds_something_in_the_demo_data(query: str, demo_client: httpx2.AsyncClient) -> None:
    for _ in range(2):  # a click may come twice
        answer = (await demo_client.post("/graphql", json={"query": query})).json()
        if "TooLate" in query:
            (error,) = answer["errors"]
            assert (answer["data"], error["path"], error["extensions"]["code"]) == (
                None,
                ["second"],
                "VERSION_CONFLICT",
            )
            assert error["extensions"]["current"] == {"name": "Alfreds Futterkiste GmbH"}
            continue
        assert "errors" not in answer
        assert [field for field, value in answer["data"].items() if _is_empty(value)] == []


def _is_empty(value: Any) -> bool:
    return not value or (isinstance(value, dict) and value.get("totalCount") == 0)


FIRST_CURSOR = "{ changes(first: 1) { ... on Change { cursor } ... on StreamReady { cursor } } }"
UPDATE_ORDER = """mutation {
    orderUpdate(input: { id: "ord_00d03f2840007c19b627248d7d19e02b", freight: "40" }) { order { number } }
}"""
EXPECTED_MESSAGE = {
    "10-orders-as-they-change": '"number": "11076"',
    "11-a-customer-live": '"owner": {"name": "Nancy Davolio"}',
    "12-best-customers-live": '"name": "QUICK-Stop"',
    "22-my-work": '"tasks": {"totalCount": 0',
    "24-where-an-application-stands": '"workItems": {"nodes": []}',
    "26-imports-live": '"name": "bakeries.csv"',
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("stem", "query"), [(path.stem, path.read_text()) for path in SUBSCRIPTIONS])
async def test_a_saved_subscription_delivers_a_change_of_the_demo_data(
    stem: str, query: str, demo_client: httpx2.AsyncClient
) -> None:
    (begin,) = (await demo_client.post("/graphql", json={"query": FIRST_CURSOR})).json()["data"]["changes"]
    await demo_client.post("/graphql", json={"query": UPDATE_ORDER})
    async with connect(
        str(demo_client.base_url.copy_with(scheme="ws", path="/graphql")), subprotocols=[PROTOCOL]
    ) as socket:
        client = WebSocketClient(socket)
        await client.init({"authorization": demo_client.headers["authorization"]})
        await client.subscribe("1", query, variables={"after": begin["cursor"]} if "$after" in query else {})
        payload = (await client.receive())["payload"]
    assert "errors" not in payload
    assert EXPECTED_MESSAGE[stem] in json.dumps(payload["data"])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "expected"),
    {"NewCustomer": 2, "WhoIsIt": 1, "RecordACall": 1, "FromTheShop": 1, "AnOrderIsSent": 1}.items(),
)
async def test_a_second_click_creates_only_the_customer_again(
    name: str, expected: int, demo_client: httpx2.AsyncClient
) -> None:
    query = next(text for path in OPERATIONS if name in (text := path.read_text()))
    answers = [(await demo_client.post("/graphql", json={"query": query})).text for _ in range(2)]
    ids = [re.findall(r'"(?:id|number)":"(\w+)"', answer) for answer in answers]
    assert all(ids)
    assert len({keys[0] for keys in ids}) == expected


DEMO_STATE = """query($email: String!) {
  created: customers(filter: { name: { eq: "Ana Sousa" } }) { totalCount }
  better: customerBy(identifier: { kind: EXTERNAL_ID, value: "ALFKI" }) { name tier }
  known: customerBy(identifier: { kind: EMAIL, value: $email }) { id }
}"""
RESET_TIER = """mutation {
  customerUpsert(input: { by: { external: { source: "northwind", externalId: "ALFKI" } }, tier: STANDARD }) { created }
}"""
DELETE_CUSTOMER = "mutation($id: ID!) { customerDelete(input: { id: $id }) { deletedId } }"
FOLLOW, START = "Imports and what they refuse, live", "Import a small file: its text, and what its columns mean"
WRITES = [
    ("A new customer", '"stage": "PROSPECT"', '"name": "Ana Sousa"'),
    ("Better terms for a customer", '"tier": "GOLD"'),
    (
        "An edit that comes too late: a version conflict",
        '"code": "VERSION_CONFLICT"',
        '"current": {',
        '"currentVersion":',
    ),
    ("Identify a customer: find or create", '"outcome": "CREATED"'),
    ("Identify a customer: find or create", '"outcome": "MATCHED"'),
]


@requires_browser
@pytest.mark.asyncio(loop_scope="module")
async def test_saved_operations_write_in_a_browser(demo_hub: DemoHub, tmp_path: Path) -> None:
    """Follows the printed link; creates, updates, conflicts and identifies on the demo data, by clicks alone."""
    demo_client = demo_hub.client

    async def ask(query: str, **variables: str) -> Any:
        return (await demo_client.post("/graphql", json={"query": query, "variables": variables})).json()["data"]

    await ask(RESET_TIER)
    before = await ask(DEMO_STATE, email="ines@sousa.pt")
    if before["known"]:
        await ask(DELETE_CUSTOMER, id=before["known"]["id"])
    async with open_browser(tmp_path) as page:
        await page.send("Page.navigate", url=demo_hub.login_url)
        await page.wait_for(f"document.querySelectorAll('.saved-operations button').length == {len(OPERATIONS)}")
        for title, *texts in WRITES:
            await page.click(BUTTON % json.dumps(title))
            await page.wait_for(f"({QUERY})?.includes({json.dumps(title)})")
            await page.click(RUN)
            await page.wait_for(f"{json.dumps(texts)}.every(text => ({RESULT})?.includes(text))")
    assert page.console_messages == []
    after = await ask(DEMO_STATE, email="ines@sousa.pt")
    assert after["created"]["totalCount"] == before["created"]["totalCount"] + 1
    assert after["better"] == {"name": before["better"]["name"], "tier": "GOLD"}  # the late edit left the name alone
    assert after["known"]


@requires_browser
@pytest.mark.asyncio(loop_scope="module")
async def test_an_import_is_started_and_followed_in_a_browser(demo_hub: DemoHub, tmp_path: Path) -> None:
    """One window follows imports live; another one starts an import of pasted text. Clicks of saved operations alone."""
    key = demo_hub.client.headers["authorization"].removeprefix("Bearer ")
    async with open_browser(tmp_path / "follower") as follower, open_browser(tmp_path / "starter") as starter:
        for page, title in ((follower, FOLLOW), (starter, START)):
            await page.send("Page.addScriptToEvaluateOnNewDocument", source=f"sessionStorage['hub:key'] = '{key}'")
            await page.send("Page.navigate", url=str(demo_hub.client.base_url.join("graphiql")))
            await page.wait_for(f"document.querySelectorAll('.saved-operations button').length == {len(OPERATIONS)}")
            await page.click(BUTTON % json.dumps(title))
            await page.wait_for(f"({QUERY})?.includes({json.dumps(title)})")
            await page.click(RUN)
            await page.wait_for(f"({RESULT})?.includes('\"data\"')")
        job = await starter.wait_for(f"({RESULT})?.match(/job_[0-9a-f]{{32}}/)?.[0]")
        shown = f"({RESULT})?.split('{job}')[1]?.split('job_')[0]"
        texts = ['"status": "SUCCEEDED"', '"done": 3', '"total": 3', '"rejected": 1', "'Atlantis' is not among the"]
        await follower.wait_for(f"{json.dumps(texts)}.every(text => {shown}?.includes(text))")
        await screenshot(follower, "import")
    assert [follower.console_messages, starter.console_messages] == [[], []]


def _example_value(type_: Any) -> Any:
    """Some value of a type: one element of a list, the first word of an enum."""
    if is_non_null_type(type_):
        return _example_value(type_.of_type)
    if is_list_type(type_):
        return [_example_value(type_.of_type)]
    if is_enum_type(type_):
        return next(iter(type_.values))
    return {"Int": 7, "Float": 0.5, "Boolean": True}.get(type_.name, "x") if is_scalar_type(type_) else {}


@pytest.fixture
async def example_server(graphql_schema: GraphQLSchema) -> AsyncIterator[tuple[str, list[str]]]:
    """The real page before made-up answers: the address that starts a session, and the keys it was asked with."""
    keys: list[str] = []

    async def graphql(request: Request) -> JSONResponse:
        keys.append(request.headers.get("authorization", ""))
        asked = await request.json()
        answer = graphql_sync(
            graphql_schema,
            asked["query"],
            variable_values=asked.get("variables"),
            operation_name=asked.get("operationName"),
            field_resolver=lambda _source, info, **_arguments: _example_value(info.return_type),
            type_resolver=lambda _value, info, abstract_type: info.schema.get_possible_types(abstract_type)[0].name,
        )
        return JSONResponse(answer.formatted)

    async def session(request: Request) -> JSONResponse:
        assert await request.json() == {"link": "example"}
        return JSONResponse({"key": KEY})

    own = [Route("/graphql", graphql, methods=["POST"]), Route("/graphiql/session", session, methods=["POST"])]
    app = Starlette(routes=[*own, *pages.routes(enabled=True)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/graphiql#link=example", keys
    server.should_exit = True
    await serving


@requires_browser
async def test_the_page_works_in_a_browser_without_a_network(
    example_server: tuple[str, list[str]], tmp_path: Path
) -> None:
    """Opens a saved operation, runs it, reads the docs, explores, opens the dialogs; nothing is fetched or violated."""
    address, keys = example_server
    title = json.dumps(OPERATIONS[1].read_text().split("\n", 1)[0].removeprefix("# "))
    async with open_browser(tmp_path) as page:
        await page.send("Page.navigate", url=address)
        assert await page.wait_for("document.querySelectorAll('.saved-operations button').length") == len(OPERATIONS)
        assert await page.wait_for("[location.hash, sessionStorage['hub:key']]") == ["", KEY]
        await page.click(BUTTON % title)
        await page.wait_for(f"({QUERY})?.includes({title})")
        await page.click(RUN)
        assert '"data"' in await page.wait_for(RESULT)
        assert await page.wait_for(f"{{shown: document.documentElement.outerHTML.includes('{KEY}')}}") == {
            "shown": False
        }
        await page.click("document.querySelector('[aria-label=\"Show Documentation Explorer\"]')")
        await page.wait_for("document.querySelector('.graphiql-doc-explorer')?.innerText.includes('Query')")
        await page.click("document.querySelector('[aria-label=\"Show GraphiQL Explorer\"]')")
        await page.wait_for("document.querySelector('.graphiql-explorer-root')?.innerText.includes('customers')")
        for dialog in ("Open short keys dialog", "Open settings dialog"):
            await page.click(f"document.querySelector('[aria-label=\"{dialog}\"]')")
            await page.wait_for("document.querySelector('[role=dialog]')")
            await page.press("Escape")
            await page.wait_for("!document.querySelector('[role=dialog]')")
    assert page.console_messages == []
    site = address.partition("/graphiql")[0]
    assert [url for url in page.requested_urls if not url.startswith((f"{site}/graph", "data:"))] == []
    assert set(keys) == {f"Bearer {KEY}"}


@requires_browser
async def test_clicks_in_a_hurry_run_what_is_shown(example_server: tuple[str, list[str]], tmp_path: Path) -> None:
    """A click before there are editors leaves what was typed; one that goes back to a tab can be followed by a run."""
    title = json.dumps(OPERATIONS[2].read_text().split("\n", 1)[0].removeprefix("# "))
    mine, watch = "query Mine { customers { totalCount } }", "observe(document, {childList: true, subtree: true})"
    type_mine = f"!!document.querySelector('.CodeMirror')?.CodeMirror.setValue({json.dumps(mine)}) || {QUERY}"
    tabs = "[...document.querySelectorAll('.graphiql-tab-button')]"
    async with open_browser(tmp_path) as page:
        await page.send("Page.navigate", url=example_server[0])
        assert await page.wait_for(f"({QUERY}) && {type_mine}") == mine
        await page.wait_for("localStorage['graphiql:tabState']?.includes('Mine')")
        early = f"const b = {BUTTON % title}; if (b) {{window.early = !({QUERY}); seen.disconnect(); b.click()}}"
        source = f"new MutationObserver((_, seen) => {{{early}}}).{watch}"
        await page.send("Page.addScriptToEvaluateOnNewDocument", source=source)
        await page.send("Page.navigate", url=example_server[0].partition("#")[0])
        assert await page.wait_for(f"({QUERY})?.includes({title}) && {tabs}.length == 2 && window.early")
        await page.wait_for(f"{tabs}[1].innerText == 'CustomersWithoutOrders'")
        await page.click(f"{tabs}[0]")
        await page.wait_for(f"({QUERY}) == {json.dumps(mine)} && localStorage['graphiql:operationName'] == 'Mine'")
        await page.wait_for(f"[({BUTTON % title}).click(), setTimeout(() => {RUN}.click(), 20)]")
        await page.wait_for(f"({RESULT})?.includes('totalCount') && ({QUERY}).includes({title})")
    assert page.console_messages == []
