"""What browsers show of changes as they happen, in GraphiQL and at /live: written by plain SQL, and by nobody's leave.

The hub is a process of its own, so that it can be killed. How the pages are served is test_pages.py's."""

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from browser import (
    BrowserTab,
    open_browser,
    requires_browser,
    resize,
    screenshot,
    tab_to,
    wait_through_reload,
)
from conftest import CreateDatabase, create_api_key, execute_sql
from hub_process import free_port, start_hub

from hub.domain.access import login_links
from hub.viewer import ADMIN

pytestmark = requires_browser

QUICK, QUICK_ID = "cus_00c364689c007d7d8745b0e028f79e31", "00c36468-9c00-7d7d-8745-b0e028f79e31"
RESULT = "document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue()"
QUERY = "document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror.getValue()"
RUN = "document.querySelector('.graphiql-execute-button')"
BUTTON = "[...document.querySelectorAll('.saved-operations button')].find(b => b.innerText == %s)"
STATE = "document.querySelector('.state')?.textContent"
CUSTOMER_VIEW = """(() => {
    const text = (selector) => document.querySelector(selector)?.textContent;
    return { name: text('h1'), tier: text('.badge.tier'), order: text('.orders tbody .badge'), said: text('.interactions li p') };
})()"""
# The changes panel, newest first: operation, type and name of each change.
CHANGES_PANEL = """[...document.querySelectorAll('.changes li')].map((row) =>
    [row.querySelector('.sign').title, ...[...row.querySelectorAll('.entity span, .what')].map((part) => part.textContent)])"""


class RestartableHub:
    """A hub that can be ended and started again at the same address."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.process = await start_hub(self.dsn, self.port, "up", "--data", str(self.folder))

    async def login_url(self) -> str:
        """A new login link to /live."""
        connection = await asyncpg.connect(self.dsn)
        token = await login_links.create(connection, ADMIN, (self.folder / "key").read_text()[4:20], datetime.now(UTC))
        await connection.close()
        return f"{self.url}/live#link={token}"

    async def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        await self.process.wait()


@pytest.fixture(scope="module")
async def restartable_hub(
    create_database: CreateDatabase, demo_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RestartableHub]:
    restartable_hub = RestartableHub(await create_database("northwind"), tmp_path_factory.mktemp("hub"))
    await restartable_hub.start()
    yield restartable_hub
    if restartable_hub.process.returncode is None:
        await restartable_hub.end(signal.SIGKILL)


@asynccontextmanager
async def quiet_page(folder: Path, *, with_wrong_key: bool = False) -> AsyncIterator[BrowserTab]:
    """A page that complains of nothing, except that a hub that was killed refuses connections, and any hub a wrong key."""
    async with open_browser(folder) as page:
        yield page
    complaints = [text for text in page.console_messages if "ERR_CONNECTION_REFUSED" not in text]
    if with_wrong_key:
        complaints = [text for text in complaints if not is_refused_key(text)]
    assert complaints == []


def is_refused_key(message: str) -> bool:
    """Whether a message of the console is of an operation that was refused because of its key."""
    url = str(json.loads(message).get("entry", {}).get("url", ""))
    return "the server responded with a status of 401" in message and url.endswith("/graphql")


async def log_in(page: BrowserTab, restartable_hub: RestartableHub) -> None:
    """Starts a session of the page's tab, and leaves the page."""
    await page.send("Page.navigate", url=await restartable_hub.login_url())
    await page.wait_for("sessionStorage['hub:key'] && location.hash == '' && document.querySelector('.invitation')")
    await page.send("Page.navigate", url="about:blank")


@pytest.fixture
async def new_page(tmp_path: Path) -> AsyncIterator[BrowserTab]:
    async with quiet_page(tmp_path / "page") as opened_page:
        yield opened_page


@pytest.fixture
async def page(new_page: BrowserTab, restartable_hub: RestartableHub) -> BrowserTab:
    await log_in(new_page, restartable_hub)
    return new_page


@pytest.fixture
async def other_page(tmp_path: Path, restartable_hub: RestartableHub) -> AsyncIterator[BrowserTab]:
    async with quiet_page(tmp_path / "other") as opened_page:
        await log_in(opened_page, restartable_hub)
        yield opened_page


