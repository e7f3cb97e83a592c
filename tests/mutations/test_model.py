"""Mutations made up by Hypothesis, done by the hub and on a plain model beside it: after each, the graph is what the model says.

Each run prints its seed, the long one draws a new one each time; `pytest --hypothesis-seed=…` runs it again."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import pytest
from conftest import NewDatabase
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from state_model.generate import Draw
from state_model.graph import VERBS, Root, astray, differences, expected, operation, read
from state_model.world import PREFIXES, Refused, World
from writer_client import Writer, writing

TRACES = "select (select count(*) from change_log), (select count(*) from kept_answers)"
CLEAR = "set hub.capture = off; delete from customers; delete from products; delete from kept_answers"
POLICIES = ALL, SOME = "REJECT_ALL", "REJECT_FAILED_ROWS"
MOST = 8  # rows of a type, beyond which none are made, so that all can be read after every step
Told = tuple[str, dict[str, Any]]
VERB = st.sampled_from(sorted(VERBS))
SHAPELESS: tuple[Root, ...] = (
    Root("customerCreate", {"kind": "PERSON", "name": None}),
    Root("customerCreate", {"kind": "ROBOT", "name": "Ada"}),
    Root("customerUpdate", {"name": "Ada"}),
    Root("customerUpdate", [{"id": None}, {"id": "Ada"}], SOME),
    Root("productCreate", {"sku": "Z", "name": "Z", "category": "Z", "currency": "EUR", "unitPrice": "cheap"}),
    Root("orderStatusMove", {"id": "Ada", "status": None}),
    Root("consentSet", {"customerId": "Ada", "purpose": "a", "status": "MAYBE", "source": "a"}),
)
ANN = [{"kind": "EMAIL", "value": "a@home.org", "source": "shop"}]
BOB = [{"kind": "EMAIL", "value": "a@home.org", "source": "erp", "verified": True}]
START = (
    Root(
        "customerCreate",
        [{"kind": "PERSON", "name": "Ann", "identifiers": ANN}, {"kind": "PERSON", "name": "Bob", "identifiers": BOB}],
        ALL,
    ),
    Root(
        "productCreate",
        [{"sku": sku, "name": sku, "category": "Iron", "unitPrice": "3.3333", "currency": "EUR"} for sku in "AB"],
        ALL,
    ),
)


class Beside(RuleBasedStateMachine):
    """The hub and the model beside each other; a subclass says which hub."""

    writer: Writer
    rows: "asyncpg.Connection[asyncpg.Record]"
    wait: Callable[[Any], Any]
    units: tuple[str, ...]
    staff: str

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.units, self.staff)
        self.gone: dict[str, list[str]] = {table: [] for table in PREFIXES}
        self.kept: dict[str, tuple[Told, Any]] = {}

    @initialize()
    def start(self) -> None:
        self.done(START)
        (ann, _), (nail, _) = (self.world.rows[table] for table in ("customers", "products"))
        who = {"customerId": ann["id"].value}
        items = [{"productId": nail["id"].value, "quantity": 3, "unitPrice": "0.5", "discount": "0.3333"}] * 2
        self.done(
            [
                Root("orderCreate", {**who, "number": "N-1", "currency": "EUR", "items": items}),
                Root("interactionRecord", {**who, "channel": "WEB", "direction": "INBOUND", "kind": "page.seen"}),
            ]
        )

    @rule(data=st.data(), verb=VERB)
    def one(self, data: st.DataObject, verb: str) -> None:
        self.done([self.root(data, verb)])

    @rule(data=st.data(), verb=VERB, policy=st.sampled_from(POLICIES), rows=st.integers(2, 4))
    def many(self, data: st.DataObject, verb: str, policy: str, rows: int) -> None:
        made = [self.root(data, verb) for _ in range(rows)]
        self.done([Root(made[0].verb, [each.input for each in made], policy)])

    @rule(data=st.data(), verbs=st.lists(VERB, min_size=2, max_size=3), policy=st.sampled_from((None, *POLICIES)))
    def several(self, data: st.DataObject, verbs: list[str], policy: str | None) -> None:
        roots = [self.root(data, verb) for verb in verbs]
        if policy:
            roots[0] = Root(roots[0].verb, [roots[0].input, self.root(data, roots[0].verb).input], policy)
        self.done(roots)

    @rule(data=st.data(), verb=VERB, key=st.sampled_from(("k1", "k2", "é k3")))
    def keyed(self, data: st.DataObject, verb: str, key: str) -> None:
        self.done([self.root(data, verb)], key)

    @rule(data=st.data())
    def repeated(self, data: st.DataObject) -> None:
        if self.kept:
            told, answer = self.kept[data.draw(st.sampled_from(sorted(self.kept)))]
            self.used(told, told, answer)

    @rule(root=st.sampled_from(SHAPELESS))
    def shapeless(self, root: Root) -> None:
        self.refused(operation([root], None), Refused("VARIABLE_INVALID"))

    @invariant()
    def the_graph_is_the_model(self) -> None:
        wrong = astray(self.world, self.wait(read(self.writer)))
        assert not wrong, "\n".join(wrong)

    def teardown(self) -> None:
        self.wait(self.rows.execute(CLEAR))

    def root(self, data: st.DataObject, verb: str) -> Root:
        """A root of the verb, or where there is enough already of another one that takes away."""
        made = {"customerCreate": "customers", "customerUpsert": "customers", "orderCreate": "orders"}
        made |= {"interactionRecord": "interactions", "consentSet": "consents", "customerStageMove": "stageMoves"}
        if verb in made and len(self.world.rows[made[verb]]) >= MOST:
            verb = "customerDelete"
        return Root(verb, getattr(Draw(data, self.world, self.gone), verb)())

    def done(self, roots: Sequence[Root], key: str | None = None) -> None:
        """Has roots done by both, which must agree on what is given or why it is refused."""
        told = operation(roots, key)
        if key in self.kept:
            self.used(told, *self.kept[key])
            return
        tried = self.world.copy()
        try:
            data = expected(tried, roots)
        except Refused as refused:
            self.refused(told, refused)
            return
        answer = self.wait(self.writer.answer(*told))
        assert "errors" not in answer, (roots, answer["errors"])
        wrong = differences(data, answer["data"])
        assert not wrong, (roots, wrong)
        self.lost(tried)
        self.world.become(tried)
        if key is not None:
            self.kept[key] = told, answer

    def used(self, told: Told, first: Told, answer: Any) -> None:
        """An operation whose key was used gets the answer of then if it is the same, else none, and does nothing."""
        if told != first:
            self.refused(told, Refused("IDEMPOTENCY_KEY_REUSED"))
            return
        before = self.traces()
        assert self.wait(self.writer.answer(*told)) == answer
        assert self.traces() == before

    def refused(self, told: Told, refused: Refused) -> None:
        """The hub refuses for the same reason, and is left as it was to the last trace."""
        before = self.traces()
        error = self.wait(self.writer.refused(*told))
        assert error["code"] == refused.code, (told[1], error)
        if refused.rows is not None:
            assert [(row["row"], row["code"]) for row in error["rows"]] == refused.rows
        if refused.code not in ("VARIABLE_INVALID", "IDEMPOTENCY_KEY_REUSED"):
            assert error["path"] == [f"r{refused.root}"]
        assert self.traces() == before

    def lost(self, tried: World) -> None:
        """Remembers the ids of what is no longer there."""
        for table, rows in self.world.rows.items():
            left = {row["id"] for row in tried.rows[table]}
            self.gone[table] += [str(row["id"].value) for row in rows if row["id"] not in left]

    def traces(self) -> tuple[int, int]:
        """How many changes are logged and answers kept."""
        changes, answers = self.wait(self.rows.fetchrow(TRACES))
        return changes, answers


@pytest.fixture(scope="module")
async def writer(new_database: NewDatabase, empty_dsn: str) -> AsyncIterator[Writer]:
    async with writing(await new_database("migrated")) as made:
        yield made


@pytest.fixture(scope="module")
async def machine(writer: Writer) -> AsyncIterator[type[Beside]]:
    """The machine on a hub whose organisation is two units and a member of staff."""
    loop = asyncio.get_running_loop()
    connection = await asyncpg.connect(writer.dsn)
    unit = "mutation ($p: ID, $c: String!) { orgUnitCreate(input: {parentId: $p, code: $c, name: $c, kind: GROUP}) {"
    units: list[str] = []
    for code in "ab":
        made = await writer.do(unit + " orgUnit { id } } }", {"p": units[0] if units else None, "c": code})
        units.append(made["orgUnitCreate"]["orgUnit"]["id"])
    staff = await writer.do(
        'mutation ($u: ID!) { staffCreate(input: {number: "1", name: "Eve", unitId: $u}) { staff { id } } }',
        {"u": units[0]},
    )

    class OnThisHub(Beside):
        """Steps wait for the hub by turns of the session's loop, which stands still while a test that is not async runs."""

        wait = staticmethod(loop.run_until_complete)

    OnThisHub.writer, OnThisHub.rows = writer, connection
    OnThisHub.units, OnThisHub.staff = tuple(units), staff["staffCreate"]["staff"]["id"]
    yield OnThisHub
    await connection.close()


@pytest.fixture
def run(machine: type[Beside], pytestconfig: pytest.Config) -> Callable[..., None]:
    """Runs so many stories of so many steps, from a seed that is printed. Making a story that fails short takes minutes."""

    def ran(stories: int, steps: int, from_seed: int, *, shrink: bool = False) -> None:
        chosen = int(pytestconfig.getoption("--hypothesis-seed", default=None) or from_seed)
        print(f"--hypothesis-seed={chosen}")
        common = settings(
            max_examples=stories,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(seed(chosen)(machine), settings=common)

    return ran


def test_the_graph_equals_the_model_after_every_step(run: Callable[..., None]) -> None:
    run(40, 25, 1998)


@pytest.mark.soak
def test_the_graph_equals_the_model_for_long(run: Callable[..., None]) -> None:
    run(500, 50, random.randrange(10**9), shrink=True)
