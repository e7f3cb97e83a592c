"""A headless Chromium, driven through the DevTools protocol: a page's contents, requests and console messages."""

import asyncio
import json
import os
import shutil
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from hub.web import pages

# No name resolves and no address but loopback is reached: the network is cut.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1400,900",
    "--remote-debugging-port=0",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
requires_browser = pytest.mark.skipif(
    CHROMIUM is None or not pages.STATIC_FOLDER.is_dir(),
    reason="needs chromium, from the system's packages, and the built pages: pip install --no-deps -e .",
)
CONSOLE_EVENTS = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Audits.issueAdded")
# The browser's advice about forms. Violations of the content security policy have other names.
FORM_ADVICE = '"code":"GenericIssue"'


class BrowserTab:
    """One tab. `requested_urls` are all requests, `console_messages` all messages of the console and the issues panel."""

    def __init__(self, socket: ClientConnection) -> None:
        self.requested_urls: list[str] = []
        self.console_messages: list[str] = []
        self._socket = socket
        self._session: str | None = None
        self._numbers = count(1)
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        async for text in self._socket:
            event = json.loads(text)
            if "id" in event:
                self._pending.pop(event["id"]).set_result(event)
            elif event["method"] == "Network.requestWillBeSent":
                self.requested_urls.append(event["params"]["request"]["url"])
            elif event["method"] == "Network.webSocketCreated":
                self.requested_urls.append(event["params"]["url"])
            elif event["method"] in CONSOLE_EVENTS and FORM_ADVICE not in text:
                self.console_messages.append(json.dumps(event["params"])[:2000])

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        reply = self._pending[number] = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params} | session))
        response = await reply
        assert "error" not in response, f"{method}: {response['error']}"
        result: dict[str, Any] = response["result"]
        return result

    async def attach(self) -> None:
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            await self.send(f"{domain}.enable")

    async def wait_for(self, expression: str) -> Any:
        """Waits until a JavaScript expression is true and returns its value."""
        script = f"""new Promise((resolve, reject) => {{
            const poll = () => {{
                const value = ({expression});
                if (value) resolve(value instanceof Node || value); else setTimeout(poll, 25);
            }};
            setTimeout(() => reject(new Error("never true")), 20000);
            poll();
        }})"""
        response = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in response, (
            f"{expression}: {response['exceptionDetails']} {self.console_messages}"
        )
        return response["result"]["value"]

    async def click(self, element: str) -> None:
        """Clicks on the element that a JavaScript expression returns, once it stands still and nothing covers it."""
        point = """(element => {
            if (!element) return null;
            element.scrollIntoView({block: 'nearest'});
            const {x, y, width, height} = element.getBoundingClientRect();
            const centre = [x + width / 2, y + height / 2];
            const stands = String(window.clickPoint) === String(centre);
            window.clickPoint = centre;
            return stands && width && element.contains(document.elementFromPoint(...centre)) && centre;
        })"""
        x, y = await self.wait_for(f"{point}(({element}) || null)")
        for event_type in ("mouseMoved", "mousePressed", "mouseReleased"):
            await self.send("Input.dispatchMouseEvent", type=event_type, x=x, y=y, button="left", clickCount=1)

    async def press(self, key: str) -> None:
        """Presses a key, wherever the focus is."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39}.get(key, 0)
        await self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)


async def tab_to(page: BrowserTab, selector: str) -> None:
    """Presses Tab until the focus is on an element that a selector matches."""
    focused = f"[document.activeElement?.matches({json.dumps(selector)})]"
    await page.wait_for(f"document.querySelector({json.dumps(selector)})")
    for _ in range(80):
        if await page.wait_for(focused) == [True]:
            return
        await page.press("Tab")
    raise AssertionError(f"the keyboard does not reach {selector}")


async def wait_through_reload(page: BrowserTab, expression: str) -> None:
    """Waits until an expression is true on the page or, once it begins anew, on the next one."""
    while True:
        try:
            await page.wait_for(expression)
        except AssertionError as error:
            if "navigated" not in str(error) and "context was destroyed" not in str(error):
                raise
        else:
            return


async def resize(page: BrowserTab, width: int, height: int) -> None:
    """Gives the page another size, in pixels; a narrow one is a phone's."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    await page.send("Emulation.setDeviceMetricsOverride", **metrics)


async def screenshot(page: BrowserTab, name: str) -> None:
    """Writes a picture for whoever looks, to the folder that HUB_SCREENSHOTS names."""
    folder = os.environ.get("HUB_SCREENSHOTS")
    if folder:
        picture = await page.send("Page.captureScreenshot")
        (Path(folder) / f"{name}.png").write_bytes(b64decode(picture["data"]))


@asynccontextmanager
async def open_browser(profile: Path) -> AsyncIterator[BrowserTab]:
    """Yields a new browser with an empty profile and one empty tab; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        str(CHROMIUM),
        *FLAGS,
        f"--user-data-dir={profile}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            address = await _address(process)
        async with connect(address, max_size=None) as socket:
            page = BrowserTab(socket)
            listening = asyncio.create_task(page.listen())
            try:
                await page.attach()
                yield page
            finally:
                listening.cancel()
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if line.startswith(b"DevTools listening on "):
            return line.decode().split()[-1]
    raise AssertionError("chromium ended before it could be driven")
