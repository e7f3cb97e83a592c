"""A person at GraphiQL and /live: signs in with a token or a key, sees who they are, meets a refusal, signs out."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import BrowserTab, open_browser, requires_browser, resize, screenshot, wait_through_reload
from conftest import CreateDatabase, create_api_key, execute_sql
from hub_process import free_port, start_hub
from joserfc.jwk import Key
from token_issuer import ISSUER, claims, rsa_key, sign

from hub.viewer import Role

pytestmark = requires_browser

SIZES = {390: 844, 1366: 768}
QUERY = "document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror"
RESULT = "document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue()"
RUN = "document.querySelector('.graphiql-execute-button')"
DIALOG = "document.querySelector('dialog[open]')"
ACCOUNT = "document.querySelector('.account-button')"
STORAGE = "[{ ...sessionStorage }, JSON.stringify({ ...localStorage })]"
NOTHING_STORED = {"databases": [], "caches": [], "workers": 0, "readable": "", "cookies": [], "session": {}}
ME = "query PrivateMe { me { staff { name } } }"
REFUSED = "query PrivateKeys { apiKeys { nodes { name } } }"


@dataclass
class PersonsHub:
    """A hub that takes tokens of an issuer and keys, and the key of the issuer."""

    url: str
    signer: Key
    agent_key: str

    def token(self) -> str:
        return sign(self.signer, "RS256", claims())


@pytest.fixture(scope="module")
async def hub(
    create_database: CreateDatabase, demo_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PersonsHub]:
    folder, signer, dsn = tmp_path_factory.mktemp("issuer"), rsa_key("first"), await create_database("northwind")
    await execute_sql(dsn, "update staff set email = 'nancy@northwind.example' where number = '1'")
    (folder / "keys.json").write_text(json.dumps({"keys": [signer.as_dict(private=False)]}))
    issuer = {
        "issuer": ISSUER,
        "audience": "hub",
        "jwks_file": "keys.json",
        "staff": {"claim": "email"},
        "roles": {"default": "agent"},
    }
    (folder / "issuers.json").write_text(json.dumps({"issuers": [issuer]}))
    port = free_port()
    process = await start_hub(dsn, port, log_requests=False, token_issuers=folder / "issuers.json")
    yield PersonsHub(f"http://127.0.0.1:{port}", signer, await create_api_key(dsn, Role.READER))
    process.kill()
    await process.wait()


async def open_page(page: BrowserTab, hub: PersonsHub, path: str, width: int) -> None:
    await resize(page, width, SIZES[width])
    await page.send("Page.navigate", url=f"{hub.url}/{path}")
    await page.wait_for(f"{DIALOG}?.querySelector('input')")


async def sign_in(page: BrowserTab, credential: str, name: str) -> None:
    await page.wait_for("document.activeElement.id == 'credential'")
    await page.send("Input.insertText", text=credential)
    await page.press("Enter")
    await wait_through_reload(page, f"{ACCOUNT}?.textContent == {json.dumps(name)} && !{DIALOG}")


async def run(page: BrowserTab, query: str) -> Any:
    """The response that GraphiQL shows for a query that is typed."""
    name = query.split()[1]
    await page.wait_for(f"{QUERY} && ({QUERY}.setValue({json.dumps(query)}), true)")
    await page.wait_for(f"localStorage['graphiql:operationName'] == '{name}'")
    before = await page.wait_for(f"{{text: ({RESULT}) ?? ''}}")
    await page.click(RUN)
    return json.loads(
        await page.wait_for(
            f"({RESULT})?.trim().endsWith('}}') && ({RESULT}) != {json.dumps(before['text'])} && {RESULT}"
        )
    )


@pytest.mark.parametrize("width", SIZES)
async def test_an_agent_signs_in_with_a_token_meets_a_refusal_and_signs_out(
    hub: PersonsHub, tmp_path: Path, width: int
) -> None:
    token = hub.token()
    async with open_browser(tmp_path) as page:
        await open_page(page, hub, "graphiql", width)
        await screenshot(page, f"graphiql-{width}-signed-out")
        await sign_in(page, token, "Nancy Davolio")
        (key,) = (await page.wait_for(STORAGE))[0].values()
        assert (key[:5], key in token) == ("hub_t", False)
        assert await run(page, ME) == {"data": {"me": {"staff": {"name": "Nancy Davolio"}}}}
        await screenshot(page, f"graphiql-{width}-me")
        refused = await run(page, REFUSED)
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["FIELD_UNKNOWN"]
        await screenshot(page, f"graphiql-{width}-refused")
        await page.click(ACCOUNT)
        terms = await page.wait_for(f"[...{DIALOG}.querySelectorAll('dd')].map(entry => entry.textContent)")
        assert terms[0] == "agent"
        assert terms[1].endswith(" and the units below")
        assert await page.wait_for("document.documentElement.scrollWidth") == width
        await screenshot(page, f"graphiql-{width}-account")
        await page.click(f"{DIALOG}.querySelector('.primary')")
        await wait_through_reload(
            page, f"{ACCOUNT}?.textContent == 'Sign in' && location.hash == '' && {DIALOG}?.querySelector('input')"
        )
        left = await stored_by(page)
        assert {name: part for name, part in left.items() if name != "local"} == NOTHING_STORED
        assert [text in left["local"] for text in ("Private", "Nancy", key, token)] == [False] * 4
        await page.send("Page.navigate", url=f"{hub.url}/live")
        await page.wait_for(f"{DIALOG}?.querySelector('input')")
        assert [text in await page.wait_for("document.body.innerText") for text in ("Nancy", "agent")] == [False] * 2
        statuses = [await ask(page, key), await ask(page, token)]
        await screenshot(page, f"graphiql-{width}-left")
    assert statuses == ["KEY_REVOKED", None]
    assert not any(key in url or token in url for url in page.requested_urls)


async def stored_by(page: BrowserTab) -> dict[str, Any]:
    """All that the page's origin stores in the browser. GraphiQL stores its tabs, drafts and history in `local`."""
    session, local = await page.wait_for(STORAGE)
    script = """(async () => ({
        databases: (await indexedDB.databases()).map(({ name }) => name),
        caches: await caches.keys(),
        workers: (await navigator.serviceWorker.getRegistrations()).length,
        readable: document.cookie,
    }))()"""
    response = await page.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
    cookies = (await page.send("Network.getAllCookies"))["cookies"]
    return {**response["result"]["value"], "cookies": cookies, "session": session, "local": local}


