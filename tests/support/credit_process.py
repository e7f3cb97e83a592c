"""A credit of nine steps that are decided exactly when they are due, through a hub that may be killed between two steps.

A subscriber and a webhook record every notification, move and milestone of it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
from change_workload import wait_until
from conftest import create_api_key
from hub_process import run_hubs
from reconnecting_subscriber import ReconnectingSubscriber, run_subscribers
from webhook_client import ReceivedRequest, run_receiver
from work_people import START, WorkPeople, instant, step, work_people
from writer_client import HubClient

RECORDS = """changes(after: $after, filter: {types: [NOTIFICATION, MOVE, MILESTONE]}) { __typename
    ... on Change { cursor previousCursor operation entityId version node { __typename
        ... on Notification { type text staff { name } }
        ... on Move { fromValue toValue subject { __typename } }
        ... on Milestone { code state }
    } }"""
SUBSCRIPTION = f"""subscription ($after: Cursor) {{ {RECORDS}
    ... on StreamReady {{ cursor }} ... on StreamProgress {{ cursor }} ... on StreamGap {{ from to reason }} }} }}"""
HOOK = SUBSCRIPTION.replace("($after: Cursor)", "").replace("after: $after, ", "")
CREATE_HOOK = """mutation ($url: String!, $query: String!) {
    webhookCreate(input: {name: "credit", url: $url, query: $query}) { webhook { id } } }"""
CLOCKS = """query ($id: ID!) { workItem(id: $id) { closedAt status steps(first: 100) { nodes {
    round step { code } clocks { nodes { status dueAt stoppedAt } } } } } }"""
MILESTONES = """query ($id: ID!) { workItem(id: $id) { milestones { nodes { code state } } } }"""
HOUR = 3600
# Code, whose work it is, working hours, and what the customer reads of it.
STEPS = (
    ("collect", "OPENER", 15, "We have your papers"),
    ("report", "OPENER", 15, None),
    ("review", "REVIEW", 7.5, None),
    ("risk", "RISK", 15, "We look at it"),
    ("committee", "COMMITTEE", 15, None),
    ("decision", "CHIEF", 3.75, "We have decided"),
    ("contract", "OPENER", 7.5, "Your contract is ready"),
    ("seal", "SEAL", 3.75, None),
    ("pay_out", "CASH", 3.75, "Paid out"),
)
DUE = (
    "03-03 18:00", "03-05 18:00", "03-06 18:00", "03-10 18:00", "03-12 18:00",
    "03-13 14:15", "03-16 14:15", "03-16 18:00", "03-17 14:15",
)  # fmt: skip
COMMITTEE = ("c1", "c2", "c3", "c4", "c5")
DECIDERS = {"REVIEW": "rev", "RISK": "risk", "CHIEF": "chief", "SEAL": "seal", "CASH": "cash"}


@dataclass(eq=False)
class CreditSubscriber(ReconnectingSubscriber):
    """A stream of the credit's records across reconnects; `records` has what came, in order."""

    records: list[str] = field(default_factory=list)  # one line each

    def _subscribe_payload(self) -> Any:
        return {"query": SUBSCRIPTION, "variables": {"after": self.cursor}}

    def _on_message(self, message: Any) -> None:
        if message["__typename"] == "Change":
            if message["previousCursor"] != self.cursor and self.cursor is not None:
                self.cursor_breaks.append(message)
            self.records.append(_record(message))
            self.cursor = message["cursor"]
        else:
            super()._on_message(message)


def _record(change: Any) -> str:
    """A change without what differs from run to run."""
    node = dict(change["node"])
    return f"{change['operation']} {node.pop('__typename')} {orjson.dumps(node).decode()}"


def delivered(requests: list[ReceivedRequest]) -> list[str]:
    """What a webhook was sent, each once, in the order of the feed."""
    changes = {request.id: json.loads(request.body)["data"]["changes"] for request in requests if request.action == 200}
    return [_record(changes[id]) for id in sorted(changes)]