async def shown_by_graphiql(page: BrowserTab, text: str) -> dict[str, Any]:
    """GraphiQL's answer, as soon as a text is in it."""
    answer: dict[str, Any] = json.loads(await page.wait_for(f"({RESULT})?.includes({json.dumps(text)}) && {RESULT}"))
    return answer


async def open_live_page(page: BrowserTab, restartable_hub: RestartableHub) -> None:
    """Opens /live on QUICK-Stop."""
    await page.send("Page.navigate", url=f"{restartable_hub.url}/live#{QUICK}")
    await page.wait_for(f"({STATE}) == 'Live' && ({CUSTOMER_VIEW}).name == 'QUICK-Stop'")


async def edit_customer(restartable_hub: RestartableHub, tier: str, order: str, said: str) -> None:
    """Three changes of QUICK-Stop, by plain SQL: its own, its newest order's, and something that it said."""
    await execute_sql(
        restartable_hub.dsn,
        f"""update customers set tier = '{tier}' where id = '{QUICK_ID}';
        update orders set status = '{order}' where number = '11021';
        insert into interactions (customer_id, unit_id, channel, direction, kind, subject, occurred_at)
            select id, unit_id, 'PHONE', 'INBOUND', 'call.taken', '{said}', now() from customers where id = '{QUICK_ID}'""",
    )


async def expect_shown(page: BrowserTab, **shown: str) -> None:
    await page.wait_for(f"Object.entries({json.dumps(shown)}).every(([name, text]) => ({CUSTOMER_VIEW})[name] == text)")


async def test_live_shows_what_sql_changes(page: BrowserTab, restartable_hub: RestartableHub) -> None:
    await open_live_page(page, restartable_hub)
    await edit_customer(restartable_hub, "STANDARD", "RETURNED", "Hello")
    await expect_shown(page, tier="Standard", order="Returned", said="Hello")
    await page.wait_for(f"({CHANGES_PANEL}).length == 3")
    edits = [["Update", "Order", "11021"], ["Update", "Customer", "QUICK-Stop"]]
    assert await page.wait_for(CHANGES_PANEL) == [["Create", "Interaction", "Hello"], *edits]


async def test_when_the_hub_is_killed_both_pages_go_on_and_miss_nothing(
    page: BrowserTab, other_page: BrowserTab, restartable_hub: RestartableHub
) -> None:
    title = json.dumps("Orders, as they change")
    await other_page.send("Page.navigate", url=f"{restartable_hub.url}/graphiql")
    await other_page.click(BUTTON % title)
    await other_page.wait_for(f"({QUERY})?.includes({title})")
    await other_page.click(RUN)
    await other_page.wait_for(f"({RESULT})?.includes('StreamReady')")
    await open_live_page(page, restartable_hub)

    await edit_customer(restartable_hub, "SILVER", "CANCELLED", "Hello?")
    first = await shown_by_graphiql(other_page, "CANCELLED")
    await expect_shown(page, tier="Silver", order="Cancelled", said="Hello?")
    await page.wait_for(f"({CHANGES_PANEL}).length == 3")

    await restartable_hub.end(signal.SIGKILL)
    lost = await shown_by_graphiql(other_page, "lost; trying again")
    assert lost == {"data": first["data"], "extensions": {"connection": "lost; trying again"}}
    await page.wait_for(f"({STATE}).startsWith('Reconnecting · as of ')")
    await edit_customer(restartable_hub, "PLATINUM", "SHIPPED", "Are you there?")
    await restartable_hub.start()

    await expect_shown(page, tier="Platinum", order="Shipped", said="Are you there?")
    await page.wait_for(f"({STATE}) == 'Live' && ({CHANGES_PANEL}).length == 6")
    edits = [["Update", "Order", "11021"], ["Update", "Customer", "QUICK-Stop"]]
    before, after = (["Create", "Interaction", said] for said in ("Hello?", "Are you there?"))
    assert await page.wait_for(CHANGES_PANEL) == [after, *edits, before, *edits]
    last = (await shown_by_graphiql(other_page, "SHIPPED"))["data"]["changes"]
    assert (last["node"]["number"], last["changedFields"]) == ("11021", ["status"])
    await other_page.click(RUN)
    await other_page.wait_for(f"{RUN}.ariaLabel.startsWith('Execute')")


