"""The pages of work at /live: a person's tasks and steps, where an application stands, and what its customer reads of it.

Each follows what others do, without a reload, and fits a phone and a screen."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from browser import BrowserTab, open_browser, requires_browser, resize, screenshot
from conftest import CreateDatabase, create_api_key
from hub_process import free_port, start_hub
from people import person_of
from work_people import DECIDE, OPEN
from writer_client import HubClient

from hub.db.pool import Pool
from hub.domain.access import login_links
from hub.settings import Settings
from hub.viewer import ADMIN
from hub.work_sample import load_work_sample

pytestmark = requires_browser

SIZES = {390: 844, 1366: 768}
TASK = "mutation ($input: TaskCreateInput!) { taskCreate(input: $input) { task { id } } }"
CUSTOMER = '{ customers(filter: {owner: {number: {eq: "1"}}}, first: 1) { nodes { id name } } }'
STEP = """query ($id: ID!) { workItem(id: $id) { steps(filter: {status: {eq: OPEN}}) { nodes { id } } } }"""
STATE = "document.querySelector('.state')?.textContent"
FITS = "document.documentElement.scrollWidth <= innerWidth"
MILESTONES = [
    "Your papers are complete", "Your application is reviewed", "Your credit is decided", "Your contract is ready",
    "The money is paid out",
]  # fmt: skip


@dataclass
class WorkHub(HubClient):
    """A hub that is a process of its own, with the sample of the work module, and Nancy's key and name."""

    url: str
    nancy: str
    http: httpx2.AsyncClient

    async def execute(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Returns the whole response."""
        body, headers = {"query": query, "variables": variables}, {"authorization": f"Bearer {key or self.key}"}
        return (await self.http.post(f"{self.url}/graphql", json=body, headers=headers)).json()

    async def login_url(self) -> str:
        """A login link of Nancy's to /live."""
        connection = await asyncpg.connect(self.dsn)
        try:
            token = await login_links.create(connection, ADMIN, self.nancy[4:20], datetime.now(UTC))
        finally:
            await connection.close()
        return f"{self.url}/live#link={token}"


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[WorkHub]:
    dsn = await create_database("northwind")
    pool = Pool(dsn, Settings(), as_owner=True)
    await load_work_sample(Settings(), pool)
    await pool.close()
    port = free_port()
    process = await start_hub(dsn, port, log_requests=False)
    async with httpx2.AsyncClient(timeout=60) as http:
        client = WorkHub(dsn, None, await create_api_key(dsn), f"http://127.0.0.1:{port}", "", http)  # type: ignore[arg-type]
        client.nancy = (await person_of(client, "1", bound=False)).key
        yield client
    process.kill()
    await process.wait()


@pytest.fixture
async def page(hub: WorkHub, tmp_path: Path) -> AsyncIterator[BrowserTab]:
    """A tab in which Nancy is signed in; it complains of nothing."""
    async with open_browser(tmp_path) as tab:
        await tab.send("Page.navigate", url=await hub.login_url())
        await tab.wait_for("sessionStorage['hub:key'] && location.hash == '' && document.querySelector('.invitation')")
        yield tab
        assert tab.console_messages == []


async def open_view(page: BrowserTab, place: str, title: str) -> None:
    """Opens a view of the page, once it is live."""
    await page.wait_for(f"(location.hash = '{place}', true)")
    await page.wait_for(f"({STATE}) == 'Live' && document.querySelector('h1')?.textContent == {title!r}")


async def shown(page: BrowserTab, selector: str, *texts: str) -> None:
    """Waits until elements show exactly these texts, in order."""
    listed = f"[...document.querySelectorAll({selector!r})].map(e => e.textContent.trim())"
    await page.wait_for(f"JSON.stringify({listed}) == JSON.stringify({list(texts)!r})")


async def look(page: BrowserTab, name: str) -> None:
    """The view fits both sizes."""
    for width, height in SIZES.items():
        await resize(page, width, height)
        await page.wait_for(FITS)
        await screenshot(page, f"{name}-{width}")


async def test_the_pages_of_work_follow_it_and_fit(hub: WorkHub, page: BrowserTab) -> None:
    (customer,) = (await hub.query(CUSTOMER))["customers"]["nodes"]
    await open_view(page, "me", "Nancy Davolio")
    await shown(page, ".tasks li a")
    visit = {"type": "VISIT", "title": "See the ovens", "customerId": customer["id"], "dueAt": "2026-11-01T09:00:00Z"}
    await hub.query(TASK, {"input": visit}, key=hub.nancy)
    await shown(page, ".tasks li a", "See the ovens")
    loan = {"process": "credit", "subjectId": customer["id"], "title": "Ovens", "amount": "1000000", "currency": "CNY"}
    item = (await hub.query(OPEN, {"input": loan}, key=hub.nancy))["workItemOpen"]["workItem"]
    await shown(page, ".steps li a", f"{item['number']} · Collect the papers")
    await page.wait_for(
        "[...document.querySelectorAll('.notifications li a')].some(e => e.textContent == 'Ovens: Collect the papers')"
    )
    await look(page, "my-work")
    await open_view(page, item["id"], "Ovens")
    states = ".progress li .badge:not([hidden])"
    await shown(page, states, "Current")
    await shown(page, ".milestones li .name", *MILESTONES)
    (step,) = (await hub.query(STEP, {"id": item["id"]}))["workItem"]["steps"]["nodes"]
    await hub.query(DECIDE, {"input": {"id": step["id"], "decision": "DONE"}}, key=hub.nancy)
    await shown(page, states, "Done", "Current")
    await shown(page, ".milestones li .badge:not([hidden])", "Done", "Current")
    await look(page, "application")
    await open_view(page, customer["id"], customer["name"])
    await shown(page, ".milestones li .name", *MILESTONES)
    await shown(page, ".milestones li .badge:not([hidden])", "Done", "Current")
    await look(page, "milestones")
