"""GraphiQL: its headers, its files, who is shown the demo's key, the saved operations, and the page in a browser."""

import asyncio
import json
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import uvicorn
from browser import opened
from graphql import GraphQLSchema, build_schema, graphql_sync, parse, validate
from graphql.type import is_enum_type, is_list_type, is_non_null_type, is_scalar_type
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from hub.web import pages

ROOT = Path(__file__).parents[1]
SDL = ROOT / "schema" / "schema.graphql"
OPERATIONS = sorted((ROOT / "graphiql" / "src" / "operations").glob("*.graphql"))
KEY = "hub_01234567_not-a-real-key"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_a_browser = pytest.mark.skipif(
    CHROMIUM is None or not pages.STATIC.is_dir(),
    reason="needs chromium, from the system's packages, and the built page: pip install --no-deps -e .",
)
HERE = {"host": "127.0.0.1:8000"}

# What a CodeMirror editor holds, once it holds something.
EDITOR = "document.querySelector('%s .CodeMirror')?.CodeMirror.getValue()"
QUERY, RESULT = EDITOR % ".graphiql-query-editor", EDITOR % ".result-window"
# The button of a saved operation, by its title as JSON.
BUTTON = "[...document.querySelectorAll('.saved-operations button')].find(b => b.innerText == %s)"
RUN = "document.querySelector('.graphiql-execute-button')"

Visit = Callable[..., TestClient]


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    """A client of a small made-up bundle; the arguments say what the hub is and where the client sits."""
    names = {"graphiql-AAAA.js": True, "graphiql-BBBB.css": False, "icon-CCCC.svg": False, "licences.txt": False}
    manifest = {"script": "graphiql-AAAA.js", "style": "graphiql-BBBB.css", "icon": "icon-CCCC.svg", "files": names}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "graphiql-AAAA.js.gz").write_bytes(b"\x1f\x8b")

    def client(sits: str = "127.0.0.1", bound_to: str = "127.0.0.1", key: str | None = KEY, **more: Any) -> TestClient:
        settings: dict[str, Any] = {"enabled": True, "folder": tmp_path} | more
        app = Starlette(routes=pages.routes(demo_key=lambda: key, bound_to=bound_to, **settings))
        return TestClient(app, base_url="http://127.0.0.1:8000", client=(sits, 50000))

    return client


def test_every_answer_forbids_what_does_not_come_from_the_hub(visit: Visit) -> None:
    for path in ("/graphiql", "/graphiql/config.json", "/graphiql/static/graphiql-BBBB.css", "/graphiql/static/absent"):
        headers = visit().get(path).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; "
            "font-src 'self' data:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_page_has_no_inline_code_and_tells_everything_in_metas(visit: Visit) -> None:
    page = visit(subscriptions=True, title='A & "B"').get("/graphiql").text
    assert re.findall(r"<script.*", page) == ['<script type="module" src="graphiql/static/graphiql-AAAA.js"></script>']
    assert re.findall(r"<style|style=| on\w+=|https?:", page) == []
    assert dict(re.findall(r'<meta name="hub:(\w+)" content="(.*?)">', page)) == {
        "endpoint": "graphql",
        "subscriptions": "graphql",
        "config": "graphiql/config.json",
    }
    assert "<title>A &amp; &quot;B&quot;</title>" in page


