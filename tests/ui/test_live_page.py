"""What browsers show of changes as they happen, in GraphiQL and at /live: written by plain SQL, and by nobody's leave.

The hub is a process of its own, so that it can be killed. How the pages are served is test_pages.py's."""

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import Page, in_a_browser, opened
from conftest import NewDatabase, execute, key_for
from hub_process import free_port, served

pytestmark = in_a_browser

QUICK, QUICK_ID = "cus_00c364689c007d7d8745b0e028f79e31", "00c36468-9c00-7d7d-8745-b0e028f79e31"
RESULT = "document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue()"
QUERY = "document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror.getValue()"
RUN = "document.querySelector('.graphiql-execute-button')"
BUTTON = "[...document.querySelectorAll('.saved-operations button')].find(b => b.innerText == %s)"
STATE = "document.querySelector('.state')?.textContent"
SHOWN = """(() => {
    const text = (place) => document.querySelector(place)?.textContent;
    return { name: text('h1'), tier: text('.badge.tier'), order: text('.orders tbody .badge'), said: text('.interactions li p') };
})()"""
# The strip, newest first: operation, type and name of each change.
STRIP = """[...document.querySelectorAll('.changes li')].map((row) =>
    [row.querySelector('.sign').title, ...[...row.querySelectorAll('.kind span, .what')].map((each) => each.textContent)])"""


class Hub:
    """A hub that can be ended and started again at the same address, and gives its key to browsers on this machine."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.process = await served(self.dsn, self.port, "up", "--data", str(self.folder))

    async def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        await self.process.wait()


@pytest.fixture(scope="module")
async def hub(new_database: NewDatabase, demo_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    made = Hub(await new_database("northwind"), tmp_path_factory.mktemp("hub"))
    await made.start()
    yield made
    if made.process.returncode is None:
        await made.end(signal.SIGKILL)


@asynccontextmanager
async def quiet(folder: Path) -> AsyncIterator[Page]:
    """A page that complains of nothing, except that a hub that was killed refuses its connections."""
    async with opened(folder) as page:
        yield page
    assert [each for each in page.complaints if "ERR_CONNECTION_REFUSED" not in each] == []


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with quiet(tmp_path / "page") as opened_page:
        yield opened_page


@pytest.fixture
async def other_page(tmp_path: Path) -> AsyncIterator[Page]:
    async with quiet(tmp_path / "other") as opened_page:
        yield opened_page


async def shown_by_graphiql(page: Page, text: str) -> dict[str, Any]:
    """GraphiQL's answer, as soon as a text is in it."""
    found: dict[str, Any] = json.loads(await page.see(f"({RESULT})?.includes({json.dumps(text)}) && {RESULT}"))
    return found


async def watching(page: Page, hub: Hub) -> None:
    """Opens /live on QUICK-Stop."""
    await page.send("Page.navigate", url=f"{hub.url}/live#{QUICK}")
    await page.see(f"({STATE}) == 'Live' && ({SHOWN}).name == 'QUICK-Stop'")


async def edited(hub: Hub, tier: str, order: str, said: str) -> None:
    """Three changes of QUICK-Stop, by plain SQL: its own, its newest order's, and something that it said."""
    await execute(
        hub.dsn,
        f"""update customers set tier = '{tier}' where id = '{QUICK_ID}';
        update orders set status = '{order}' where number = '11021';
        insert into interactions (customer_id, unit_id, channel, direction, kind, subject, occurred_at)
            select id, unit_id, 'PHONE', 'INBOUND', 'call.taken', '{said}', now() from customers where id = '{QUICK_ID}'""",
    )


async def sees(page: Page, **shown: str) -> None:
    await page.see(f"Object.entries({json.dumps(shown)}).every(([name, text]) => ({SHOWN})[name] == text)")


async def test_live_shows_what_sql_changes(page: Page, hub: Hub) -> None:
    await watching(page, hub)
    await edited(hub, "STANDARD", "RETURNED", "Hello")
    await sees(page, tier="Standard", order="Returned", said="Hello")
    await page.see(f"({STRIP}).length == 3")
    edits = [["Update", "Order", "11021"], ["Update", "Customer", "QUICK-Stop"]]
    assert await page.see(STRIP) == [["Create", "Interaction", "Hello"], *edits]