async def test_live_goes_on_after_the_hub_was_restarted_in_peace(
    page: BrowserTab, restartable_hub: RestartableHub
) -> None:
    await open_live_page(page, restartable_hub)
    await restartable_hub.end(signal.SIGTERM)
    await edit_customer(restartable_hub, "GOLD", "RETURNED", "Closed?")
    await restartable_hub.start()
    await expect_shown(page, tier="Gold", order="Returned", said="Closed?")
    await page.wait_for(f"({CHANGES_PANEL})[0]?.[2] == 'Closed?'")


DROP_ONE_MESSAGE = """
const real = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage');
Object.defineProperty(WebSocket.prototype, 'onmessage', { set(hear) {
    real.set.call(this, (event) => {
        if (window.dropped || !event.data.includes('"interaction":"Lost"')) hear?.(event);
        else window.dropped = true;
    });
} });"""


async def test_live_asks_again_for_a_message_that_was_lost(page: BrowserTab, restartable_hub: RestartableHub) -> None:
    await page.send("Page.addScriptToEvaluateOnNewDocument", source=DROP_ONE_MESSAGE)
    await open_live_page(page, restartable_hub)
    await edit_customer(restartable_hub, "SILVER", "SHIPPED", "Lost")
    await page.wait_for("window.dropped")
    await edit_customer(restartable_hub, "STANDARD", "RETURNED", "Found")
    changes = await page.wait_for(f"({CHANGES_PANEL})[0]?.[2] == 'Found' && {CHANGES_PANEL}")
    assert [name for _, type_name, name in changes if type_name == "Interaction"] == ["Found", "Lost"]


async def test_live_shows_text_as_text(page: BrowserTab, restartable_hub: RestartableHub) -> None:
    markup = "<img src=x onerror=alert(1)>"
    await open_live_page(page, restartable_hub)
    await edit_customer(restartable_hub, "GOLD", "SHIPPED", markup)
    await expect_shown(page, said=markup)
    await page.wait_for(f"({CHANGES_PANEL})[0]?.[2] == {json.dumps(markup)}")


async def test_a_customer_is_selected_with_the_keyboard_alone(
    page: BrowserTab, restartable_hub: RestartableHub
) -> None:
    await page.send("Page.navigate", url=f"{restartable_hub.url}/live")
    await page.wait_for("document.querySelector('.invitation')")
    await page.press("/")
    await page.send("Input.insertText", text="antonio taqueria")
    await page.wait_for(
        "document.querySelector('[role=option][aria-selected=true]')?.textContent.startsWith('Antonio')"
    )
    await page.press("Enter")
    await expect_shown(page, name="Antonio Moreno Taquería")


STAYS, GOES = "019b0000-0000-7000-8000-00000000000a", "019b0000-0000-7000-8000-00000000000b"
TWICE = f"""
insert into customers (id, kind, name, born_on, language, unit_id)
    select v.id::uuid, 'PERSON', v.name, '1975-12-10', v.language, u.id
    from (values ('{STAYS}', 'Ada Lovelock', 'en'), ('{GOES}', 'Ada Lovelok', 'fr')) as v (id, name, language),
        (select id from org_units where parent_id is null limit 1) as u;
insert into addresses (customer_id, kind, street, city, postal_code) select id, 'MAIN', 'Analytical Row 1', 'London', 'W1'
    from customers where name like 'Ada Lovelo%'"""
LINES = "[...document.querySelectorAll('.reasons tbody tr')].map(row => row.querySelector('.weight').textContent)"


