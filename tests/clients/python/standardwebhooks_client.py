"""Standard Webhooks: a receiver that verifies what the hub sends."""

import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any
from urllib.request import Request, urlopen

from client_hub import CREATE, HEADERS, URL, unique_name
from standardwebhooks import Webhook, WebhookVerificationError

CREATE_WEBHOOK = "mutation ($input: WebhookCreateInput!) { webhookCreate(input: $input) { secret webhook { id } } }"
DELETE_WEBHOOK = "mutation ($id: ID!) { webhookDelete(input: {id: $id}) { deletedId } }"
QUERY = """subscription ($name: String!) { changes(filter: {customer: {name: {startsWith: $name}}}) {
    ... on Change { operation node { ... on Customer { name } } }
} }"""
deliveries: Queue[tuple[dict[str, str], bytes]] = Queue()


class Receiver(BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        deliveries.put((dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""


def execute(query: str, **variables: Any) -> Any:
    """The data of an operation."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    with urlopen(Request(URL, body, {**HEADERS, "Content-Type": "application/json"})) as response:
        return json.load(response)["data"]


class StandardWebhooksTests(unittest.TestCase):
    """Standard Webhooks in Python"""

    def test_a_delivery_verifies_and_a_changed_one_does_not(self) -> None:
        with HTTPServer(("127.0.0.1", 0), Receiver) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            name = unique_name("Zoë 王")
            url = f"http://127.0.0.1:{server.server_port}/"
            webhook_input = {"name": name, "url": url, "query": QUERY, "variables": {"name": name}}
            created = execute(CREATE_WEBHOOK, input=webhook_input)["webhookCreate"]
            execute(CREATE, input={"kind": "PERSON", "name": name})
            headers, body = deliveries.get(timeout=30)
            execute(DELETE_WEBHOOK, id=created["webhook"]["id"])
            server.shutdown()
        webhook = Webhook(created["secret"])
        change = webhook.verify(body, headers)["data"]["changes"]
        assert (change["operation"], change["node"]["name"]) == ("CREATE", name)
        with self.assertRaises(WebhookVerificationError):
            webhook.verify(body.replace(b"CREATE", b"DELETE"), headers)
