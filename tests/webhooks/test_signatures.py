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
from conftest import CreateDatabase, execute_sql
from webhook_client import INSERT_UNIT, ReceivedRequest, create_customer, create_webhook, open_webhook_hub, run_receiver

NODE = Path(__file__).parents[1] / "audits" / "node_modules"
LIBRARIES: dict[str, Callable[[str], Any]] = {
    "standardwebhooks": standardwebhooks.Webhook,
    "svix": svix.webhooks.Webhook,
}
VERIFY = """
const { Webhook } = require(process.argv[1]);
const cases = JSON.parse(require("fs").readFileSync(0));
const verified = cases.map(({ secret, body, headers }) => {
    try { return Boolean(new Webhook(secret).verify(body, headers)); } catch { return false; }
});
console.log(JSON.stringify(verified));
"""


@pytest.fixture(scope="module")
async def captured_deliveries(
    create_database: CreateDatabase, empty_dsn: str
) -> AsyncIterator[tuple[str, list[ReceivedRequest]]]:
    """A secret, and deliveries that were captured: of plain names, and of names that are not ASCII."""
    dsn = await create_database("migrated")
    await execute_sql(dsn, INSERT_UNIT)
    async with run_receiver() as receiver, open_webhook_hub(dsn) as run_query:
        _, secret = await create_webhook(run_query, receiver.url())
        for name in ("Ada", "王小明", 'Zoë "Z" O’Neill', "🦆"):
            await create_customer(run_query, name)
        yield secret, await receiver.wait_for_requests(4)


def tampered(secret: str, posted: ReceivedRequest) -> list[tuple[str, bytes, dict[str, str]]]:
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
def test_in_python(captured_deliveries: tuple[str, list[ReceivedRequest]], library: str) -> None:
    secret, deliveries = captured_deliveries

    def verified(secret: str, body: bytes, headers: dict[str, str]) -> bool:
        try:
            LIBRARIES[library](secret).verify(body.decode(), headers)
        except (standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError):
            return False
        return True

    assert [verified(secret, delivery.body, dict(delivery.headers)) for delivery in deliveries] == [True] * 4
    assert [verified(*delivery) for posted in deliveries for delivery in tampered(secret, posted)] == [False] * 24


@pytest.mark.skipif(not NODE.exists() or not shutil.which("node"), reason="npm's libraries are not installed")
@pytest.mark.parametrize("library", LIBRARIES)
def test_in_node(captured_deliveries: tuple[str, list[ReceivedRequest]], library: str) -> None:
    secret, deliveries = captured_deliveries
    good = [(secret, delivery.body, dict(delivery.headers)) for delivery in deliveries]
    bad = [delivery for posted in deliveries for delivery in tampered(secret, posted)]
    cases = [{"secret": s, "body": b.decode(), "headers": h} for s, b, h in (*good, *bad)]
    call = ["node", "-e", VERIFY, str(NODE / library)]
    done = subprocess.run(call, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(done.stdout) == [True] * 4 + [False] * 24