async def test_a_pair_is_merged_and_parted_with_the_keyboard_and_seen_live(
    page: BrowserTab, other_page: BrowserTab, restartable_hub: RestartableHub
) -> None:
    def names(name: str) -> str:
        return f"({STATE}) == 'Live' && document.querySelector('h1')?.textContent == {json.dumps(name)}"

    await execute_sql(restartable_hub.dsn, TWICE)
    await other_page.send("Page.navigate", url=f"{restartable_hub.url}/live#cus_{UUID(GOES).hex}")
    await other_page.wait_for(names("Ada Lovelok"))
    await page.send("Page.navigate", url=f"{restartable_hub.url}/review")
    await page.wait_for(f"({STATE}) == 'Live'")
    await tab_to(page, ".candidates a")
    await page.press("Enter")
    await page.wait_for(names("Ada Lovelock and Ada Lovelok"))
    *weights, total = await page.wait_for(f"[...{LINES}, document.querySelector('.reasons tfoot .weight').textContent]")
    assert sum(Decimal(weight.replace("−", "-")) for weight in weights) == Decimal(total) > 0
    for width, height in ((390, 844), (1366, 768)):
        await resize(page, width, height)
        await page.wait_for("document.documentElement.scrollWidth <= innerWidth")
        await screenshot(page, f"review-{width}")
    await tab_to(page, "input[name=language]")
    await page.press("ArrowRight")
    await tab_to(page, ".decision .primary")
    await page.press("Enter")
    await page.wait_for("document.querySelector('dialog[open] .plan')?.textContent.includes('Language')")
    await screenshot(page, "review-plan")
    await tab_to(page, "dialog .primary")
    await page.press("Enter")
    await page.wait_for("document.querySelector('.news').textContent == 'Merged: Ada Lovelock'")
    await other_page.wait_for(names("Ada Lovelock"))
    await other_page.wait_for(f"({CHANGES_PANEL}).some(([sign, entity]) => sign == 'Create' && entity == 'Merge')")
    assert await language_of(restartable_hub, STAYS) == "fr"
    await tab_to(page, ".merges button")
    await screenshot(page, "review-merged")
    await page.press("Enter")
    await page.wait_for("document.querySelector('.news').textContent == 'Ada Lovelok is a customer again.'")
    await other_page.wait_for(names("Ada Lovelok"))
    assert await language_of(restartable_hub, STAYS) == "en"
    await page.wait_for("document.querySelector('.candidates a')?.textContent.startsWith('Ada Lovelock / Ada Lovelok')")


async def language_of(restartable_hub: RestartableHub, key: str) -> str:
    connection = await asyncpg.connect(restartable_hub.dsn)
    language: str = await connection.fetchval("select language from customers where id = $1", UUID(key))
    await connection.close()
    return language


async def test_a_second_tab_gets_the_session_of_the_first(page: BrowserTab, restartable_hub: RestartableHub) -> None:
    await open_live_page(page, restartable_hub)
    key = await page.wait_for("sessionStorage['hub:key']")
    listen = "new BroadcastChannel('hub:key').onmessage = ({ data }) => (window.heard ??= []).push(data.key ?? data)"
    await page.wait_for(f"({listen}) && true")
    await page.send("Target.createTarget", url=f"{restartable_hub.url}/live")
    assert await page.wait_for("window.heard?.length == 2 && window.heard") == ["ask", key]


async def test_a_page_without_a_key_says_how_to_get_one(new_page: BrowserTab, restartable_hub: RestartableHub) -> None:
    await new_page.send("Page.navigate", url=f"{restartable_hub.url}/live")
    said = await new_page.wait_for("document.querySelector('dialog[open] .refusal')?.textContent")
    assert said.startswith(
        "This page has no API key. Open the link that the hub printed, print a new one with hub link"
    )
    await new_page.send("Page.navigate", url=f"{restartable_hub.url}/graphiql")
    assert "`hub link`" in await new_page.wait_for(f"({RESULT})?.includes('no API key') && {RESULT}")


@pytest.fixture
async def page_with_wrong_key(tmp_path: Path) -> AsyncIterator[BrowserTab]:
    async with quiet_page(tmp_path / "page", with_wrong_key=True) as opened_page:
        yield opened_page


async def test_a_refused_key_is_reported_and_a_new_one_is_stored_in_the_tab(
    page_with_wrong_key: BrowserTab, restartable_hub: RestartableHub
) -> None:
    page = page_with_wrong_key
    key = await create_api_key(restartable_hub.dsn)
    await page.send("Page.addScriptToEvaluateOnNewDocument", source="sessionStorage['hub:key'] ??= 'hub_wrong'")
    await page.send("Page.navigate", url=f"{restartable_hub.url}/live#{QUICK}")
    assert (
        await page.wait_for("document.querySelector('dialog[open] .refusal')?.textContent")
        == "This API key is unknown; send Authorization: Bearer hub_…; hub key create creates a key. Sign in again."
    )
    await page.send("Input.insertText", text=key)
    await page.press("Enter")
    await wait_through_reload(page, "document.querySelector('h1')?.textContent == 'QUICK-Stop'")
    storage = await page.wait_for("[{ ...sessionStorage }, { ...localStorage }]")
    assert [storage[0].keys() == {"hub:key"}, storage[0]["hub:key"] == key, storage[1]] == [True, False, {}]
