"""A headless Chromium, driven over its own protocol: what a page shows, what it asks for, what it complains about."""

import asyncio
import json
import shutil
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
in_a_browser = pytest.mark.skipif(
    CHROMIUM is None or not pages.STATIC.is_dir(),
    reason="needs chromium, from the system's packages, and the built pages: pip install --no-deps -e .",
)
COMPLAINTS = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Audits.issueAdded")
# What a browser would have authors of forms do better. Breaches of the policy have other names.
ADVICE = '"code":"GenericIssue"'


class Page:
    """One tab. `requested` are the addresses it asked for, `complaints` all it wrote to the console or the issues."""

    def __init__(self, socket: ClientConnection) -> None:
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self._socket = socket
        self._session: str | None = None
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        async for text in self._socket:
            told = json.loads(text)
            if "id" in told:
                self._waiting.pop(told["id"]).set_result(told)
            elif told["method"] == "Network.requestWillBeSent":
                self.requested.append(told["params"]["request"]["url"])
            elif told["method"] == "Network.webSocketCreated":
                self.requested.append(told["params"]["url"])
            elif told["method"] in COMPLAINTS and ADVICE not in text:
                self.complaints.append(json.dumps(told["params"])[:2000])

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params} | session))
        told = await waiting
        assert "error" not in told, f"{method}: {told['error']}"
        result: dict[str, Any] = told["result"]
        return result

    async def attach(self) -> None:
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            await self.send(f"{domain}.enable")

    async def see(self, expression: str) -> Any:
        """The value of a JavaScript expression, as soon as it is true."""
        waited = f"""new Promise((found, missed) => {{
            const look = () => {{
                const value = ({expression});
                if (value) found(value instanceof Node || value); else setTimeout(look, 25);
            }};
            setTimeout(() => missed(new Error("never true")), 20000);
            look();
        }})"""
        told = await self.send("Runtime.evaluate", expression=waited, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, f"{expression}: {told['exceptionDetails']} {self.complaints}"
        return told["result"]["value"]

    async def click(self, element: str) -> None:
        """A press of the mouse on the element that a JavaScript expression finds."""
        rectangle = f"(e => (e?.scrollIntoView({{block: 'nearest'}}), e?.getBoundingClientRect()))(({element}) || null)"
        centre = await self.see(f"(r => r && r.width && [r.x + r.width / 2, r.y + r.height / 2])({rectangle})")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            x, y = centre
            await self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def press(self, key: str) -> None:
        """A key of the keyboard, wherever the focus is."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Enter": 13, "Escape": 27}.get(key, 0)
        await self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)


@asynccontextmanager
async def opened(profile: Path) -> AsyncIterator[Page]:
    """A new browser with an empty profile and one empty tab; it ends with the block."""
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
            page = Page(socket)
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