def test_the_page_is_asked_for_anew_and_answered_with_304_while_it_is_the_same(visit: Visit) -> None:
    first = visit().get("/graphiql")
    assert first.headers["cache-control"] == "no-cache"
    again = visit().get("/graphiql", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = visit(title="Other").get("/graphiql", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:8000", "[::1]:8000", "127.9.9.9"])
def test_a_browser_on_the_hubs_machine_gets_the_demo_key(visit: Visit, host: str) -> None:
    config = visit().get("/graphiql/config.json", headers={"host": host, "sec-fetch-site": "same-origin"})
    assert config.json() == {"headers": {"Authorization": f"Bearer {KEY}"}}
    assert config.headers["cache-control"] == "no-store"
    assert 'name="hub:config"' in visit().get("/graphiql", headers={"host": host}).text


REFUSED: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "a name that resolves to loopback": ({}, [("host", "evil.example:8000")]),
    "a name that begins like loopback": ({}, [("host", "127.0.0.1.evil.example")]),
    "a name that ends like localhost": ({}, [("host", "evil.localhost")]),
    "two hosts": ({}, [("host", "localhost"), ("host", "evil.example")]),
    "a broken host": ({}, [("host", "localhost:8000@evil.example")]),
    "no host": ({}, [("host", "")]),
    "a client elsewhere": ({"sits": "192.0.2.7"}, [*HERE.items()]),
    "a hub open to the network": ({"bound_to": "0.0.0.0"}, [*HERE.items()]),
    "no demo key": ({"key": None}, [*HERE.items()]),
    "a proxy": ({}, [*HERE.items(), ("x-forwarded-for", "192.0.2.7")]),
    "another proxy": ({}, [*HERE.items(), ("forwarded", "for=192.0.2.7")]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nobody_else_gets_the_demo_key_nor_is_told_of_it(visit: Visit, case: str) -> None:
    where, headers = REFUSED[case]
    config = visit(**where).get("/graphiql/config.json", headers=headers)
    assert (config.status_code, config.text) == (404, "not found\n")
    assert "hub:config" not in visit(**where).get("/graphiql", headers=headers).text


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_a_page_of_another_origin_does_not_get_the_demo_key(visit: Visit, site: str) -> None:
    assert visit().get("/graphiql/config.json", headers={"sec-fetch-site": site}).status_code == 404


async def test_a_bare_proxy_on_the_same_machine_does_not_get_the_demo_key() -> None:
    scope = {
        "type": "http",
        "http_version": "1.0",
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1:8000")],
    }
    assert not pages.is_local(Request(scope), "127.0.0.1")
    assert pages.is_local(Request(scope | {"http_version": "1.1"}), "127.0.0.1")
    assert not pages.is_local(Request(scope | {"http_version": "1.1", "client": None}), "127.0.0.1")


def test_files_are_kept_for_ever_and_sent_compressed_to_those_who_can(visit: Visit) -> None:
    plain = visit().get("/graphiql/static/graphiql-AAAA.js", headers={"accept-encoding": "identity"})
    assert plain.content == b"graphiql-AAAA.js"
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["vary"] == "Accept-Encoding"
    small = visit().head("/graphiql/static/graphiql-AAAA.js", headers={"accept-encoding": "gzip"})
    assert (small.headers["content-encoding"], small.headers["content-length"]) == ("gzip", "2")
    assert visit().get("/graphiql/static/licences.txt").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    ["manifest.json", "graphiql-AAAA.js.gz", "..%2fpages.py", "%2e%2e/pages.py", "..%5cpages.py", "%00", "", "a/b"],
)
def test_only_files_of_the_bundle_are_served(visit: Visit, name: str) -> None:
    assert visit().get(f"/graphiql/static/{name}").status_code == 404


def test_a_slash_too_many_leads_to_the_page(visit: Visit) -> None:
    answer = visit().get("/graphiql/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "../graphiql")


def test_graphiql_can_be_switched_off(visit: Visit) -> None:
    for path in ("/graphiql", "/graphiql/config.json", "/graphiql/static/graphiql-AAAA.js"):
        assert visit(enabled=False).get(path).status_code == 404


def test_a_checkout_that_was_not_installed_says_what_to_do(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "graphiql-BBBB.css").unlink()
    page = visit().get("/graphiql")
    assert (page.status_code, "pip install" in page.text) == (503, True)
    assert visit().get("/graphiql/static/graphiql-AAAA.js").status_code == 404


def test_the_lock_file_names_no_download_address() -> None:
    lock = json.loads((ROOT / "graphiql" / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
    assert [name for name, entry in lock["packages"].items() if name and "integrity" not in entry] == []
    assert "registry=" not in (ROOT / "graphiql" / ".npmrc").read_text()


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SDL.read_text())


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_a_saved_operation_has_a_title_and_fits_the_schema(path: Path, schema: GraphQLSchema) -> None:
    text = path.read_text()
    assert re.match(r"# \S.{5,60}\n(query|mutation|subscription) [A-Z]\w+", text)
    assert [error.message for error in validate(schema, parse(text))] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of `hub demo`, run as a person would, with the key that it left in its directory."""
    data, port = tmp_path_factory.mktemp("demo"), _free_port()
    command = (sys.executable, "-m", "hub", "demo", "--port", str(port), "--data", str(data))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(120):
            while not await _ready(client):
                assert process.returncode is None, "hub demo ended"
                await asyncio.sleep(0.2)
            client.headers["authorization"] = f"Bearer {(data / 'key').read_text().strip()}"
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("query", [path.read_text() for path in OPERATIONS], ids=[path.stem for path in OPERATIONS])
async def test_a_saved_operation_finds_something_in_the_demo_data(query: str, demo: httpx2.AsyncClient) -> None:
    for _ in range(2):  # a click may come twice
        answer = (await demo.post("/graphql", json={"query": query})).json()
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
        assert [field for field, found in answer["data"].items() if not found or found.get("totalCount") == 0] == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "made"), {"NewCustomer": 2, "WhoIsIt": 1, "RecordACall": 1, "FromTheShop": 1, "AnOrderIsSent": 1}.items()
)
async def test_a_second_click_makes_only_a_customer_anew(name: str, made: int, demo: httpx2.AsyncClient) -> None:
    query = next(text for path in OPERATIONS if name in (text := path.read_text()))
    answers = [(await demo.post("/graphql", json={"query": query})).text for _ in range(2)]
    found = [re.findall(r'"(?:id|number)":"(\w+)"', answer) for answer in answers]
    assert all(found)
    assert len({keys[0] for keys in found}) == made


SEEN = """query($email: String!) {
  made: customers(filter: { name: { eq: "Ana Sousa" } }) { totalCount }
  better: customerBy(identifier: { kind: EXTERNAL_ID, value: "ALFKI" }) { name tier }
  known: customerBy(identifier: { kind: EMAIL, value: $email }) { id }
}"""
PLAIN = """mutation {
  customerUpsert(input: { by: { identifier: { kind: EXTERNAL_ID, value: "ALFKI" } }, tier: STANDARD }) { created }
}"""
DELETED = "mutation($id: ID!) { customerDelete(input: { id: $id }) { deletedId } }"
WRITES = [
    ("A new customer", '"stage": "PROSPECT"', '"name": "Ana Sousa"'),
    ("Better terms for a customer", '"tier": "GOLD"'),
    ("An edit that comes too late, and is told so", '"code": "VERSION_CONFLICT"', '"current": {', '"currentVersion":'),
    ("Who is it? Found, or made", '"outcome": "CREATED"'),
    ("Who is it? Found, or made", '"outcome": "MATCHED"'),
]


@in_a_browser
@pytest.mark.asyncio(loop_scope="module")
async def test_saved_operations_write_in_a_browser(demo: httpx2.AsyncClient, tmp_path: Path) -> None:
    """Creates, updates, conflicts and identifies on the demo data, by clicks alone."""

    async def ask(query: str, **variables: str) -> Any:
        return (await demo.post("/graphql", json={"query": query, "variables": variables})).json()["data"]

    await ask(PLAIN)
    before = await ask(SEEN, email="ines@sousa.pt")
    if before["known"]:
        await ask(DELETED, id=before["known"]["id"])
    async with opened(str(CHROMIUM), tmp_path) as page:
        await page.send("Page.navigate", url=f"{demo.base_url}/graphiql")
        await page.see(f"document.querySelectorAll('.saved-operations button').length == {len(OPERATIONS)}")
        for title, *told in WRITES:
            await page.click(BUTTON % json.dumps(title))
            await page.see(f"({QUERY})?.includes({json.dumps(title)})")
            await page.click(RUN)
            await page.see(f"{json.dumps(told)}.every(told => ({RESULT})?.includes(told))")
    assert page.complaints == []
    after = await ask(SEEN, email="ines@sousa.pt")
    assert after["made"]["totalCount"] == before["made"]["totalCount"] + 1
    assert after["better"] == {"name": before["better"]["name"], "tier": "GOLD"}  # the late edit left the name alone
    assert after["known"]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _anything(kind: Any) -> Any:
    """Some value of a type: one element of a list, the first word of an enum."""
    if is_non_null_type(kind):
        return _anything(kind.of_type)
    if is_list_type(kind):
        return [_anything(kind.of_type)]
    if is_enum_type(kind):
        return next(iter(kind.values))
    return {"Int": 7, "Float": 0.5, "Boolean": True}.get(kind.name, "x") if is_scalar_type(kind) else {}


@pytest.fixture
async def served(schema: GraphQLSchema) -> AsyncIterator[tuple[str, list[str]]]:
    """The real page before made-up answers: the server's address, and the keys it was asked with."""
    keys: list[str] = []

    async def graphql(request: Request) -> JSONResponse:
        keys.append(request.headers.get("authorization", ""))
        asked = await request.json()
        answer = graphql_sync(
            schema,
            asked["query"],
            variable_values=asked.get("variables"),
            operation_name=asked.get("operationName"),
            field_resolver=lambda _source, info, **_arguments: _anything(info.return_type),
            type_resolver=lambda _value, info, kind: info.schema.get_possible_types(kind)[0].name,
        )
        return JSONResponse(answer.formatted)

    routes = pages.routes(enabled=True, demo_key=lambda: KEY, bound_to="127.0.0.1")
    app = Starlette(routes=[Route("/graphql", graphql, methods=["POST"]), *routes])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", keys
    server.should_exit = True
    await serving


@in_a_browser
async def test_the_page_works_in_a_browser_without_a_network(served: tuple[str, list[str]], tmp_path: Path) -> None:
    """Opens a saved operation, runs it, reads the docs, explores, opens the dialogs; nothing is fetched or violated."""
    address, keys = served
    title = json.dumps(OPERATIONS[1].read_text().split("\n", 1)[0].removeprefix("# "))
    async with opened(str(CHROMIUM), tmp_path) as page:
        await page.send("Page.navigate", url=f"{address}/graphiql")
        assert await page.see("document.querySelectorAll('.saved-operations button').length") == len(OPERATIONS)
        assert f"Bearer {KEY}" in await page.see(EDITOR % ".graphiql-editor-tool .graphiql-editor:not(.hidden)")
        await page.click(BUTTON % title)
        await page.see(f"({QUERY}).includes({title})")
        await page.click(RUN)
        assert '"data"' in await page.see(RESULT)
        await page.click("document.querySelector('[aria-label=\"Show Documentation Explorer\"]')")
        await page.see("document.querySelector('.graphiql-doc-explorer')?.innerText.includes('Query')")
        await page.click("document.querySelector('[aria-label=\"Show GraphiQL Explorer\"]')")
        await page.see("document.querySelector('.graphiql-explorer-root')?.innerText.includes('customers')")
        for dialog in ("Open short keys dialog", "Open settings dialog"):
            await page.click(f"document.querySelector('[aria-label=\"{dialog}\"]')")
            await page.see("document.querySelector('[role=dialog]')")
            await page.send("Input.dispatchKeyEvent", type="keyDown", key="Escape", windowsVirtualKeyCode=27)
            await page.see("!document.querySelector('[role=dialog]')")
    assert page.complaints == []
    assert [url for url in page.requested if not url.startswith((f"{address}/graph", "data:"))] == []
    assert set(keys) == {f"Bearer {KEY}"}


@in_a_browser
async def test_clicks_in_a_hurry_run_what_is_shown(served: tuple[str, list[str]], tmp_path: Path) -> None:
    """A click before there are editors leaves what was typed; one that goes back to a tab can be followed by a run."""
    title = json.dumps(OPERATIONS[2].read_text().split("\n", 1)[0].removeprefix("# "))
    mine, watch = "query Mine { customers { totalCount } }", "observe(document, {childList: true, subtree: true})"
    type_mine = f"!!document.querySelector('.CodeMirror')?.CodeMirror.setValue({json.dumps(mine)}) || {QUERY}"
    tabs = "[...document.querySelectorAll('.graphiql-tab-button')]"
    async with opened(str(CHROMIUM), tmp_path) as page:
        await page.send("Page.navigate", url=f"{served[0]}/graphiql")
        assert await page.see(f"({QUERY}) && {type_mine}") == mine
        await page.see("localStorage['graphiql:tabState']?.includes('Mine')")
        early = f"const b = {BUTTON % title}; if (b) {{window.early = !({QUERY}); seen.disconnect(); b.click()}}"
        source = f"new MutationObserver((_, seen) => {{{early}}}).{watch}"
        await page.send("Page.addScriptToEvaluateOnNewDocument", source=source)
        await page.send("Page.navigate", url=f"{served[0]}/graphiql")
        assert await page.see(f"({QUERY})?.includes({title}) && {tabs}.length == 2 && window.early")
        await page.see(f"{tabs}[1].innerText == 'CustomersWithoutOrders'")
        await page.click(f"{tabs}[0]")
        await page.see(f"({QUERY}) == {json.dumps(mine)} && localStorage['graphiql:operationName'] == 'Mine'")
        await page.see(f"[({BUTTON % title}).click(), setTimeout(() => {RUN}.click(), 20)]")
        await page.see(f"({RESULT})?.includes('totalCount') && ({QUERY}).includes({title})")
    assert page.complaints == []