async def test_when_the_hub_is_killed_both_pages_go_on_and_miss_nothing(page: Page, other_page: Page, hub: Hub) -> None:
    title = json.dumps("Orders, as they change")
    await other_page.send("Page.navigate", url=f"{hub.url}/graphiql")
    await other_page.click(BUTTON % title)
    await other_page.see(f"({QUERY})?.includes({title})")
    await other_page.click(RUN)
    await other_page.see(f"({RESULT})?.includes('StreamReady')")
    await watching(page, hub)

    await edited(hub, "SILVER", "CANCELLED", "Hello?")
    first = await shown_by_graphiql(other_page, "CANCELLED")
    await sees(page, tier="Silver", order="Cancelled", said="Hello?")
    await page.see(f"({STRIP}).length == 3")

    await hub.end(signal.SIGKILL)
    lost = await shown_by_graphiql(other_page, "lost; trying again")
    assert lost == {"data": first["data"], "extensions": {"connection": "lost; trying again"}}
    await page.see(f"({STATE}).startsWith('Reconnecting · as of ')")
    await edited(hub, "PLATINUM", "SHIPPED", "Are you there?")
    await hub.start()

    await sees(page, tier="Platinum", order="Shipped", said="Are you there?")
    await page.see(f"({STATE}) == 'Live' && ({STRIP}).length == 6")
    edits = [["Update", "Order", "11021"], ["Update", "Customer", "QUICK-Stop"]]
    before, after = (["Create", "Interaction", said] for said in ("Hello?", "Are you there?"))
    assert await page.see(STRIP) == [after, *edits, before, *edits]
    last = (await shown_by_graphiql(other_page, "SHIPPED"))["data"]["changes"]
    assert (last["node"]["number"], last["changedFields"]) == ("11021", ["status"])
    await other_page.click(RUN)
    await other_page.see(f"{RUN}.ariaLabel.startsWith('Execute')")


async def test_live_goes_on_after_the_hub_was_restarted_in_peace(page: Page, hub: Hub) -> None:
    await watching(page, hub)
    await hub.end(signal.SIGTERM)
    await edited(hub, "GOLD", "RETURNED", "Closed?")
    await hub.start()
    await sees(page, tier="Gold", order="Returned", said="Closed?")
    await page.see(f"({STRIP})[0]?.[2] == 'Closed?'")


DROPPED = """
const real = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
Object.defineProperty(WebSocket.prototype, 'onmessage', { set(hear) {
    real.set.call(this, (event) => {
        if (window.dropped || !event.data.includes('"interaction":"Lost"')) hear?.(event);
        else window.dropped = true;
    });
} });"""


async def test_live_asks_again_for_a_message_that_was_lost(page: Page, hub: Hub) -> None:
    await page.send("Page.addScriptToEvaluateOnNewDocument", source=DROPPED)
    await watching(page, hub)
    await edited(hub, "SILVER", "SHIPPED", "Lost")
    await page.see("window.dropped")
    await edited(hub, "STANDARD", "RETURNED", "Found")
    told = await page.see(f"({STRIP})[0]?.[2] == 'Found' && {STRIP}")
    assert [name for _, kind, name in told if kind == "Interaction"] == ["Found", "Lost"]


async def test_live_shows_text_as_text(page: Page, hub: Hub) -> None:
    markup = "<img src=x onerror=alert(1)>"
    await watching(page, hub)
    await edited(hub, "GOLD", "SHIPPED", markup)
    await sees(page, said=markup)
    await page.see(f"({STRIP})[0]?.[2] == {json.dumps(markup)}")


async def test_a_customer_is_found_with_the_keyboard_alone(page: Page, hub: Hub) -> None:
    await page.send("Page.navigate", url=f"{hub.url}/live")
    await page.see("document.querySelector('.invitation')")
    await page.press("/")
    await page.send("Input.insertText", text="antonio taqueria")
    await page.see("document.querySelector('[role=option][aria-selected=true]')?.textContent.startsWith('Antonio')")
    await page.press("Enter")
    await sees(page, name="Antonio Moreno Taquería")


async def test_a_key_that_opens_nothing_is_told_of_and_another_is_kept_in_the_tab(page: Page, hub: Hub) -> None:
    key = await key_for(hub.dsn)
    await page.send("Page.addScriptToEvaluateOnNewDocument", source="sessionStorage['hub:key'] ??= 'hub_wrong'")
    await page.send("Page.navigate", url=f"{hub.url}/live#{QUICK}")
    assert await page.see("document.querySelector('dialog[open] .refusal')?.textContent") == "The hub refuses this key."
    await page.send("Input.insertText", text=key)
    await page.press("Enter")
    await sees(page, name="QUICK-Stop")
    kept = await page.see("[{ ...sessionStorage }, { ...localStorage }]")
    assert kept == [{"hub:key": key}, {}]
