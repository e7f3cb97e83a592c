"""What a receiver gets verifies with the libraries that receivers use, in Python and in Node; what was tampered with does not."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from conftest import NewDatabase, execute
from webhook_client import UNIT, Posted, customer, hooked, hub_on, receiving

NODE = Path(__file__).parents[1] / "audits" / "node_modules"
LIBRARIES: dict[str, Callable[[str], Any]] = {
    "standardwebhooks": standardwebhooks.Webhook,
    "svix": svix.webhooks.Webhook,
}
VERIFY = """
const { Webhook } = require(process.argv[1]);
const told = JSON.parse(require("fs").readFileSync(0));
const verified = told.map(({ secret, body, headers }) => {
    try { return Boolean(new Webhook(secret).verify(body, headers)); } catch { return false; }
});
console.log(JSON.stringify(verified));
"""


@pytest.fixture(scope="module")
async def captured(new_database: NewDatabase, empty_dsn: str) -> AsyncIterator[tuple[str, list[Posted]]]:
    """A secret, and deliveries that were captured: of plain names, and of names that are not ASCII."""
    dsn = await new_database("migrated")
    await execute(dsn, UNIT)
    async with receiving() as receiver, hub_on(dsn) as ask:
        _, secret = await hooked(ask, receiver.url())
        for name in ("Ada", "王小明", 'Zoë "Z" O’Neill', "🦆"):
            await customer(ask, name)
        yield secret, await receiver.until(4)


def tampered(secret: str, posted: Posted) -> list[tuple[str, bytes, dict[str, str]]]:
    """The delivery with one thing changed: its body, id, time, signature or secret."""
    headers = {name: value for name, value in posted.headers.items() if name.startswith("webhook-")}
    later = str(int(headers["webhook-timestamp"]) + 1)
    signature = headers["webhook-signature"]
    other = signature[:-3] + ("AA=" if signature[-3:] != "AA=" else "BA=")
    wrong = secret[:-4] + ("AAA=" if secret[-4:] != "AAA=" else "BAA=")
    return [
        (secret, posted.body + b" ", headers),
        (secret, posted.body.replace(b"CREATE", b"DELETE"), headers),
        (secret, posted.body, headers | {"webhook-id": headers["webhook-id"][:-1] + "x"}),
        (secret, posted.body, headers | {"webhook-timestamp": later}),
        (secret, posted.body, headers | {"webhook-signature": other}),
        (wrong, posted.body, headers),
    ]


@pytest.mark.parametrize("library", LIBRARIES)
def test_in_python(captured: tuple[str, list[Posted]], library: str) -> None:
    secret, deliveries = captured

    def verified(secret: str, body: bytes, headers: dict[str, str]) -> bool:
        try:
            LIBRARIES[library](secret).verify(body.decode(), headers)
        except (standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError):
            return False
        return True

    assert [verified(secret, each.body, dict(each.headers)) for each in deliveries] == [True] * 4
    assert [verified(*each) for posted in deliveries for each in tampered(secret, posted)] == [False] * 24


@pytest.mark.skipif(not NODE.exists() or not shutil.which("node"), reason="npm's libraries are not installed")
@pytest.mark.parametrize("library", LIBRARIES)
def test_in_node(captured: tuple[str, list[Posted]], library: str) -> None:
    secret, deliveries = captured
    good = [(secret, each.body, dict(each.headers)) for each in deliveries]
    bad = [each for posted in deliveries for each in tampered(secret, posted)]
    told = [{"secret": s, "body": b.decode(), "headers": h} for s, b, h in (*good, *bad)]
    call = ["node", "-e", VERIFY, str(NODE / library)]
    done = subprocess.run(call, input=json.dumps(told), capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(done.stdout) == [True] * 4 + [False] * 24