@dataclass
class HttpHubClient(HubClient):
    """A client of a hub that is a process of its own."""

    port: int = 0

    async def execute(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Returns the whole response."""
        async with httpx2.AsyncClient(timeout=60) as http:
            body, headers = {"query": query, "variables": variables}, {"authorization": f"Bearer {key or self.key}"}
            return (await http.post(f"http://127.0.0.1:{self.port}/graphql", json=body, headers=headers)).json()


@dataclass
class CreditRun:
    """A credit that goes through its process; `between` is awaited between two steps."""

    people: WorkPeople
    between: Callable[[], Awaitable[None]]
    item: str = ""
    due: list[str] = field(default_factory=list)

    async def prepare(self) -> None:
        """Adds the people, the customer and the process."""
        await self.people.add("ana", "branch")
        for role, name in DECIDERS.items():
            await self.people.add(name, "branch", role)
        for name in COMMITTEE:
            await self.people.add(name, "branch", "COMMITTEE")
        self.people.customer = await self.people.add_customer("Mill", "branch", "ana")
        await self.people.describe("credit", *(_step(*row) for row in STEPS))

    async def run(self) -> None:
        """Opens the credit and decides every step exactly when it is due."""
        self.item = (await self.people.open("ana", "credit"))["id"]
        for (_code, whose, _hours, _name), due in zip(STEPS, DUE, strict=True):
            await self.between()
            self.due += {node["dueAt"] for node in await self.people.open_steps(self.item)}
            await self.people.advance(due)
            if whose == "COMMITTEE":
                for name in COMMITTEE[:4]:
                    await self.people.decide(name, self.item, "APPROVE")
            else:
                await self.people.decide(DECIDERS.get(whose, "ana"), self.item, "DONE")

    async def outcome(self) -> dict[str, Any]:
        """How it ended: the item, when its steps were due, and its clocks and milestones."""
        read = await self.people.client.query(CLOCKS, {"id": self.item})
        clocks = [clock for node in read["workItem"]["steps"]["nodes"] for clock in node["clocks"]["nodes"]]
        milestones = (await self.people.client.query(MILESTONES, {"id": self.item}))["workItem"]["milestones"]["nodes"]
        return {
            "status": read["workItem"]["status"],
            "closed": read["workItem"]["closedAt"],
            "due": self.due,
            "clocks": [(clock["status"], clock["dueAt"] == clock["stoppedAt"]) for clock in clocks],
            "milestones": [(milestone["code"], milestone["state"]) for milestone in milestones],
        }


ENDED: dict[str, Any] = {
    "status": "DONE",
    "closed": instant(DUE[-1]),
    "due": [instant(due) for due in DUE],
    "clocks": [("MET", True)] * 13,  # eight steps of one person, one of five voters
    "milestones": [(code, "DONE") for code, _, _, name in STEPS if name],
}


def _step(code: str, whose: str, hours: float, name: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {"goalSeconds": int(hours * HOUR), "publicName": name}
    if whose == "COMMITTEE":
        return step(code, whose, "APPROVE", "REJECT", quorum=5, majority="2/3", **values)
    if code == "risk":
        return step(code, whose, "DONE", "REJECT", "RETURN", returnsTo="report", **values)
    return step(code, whose, "DONE", "REJECT", **values)


def expected_records() -> list[str]:
    """What the feed says of the credit: derived by hand from its steps, its people and its milestones."""
    lines: list[str] = []
    public = [code for code, _, _, name in STEPS if name]

    def note(kind: str, node: dict[str, Any], operation: str = "CREATE") -> None:
        lines.append(f"{operation} {kind} {orjson.dumps(node).decode()}")

    def assigned(code: str, whose: str) -> None:
        names = COMMITTEE if whose == "COMMITTEE" else (DECIDERS.get(whose, "ana"),)
        for name in names:
            text = f"Loan: {code.capitalize()}"
            note("Notification", {"type": "ASSIGNED", "text": text, "staff": {"name": name}})

    def moved(old: str, new: str, subject: str) -> None:
        note("Move", {"fromValue": old, "toValue": new, "subject": {"__typename": subject}})

    for index, code in enumerate(public):
        note("Milestone", {"code": code, "state": "TODO" if index else "CURRENT"})
    for index, (code, whose, _hours, name) in enumerate(STEPS):
        assigned(code, whose)
        for _ in COMMITTEE[:4] if whose == "COMMITTEE" else ("",):
            moved("OPEN", "DECIDED", "WorkStep")
        if whose == "COMMITTEE":
            moved("OPEN", "SKIPPED", "WorkStep")
        if name:
            note("Milestone", {"code": code, "state": "DONE"}, "UPDATE")
            following = public[public.index(code) + 1 :]
            if following:
                note("Milestone", {"code": following[0], "state": "CURRENT"}, "UPDATE")
        if index == len(STEPS) - 1:
            moved("OPEN", "DONE", "WorkItem")
    return lines


async def go_through_credit(dsn: str, *, kill: bool) -> tuple[dict[str, Any], list[str], list[str]]:
    """Runs the credit, with `kill` through a hub that is killed and started again between two steps.

    Returns how it ended, and what a subscriber and a webhook received."""
    key = await create_api_key(dsn)
    settings = {"clock": "test", "clock_start": START.isoformat(), "clock_allow": 1, "webhook_allow": "127.0.0.1"}
    async with run_receiver() as receiver, run_hubs(dsn, 1, **settings) as hubs:
        client = HttpHubClient(dsn, None, key, hubs.ports[0])  # type: ignore[arg-type]  # no hub in this process
        subscriber = CreditSubscriber(hubs.ports, key)
        async with work_people(client) as people, run_subscribers([subscriber]):
            await client.query(CREATE_HOOK, {"url": receiver.url(), "query": HOOK})

            async def between() -> None:
                if kill:
                    await hubs.restart(hubs.ports[0])

            run = CreditRun(people, between)
            await run.prepare()
            await run.run()
            ended, count = await run.outcome(), len(expected_records())

            async def has_everything() -> bool:
                return len(subscriber.records) >= count and len(delivered(await receiver.captured())) >= count

            await wait_until(has_everything, 60)
            assert subscriber.cursor_breaks == []
            return ended, subscriber.records, delivered(await receiver.captured())
