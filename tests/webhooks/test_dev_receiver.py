"""`hub webhook listen` takes what is posted to this machine, and says whether the signature holds."""

import asyncio
import base64
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE

import httpx2
import pytest
from command_line import RunCommand
from hub_process import ROOT

from hub.webhooks import signing

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
COMMAND = [sys.executable, "-m", "hub", "webhook", "listen", "--port", "0", "--secret"]


async def test_it_shows_what_comes_and_whether_it_holds() -> None:
    process = await asyncio.create_subprocess_exec(*COMMAND, SECRET, cwd=ROOT, stdin=DEVNULL, stdout=PIPE)
    assert process.stdout is not None
    try:
        address = (await process.stdout.readline()).decode().strip()
        body = b'{"data":1}'
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        good = signing.headers([key], "dlv_1", int(time.time()), body)
        async with httpx2.AsyncClient() as client:
            statuses = [
                (await client.post(address, content=content, headers=good)).status_code for content in (body, b"{}")
            ]
        shown = [(await process.stdout.readline()).decode().strip() for _ in range(5)]
        assert statuses == [200, 401]
        assert shown == ["dlv_1  verified", "{", '"data": 1', "}", "dlv_1  NOT VERIFIED"]
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.parametrize("secret", ["whsec_?", "whsec_", SECRET[:-8], SECRET.removeprefix("whsec_")])
async def test_what_is_no_secret_is_refused(run_command: RunCommand, secret: str) -> None:
    code, _, errors = await run_command("webhook", "listen", "--port", "0", "--secret", secret)
    assert (code, "--secret: this is not the secret of a webhook" in errors) == (2, True)


@pytest.mark.parametrize("stamp", ["", "soon", "1"])
def test_a_time_that_is_far_off_does_not_hold(stamp: str) -> None:
    headers = signing.headers([b"key"], "dlv_1", 1, b"{}") | {"webhook-timestamp": stamp}
    assert not signing.verify(b"key", headers, b"{}", time.time())
