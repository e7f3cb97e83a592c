"""Two credits of nine steps: one is decided exactly when it is due, one is returned and then rejected by the committee."""

from typing import Any

from promise_hub import Story
from work_people import WorkPeople, instant, step

CLOCKS = """query ($id: ID!) { workItem(id: $id) { closedAt status steps(first: 100) { nodes {
    clocks { nodes { status dueAt stoppedAt } } } } milestones { nodes { code state } } } }"""
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
ROLES = {code: role for code, role, _, _ in STEPS}
PUBLIC = [code for code, _, _, name in STEPS if name]
DUE = {
    "collect": "03-03 18:00", "report": "03-05 18:00", "review": "03-06 18:00", "risk": "03-10 18:00",
    "committee": "03-12 18:00", "decision": "03-13 14:15", "contract": "03-16 14:15", "seal": "03-16 18:00",
    "pay_out": "03-17 14:15",
}  # fmt: skip
COMMITTEE = ("c1", "c2", "c3", "c4", "c5")
DECIDERS = {"REVIEW": "rev", "RISK": "risk", "CHIEF": "chief", "SEAL": "seal", "CASH": "cash"}


async def add_lenders(people: WorkPeople) -> None:
    """Adds those who decide steps of credits, and the process."""
    for role, name in DECIDERS.items():
        await people.add(name, "branch", role)
    for name in COMMITTEE:
        await people.add(name, "branch", "COMMITTEE")
    await people.describe("credit", *(_step(*row) for row in STEPS))


async def tell_credits(story: Story) -> None:
    """Opened on Monday, March 2, 09:00, the one ends on Tuesday, March 17, 14:15, the other on March 12, 10:00."""
    people = story.people
    await story.advance("03-02 09:00")
    paid, refused = [await _open(story, name) for name in ("Mill", "Kiln")]
    for code in ("collect", "report", "review"):
        await story.advance(DUE[code])
        for item in (paid, refused):
            assert await _due(people, item) == [DUE[code]]
            await _decide(story, item, code)
    await story.advance("03-10 10:00")
    await people.decide("risk", refused, "RETURN", note="The collateral is missing.")
    story.moved("WorkStep", "OPEN", "DECIDED")
    _assigned(story, "report")
    (again,) = await people.open_steps(refused)
    assert (again["step"]["code"], again["round"], again["dueAt"]) == ("report", 2, instant("03-12 10:00"))
    await story.advance(DUE["risk"])
    assert await _due(people, paid) == [DUE["risk"]]
    await _decide(story, paid, "risk")
    await story.advance("03-12 10:00")
    for code in ("report", "review", "risk"):
        await _decide(story, refused, code)
    await _reject(story, refused)
    await story.advance(DUE["committee"])
    assert await _due(people, paid) == [DUE["committee"]] * 5
    await _approve(story, paid)
    for code in ("decision", "contract", "seal", "pay_out"):
        await story.advance(DUE[code])
        assert await _due(people, paid) == [DUE[code]]
        await _decide(story, paid, code)
    await _check_end(people, paid)


async def _open(story: Story, customer: str) -> str:
    people = story.people
    people.customer = await people.add_customer(customer, "branch", "ana")
    item: str = (await people.open("ana", "credit"))["id"]
    for index, code in enumerate(PUBLIC):
        story.reached(code, "TODO" if index else "CURRENT", "CREATE")
    _assigned(story, "collect")
    return item


async def _due(people: WorkPeople, item: str) -> list[str]:
    """When the open steps of an item are due, in China."""
    moments = {instant(due): due for due in DUE.values()}
    return [moments[node["dueAt"]] for node in await people.open_steps(item)]


async def _decide(story: Story, item: str, code: str) -> None:
    """Decides a step of one person, and expects what follows."""
    await story.people.decide(DECIDERS.get(ROLES[code], "ana"), item)
    story.moved("WorkStep", "OPEN", "DECIDED")
    _go_on(story, code)


def _go_on(story: Story, code: str) -> None:
    if code in PUBLIC:
        story.reached(code, "DONE")
        if following := PUBLIC[PUBLIC.index(code) + 1 :]:
            story.reached(following[0], "CURRENT")
    codes = list(ROLES)
    if code == codes[-1]:
        story.moved("WorkItem", "OPEN", "DONE")
        story.notified("COPY", "Loan ended: DONE", "ana")
    else:
        _assigned(story, codes[codes.index(code) + 1])


def _assigned(story: Story, code: str) -> None:
    whose = ROLES[code]
    names = COMMITTEE if whose == "COMMITTEE" else (DECIDERS.get(whose, "ana"),)
    story.notified("ASSIGNED", f"Loan: {code.capitalize()}", *names)


async def _approve(story: Story, item: str) -> None:
    """The committee decides at the fourth approval."""
    outcomes = [(await story.people.decide(name, item, "APPROVE"))["outcome"] for name in COMMITTEE[:4]]
    assert outcomes == [None, None, None, "APPROVE"]
    story.moved("WorkStep", "OPEN", "DECIDED", times=4)
    story.moved("WorkStep", "OPEN", "SKIPPED")
    _go_on(story, "committee")


async def _reject(story: Story, item: str) -> None:
    """The committee decides at the second rejection, and nothing follows."""
    outcomes = [(await story.people.decide(name, item, "REJECT"))["outcome"] for name in COMMITTEE[:2]]
    assert outcomes == [None, "REJECT"]
    story.moved("WorkStep", "OPEN", "DECIDED", times=2)
    story.moved("WorkStep", "OPEN", "SKIPPED", times=3)
    story.moved("WorkItem", "OPEN", "REJECTED")
    story.notified("COPY", "Loan ended: REJECTED", "ana")
    for code in PUBLIC[PUBLIC.index("decision") :]:
        story.reached(code, "SKIPPED")


async def _check_end(people: WorkPeople, item: str) -> None:
    """Every clock of the credit is MET at the moment when it was due, and its milestones are reached."""
    read = (await people.client.query(CLOCKS, {"id": item}))["workItem"]
    assert (read["status"], read["closedAt"]) == ("DONE", instant("03-17 14:15"))
    clocks = [clock for node in read["steps"]["nodes"] for clock in node["clocks"]["nodes"]]
    assert [(clock["status"], clock["dueAt"] == clock["stoppedAt"]) for clock in clocks] == [("MET", True)] * 13
    assert read["milestones"]["nodes"] == [{"code": code, "state": "DONE"} for code in PUBLIC]


def _step(code: str, whose: str, hours: float, name: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {"goalSeconds": int(hours * HOUR), "publicName": name}
    if whose == "COMMITTEE":
        return step(code, whose, "APPROVE", "REJECT", quorum=5, majority="2/3", **values)
    if code == "risk":
        return step(code, whose, "DONE", "REJECT", "RETURN", returnsTo="report", **values)
    return step(code, whose, "DONE", "REJECT", **values)