async def ask(page: BrowserTab, bearer: str) -> Any:
    """The code of the refusal of a key or token, None if it is accepted."""
    headers = json.dumps({"authorization": f"Bearer {bearer}", "content-type": "application/json"})
    script = f"""fetch('graphql', {{method: 'POST', headers: {headers}, body: '{{"query": "{{__typename}}"}}'}})
        .then(answer => answer.json()).then(({{errors}}) => errors?.[0].extensions.code ?? null)"""
    response = await page.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
    return response["result"].get("value")


@pytest.mark.parametrize("width", SIZES)
async def test_live_shows_who_is_signed_in_and_signs_out_in_every_tab(
    hub: PersonsHub, tmp_path: Path, width: int
) -> None:
    async with open_browser(tmp_path) as page:
        await open_page(page, hub, "live", width)
        await sign_in(page, hub.agent_key, "test")
        (key,) = (await page.wait_for(STORAGE))[0].values()
        assert key != hub.agent_key
        await page.click(ACCOUNT)
        assert await page.wait_for(f"{DIALOG}.querySelector('dd').textContent") == "reader"
        await screenshot(page, f"live-{width}-account")
        await page.wait_for("new BroadcastChannel('hub:key').postMessage({ended: 'another'}) === undefined")
        assert await page.wait_for("sessionStorage['hub:key']") == key
        await page.click(f"{DIALOG}.querySelector('.primary')")
        await wait_through_reload(page, f"{ACCOUNT}?.textContent == 'Sign in' && location.hash == ''")
        assert await page.wait_for(STORAGE) == [{}, "{}"]
        await screenshot(page, f"live-{width}-left")
        assert await ask(page, key) == "KEY_REVOKED"
        assert await ask(page, hub.agent_key) is None


async def test_a_refused_credential_is_reported_and_stored_nowhere(hub: PersonsHub, tmp_path: Path) -> None:
    async with open_browser(tmp_path) as page:
        await open_page(page, hub, "live", 1366)
        for credential, text in ((hub.token()[:-5] + "AAAAA", "signature"), ("hub_wrong", "unknown")):
            await page.wait_for("document.activeElement.id == 'credential'")
            await page.send("Input.insertText", text=credential)
            await page.press("Enter")
            await page.wait_for(f"{DIALOG}.querySelector('.refusal').textContent.includes('{text}')")
        await screenshot(page, "live-refused")
        assert await page.wait_for(STORAGE) == [{}, "{}"]
