"""GraphiQL as people use it: on a phone, on a laptop, with saved operations, streams and a key of one's own."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from browser import BrowserTab, open_browser, requires_browser, wait_through_reload
from conftest import CreateDatabase, create_api_key
from hub_process import free_port, start_hub

pytestmark = requires_browser

OPERATIONS = Path(__file__).parents[2] / "ui" / "src" / "graphiql" / "operations"
HEIGHTS = {390: 844, 1366: 768, 1920: 1080}
MAX_EVENTS = 200
EDITOR = "document.querySelector('%s .CodeMirror')?.CodeMirror.getValue()"
QUERY, RESULT = EDITOR % ".graphiql-query-editor", EDITOR % ".result-window"
HEADERS = EDITOR % ".graphiql-editor-tool .graphiql-editor:not(.hidden)"
BUTTON = "[...document.querySelectorAll('.saved-operations button')].find(b => b.innerText == %s)"
RUN = "document.querySelector('.graphiql-execute-button')"
LOG = "document.querySelectorAll('.event-log li')"
RECTANGLES = """Object.fromEntries(['plugin', 'editors', 'response', 'execute-button'].map(name => {
    const {left, right, top, bottom} = document.querySelector('.graphiql-' + name).getBoundingClientRect();
    return [name, {left, right, top, bottom}];
}))"""


class KeyedHub:
    """A hub on Northwind with an admin key."""

    def __init__(self, dsn: str, url: str, key: str) -> None:
        self.dsn = dsn
        self.url = url
        self.key = key

    async def open(self, page: BrowserTab, width: int, *, with_key: bool = True) -> None:
        """Opens GraphiQL in a window of this width, with the key that a session stores in the tab."""
        phone = width < 500
        height = HEIGHTS[width]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        await page.send("Emulation.setDeviceMetricsOverride", **metrics)
        if with_key:
            source = f"sessionStorage.setItem('hub:key', {json.dumps(self.key)})"
            await page.send("Page.addScriptToEvaluateOnNewDocument", source=source)
        await page.send("Page.navigate", url=f"{self.url}/graphiql")
        await page.wait_for(QUERY)


@pytest.fixture(scope="module")
async def keyed_hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[KeyedHub]:
    dsn, port = await create_database("northwind"), free_port()
    process = await start_hub(dsn, port, log_requests=False)
    yield KeyedHub(dsn, f"http://127.0.0.1:{port}", await create_api_key(dsn))
    process.kill()
    await process.wait()


def operation_titles(operation: str) -> list[str]:
    """The titles of the saved operations of a type."""
    texts = (path.read_text() for path in sorted(OPERATIONS.glob("*.graphql")))
    return [text.split("\n", 1)[0].removeprefix("# ") for text in texts if re.search(rf"(?m)^{operation} ", text)]


async def test_s8_a_phone_shows_the_query_above_its_response(keyed_hub: KeyedHub, tmp_path: Path) -> None:
    title = "The customers who bought most"
    async with open_browser(tmp_path) as page:
        await keyed_hub.open(page, 390)
        await page.click("document.querySelector('[aria-label=\"Show Saved operations\"]')")
        await page.click(BUTTON % json.dumps(title))
        await page.wait_for(f"({QUERY}).includes({json.dumps(title)})")
        await page.click(RUN)
        await page.wait_for(f"({RESULT})?.includes('totalCount')")
        shown: dict[str, Any] = await page.wait_for(RECTANGLES)
        width = await page.wait_for("document.documentElement.scrollWidth")
    assert (width, page.console_messages) == (390, [])
    assert shown["plugin"]["right"] <= 0  # the panel uncovers what it opened
    for name in ("editors", "response", "execute-button"):
        assert 0 <= shown[name]["left"] < shown[name]["right"] <= 390
    assert shown["editors"]["bottom"] <= shown["response"]["top"]
    assert min(shown[name]["bottom"] - shown[name]["top"] for name in ("editors", "response")) > 300


@pytest.mark.parametrize("width", [1366, 1920])
async def test_s8_saved_operations_leave_the_editors_their_width(
    keyed_hub: KeyedHub, tmp_path: Path, width: int
) -> None:
    async with open_browser(tmp_path) as page:
        await keyed_hub.open(page, width)
        marks = await page.wait_for(
            "[...document.querySelectorAll('.saved-operations button')].map(b => [b.innerText, b.dataset.mark ?? ''])"
        )
        shown: dict[str, Any] = await page.wait_for(RECTANGLES)
    assert [title for title, effect in marks if effect == "writes"] == operation_titles("mutation")
    assert [title for title, effect in marks if effect == "live"] == operation_titles("subscription")
    assert [title for title, effect in marks if effect == ""] == operation_titles("query")
    assert shown["plugin"]["right"] - shown["plugin"]["left"] <= 264
    assert shown["plugin"]["right"] <= shown["editors"]["left"] < shown["editors"]["right"] <= shown["response"]["left"]
    assert shown["response"]["right"] <= width
    assert min(shown[name]["right"] - shown[name]["left"] for name in ("editors", "response")) >= 470


async def test_s8_the_log_keeps_the_last_stream_events(keyed_hub: KeyedHub, tmp_path: Path) -> None:
    title = json.dumps("Orders, as they change")
    connection = await asyncpg.connect(keyed_hub.dsn)
    async with open_browser(tmp_path) as page:
        await keyed_hub.open(page, 1366)
        await page.click(BUTTON % title)
        await page.wait_for(f"({QUERY})?.includes({title})")
        await page.click(RUN)
        await page.wait_for(f"{LOG}.length == 1 && {LOG}[0].innerText.includes('StreamReady')")
        for freight in (1, 2):
            await connection.execute("update orders set freight = $1 where number = '11021'", freight)
        await page.wait_for(f"{LOG}.length == 3")
        texts = await page.wait_for(f"[...{LOG}].map(row => row.querySelector('pre').textContent)")
        assert ['"freight"' in text for text in texts] == [True, True, False]
        for freight in range(MAX_EVENTS + 1):
            await connection.execute("update orders set freight = $1 where number = '11021'", freight + 100)
        await page.wait_for(f"{LOG}.length == {MAX_EVENTS} && document.querySelector('.event-count').title")
        await page.click("document.querySelector('.event-log header button')")
        assert await page.wait_for(f"{{length: {LOG}.length}}") == {"length": 0}
    await connection.close()
    assert page.console_messages == []


async def test_s8_an_entered_key_is_masked_and_stands_nowhere(keyed_hub: KeyedHub, tmp_path: Path) -> None:
    async with open_browser(tmp_path) as page:
        await keyed_hub.open(page, 1366, with_key=False)
        assert await page.wait_for("document.querySelector('dialog[open] input').type") == "password"
        await page.send("Input.insertText", text=keyed_hub.key)
        await page.press("Enter")
        await wait_through_reload(
            page, f"sessionStorage['hub:key'] && !document.querySelector('dialog[open]') && ({QUERY})"
        )
        await page.click(RUN)
        await page.wait_for(f"({RESULT})?.includes('QUICK-Stop')")
        await page.click(
            "[...document.querySelectorAll('.graphiql-editor-tools button')].find(b => b.innerText == 'Headers')"
        )
        exposed = await page.wait_for(
            f"{{headers: {HEADERS}, shown: document.documentElement.outerHTML.includes('{keyed_hub.key}'), "
            f"stored: JSON.stringify([sessionStorage, localStorage]).includes('{keyed_hub.key}')}}"
        )
    assert exposed == {"headers": "", "shown": False, "stored": False}
