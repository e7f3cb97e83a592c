"""Mutations made up by Hypothesis, done by the hub and on a plain model: after each, the graph is what the model says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import pytest
import random_runs
from conftest import CreateDatabase
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from state_model.generate import InputDraw
from state_model.graph import (
    COMMANDS,
    MutationRoot,
    build_operation,
    differences,
    expected_data,
    model_differences,
    read_graph,
)
from state_model.world import PREFIXES, ModelRejection, ModelState
from writer_client import HubClient, open_hub_client

from hub.db.pool import Connection

TRACES = "select (select count(*) from change_log), (select count(*) from idempotency_records)"
CLEAR = "set hub.capture = off; delete from customers; delete from products; delete from idempotency_records"
POLICIES = ALL, SOME = "REJECT_ALL", "REJECT_FAILED_ROWS"
MAX_ROWS = 8  # rows of a type, beyond which none are made, so that all can be read after every step
SentOperation = tuple[str, dict[str, Any]]
VERB = st.sampled_from(sorted(COMMANDS))
MALFORMED: tuple[MutationRoot, ...] = (
    MutationRoot("customerCreate", {"kind": "PERSON", "name": None}),
    MutationRoot("customerCreate", {"kind": "ROBOT", "name": "Ada"}),
    MutationRoot("customerUpdate", {"name": "Ada"}),
    MutationRoot("customerUpdate", [{"id": None}, {"id": "Ada"}], SOME),
    MutationRoot("productCreate", {"sku": "Z", "name": "Z", "category": "Z", "currency": "EUR", "unitPrice": "cheap"}),
    MutationRoot("orderStatusMove", {"id": "Ada", "status": None}),
    MutationRoot("consentSet", {"customerId": "Ada", "purpose": "a", "status": "MAYBE", "source": "a"}),
)
ANN = [{"kind": "EMAIL", "value": "a@home.org", "source": "shop"}]
BOB = [{"kind": "EMAIL", "value": "a@home.org", "source": "erp", "verified": True}]
START = (
    MutationRoot(
        "customerCreate",
        [{"kind": "PERSON", "name": "Ann", "identifiers": ANN}, {"kind": "PERSON", "name": "Bob", "identifiers": BOB}],
        ALL,
    ),
    MutationRoot(
        "productCreate",
        [{"sku": sku, "name": sku, "category": "Iron", "unitPrice": "3.3333", "currency": "EUR"} for sku in "AB"],
        ALL,
    ),
)


class HubAgainstModel(RuleBasedStateMachine):
    """The hub and the model beside each other; a subclass says which hub."""

    hub_client: HubClient
    connection: Connection
    wait: Callable[[Any], Any]
    units: tuple[str, ...]
    staff: str

    def __init__(self) -> None:
        super().__init__()
        self.world = ModelState(self.units, self.staff)
        self.deleted_ids: dict[str, list[str]] = {table: [] for table in PREFIXES}
        self.stored_answers: dict[str, tuple[SentOperation, Any]] = {}

    @initialize()
    def start(self) -> None:
        self.execute_both(START)
        (ann, _), (nail, _) = (self.world.rows[table] for table in ("customers", "products"))
        who = {"customerId": ann["id"].value}
        items = [{"productId": nail["id"].value, "quantity": 3, "unitPrice": "0.5", "discount": "0.3333"}] * 2
        self.execute_both(
            [
                MutationRoot("orderCreate", {**who, "number": "N-1", "currency": "EUR", "items": items}),
                MutationRoot(
                    "interactionRecord", {**who, "channel": "WEB", "direction": "INBOUND", "kind": "page.seen"}
                ),
            ]
        )

    @rule(data=st.data(), verb=VERB)
    def one(self, data: st.DataObject, verb: str) -> None:
        self.execute_both([self.root(data, verb)])

    @rule(data=st.data(), verb=VERB, policy=st.sampled_from(POLICIES), rows=st.integers(2, 4))
    def many(self, data: st.DataObject, verb: str, policy: str, rows: int) -> None:
        roots = [self.root(data, verb) for _ in range(rows)]
        self.execute_both([MutationRoot(roots[0].command, [root.input for root in roots], policy)])

    @rule(data=st.data(), verbs=st.lists(VERB, min_size=2, max_size=3), policy=st.sampled_from((None, *POLICIES)))
    def several(self, data: st.DataObject, verbs: list[str], policy: str | None) -> None:
        roots = [self.root(data, verb) for verb in verbs]
        if policy:
            roots[0] = MutationRoot(roots[0].command, [roots[0].input, self.root(data, roots[0].command).input], policy)
        self.execute_both(roots)

    @rule(data=st.data(), verb=VERB, key=st.sampled_from(("k1", "k2", "é k3")))
    def keyed(self, data: st.DataObject, verb: str, key: str) -> None:
        self.execute_both([self.root(data, verb)], key)

    @rule(data=st.data())
    def repeated(self, data: st.DataObject) -> None:
        if self.stored_answers:
            sent, answer = self.stored_answers[data.draw(st.sampled_from(sorted(self.stored_answers)))]
            self.replay(sent, sent, answer)

    @rule(root=st.sampled_from(MALFORMED))
    def malformed(self, root: MutationRoot) -> None:
        self.expect_refusal(build_operation([root], None), ModelRejection("VARIABLE_INVALID"))

    @invariant()
    def the_graph_is_the_model(self) -> None:
        wrong = model_differences(self.world, self.wait(read_graph(self.hub_client)))
        assert not wrong, "\n".join(wrong)

    def teardown(self) -> None:
        self.wait(self.connection.execute(CLEAR))

    def root(self, data: st.DataObject, verb: str) -> MutationRoot:
        """A root of the verb, or where there is enough already of another one that takes away."""
        tables = {"customerCreate": "customers", "customerUpsert": "customers", "orderCreate": "orders"}
        tables |= {"interactionRecord": "interactions", "consentSet": "consents", "customerStageMove": "stageMoves"}
        if verb in tables and len(self.world.rows[tables[verb]]) >= MAX_ROWS:
            verb = "customerDelete"
        return MutationRoot(verb, getattr(InputDraw(data, self.world, self.deleted_ids), verb)())

    def execute_both(self, roots: Sequence[MutationRoot], key: str | None = None) -> None:
        """Has roots done by both, which must agree on what is given or why it is refused."""
        sent = build_operation(roots, key)
        if key in self.stored_answers:
            self.replay(sent, *self.stored_answers[key])
            return
        tried = self.world.copy()
        try:
            data = expected_data(tried, roots)
        except ModelRejection as refused:
            self.expect_refusal(sent, refused)
            return
        answer = self.wait(self.hub_client.execute(*sent))
        assert "errors" not in answer, (roots, answer["errors"])
        wrong = differences(data, answer["data"])
        assert not wrong, (roots, wrong)
        self.remember_deleted(tried)
        self.world.adopt(tried)
        if key is not None:
            self.stored_answers[key] = sent, answer

    def replay(self, sent: SentOperation, first: SentOperation, answer: Any) -> None:
        """An operation whose key was used gets the answer of then if it is the same, else none, and does nothing."""
        if sent != first:
            self.expect_refusal(sent, ModelRejection("IDEMPOTENCY_KEY_REUSED"))
            return
        before = self.traces()
        assert self.wait(self.hub_client.execute(*sent)) == answer
        assert self.traces() == before

    def expect_refusal(self, sent: SentOperation, refused: ModelRejection) -> None:
        """The hub refuses for the same reason, and is left as it was to the last trace."""
        before = self.traces()
        error = self.wait(self.hub_client.error(*sent))
        assert error["code"] == refused.code, (sent[1], error)
        if refused.rows is not None:
            assert [(row["row"], row["code"]) for row in error["rows"]] == refused.rows
        if refused.code not in ("VARIABLE_INVALID", "IDEMPOTENCY_KEY_REUSED"):
            assert error["path"] == [f"r{refused.root}"]
        assert self.traces() == before

    def remember_deleted(self, tried: ModelState) -> None:
        """Remembers the ids of what is no longer there."""
        for table, rows in self.world.rows.items():
            left = {row["id"] for row in tried.rows[table]}
            self.deleted_ids[table] += [str(row["id"].value) for row in rows if row["id"] not in left]

    def traces(self) -> tuple[int, int]:
        """How many changes are logged and answers kept."""
        changes, answers = self.wait(self.connection.fetchrow(TRACES))
        return changes, answers


@pytest.fixture(scope="module")
async def hub_client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    async with open_hub_client(await create_database("migrated")) as client:
        yield client


@pytest.fixture(scope="module")
async def machine(hub_client: HubClient) -> AsyncIterator[type[HubAgainstModel]]:
    """The machine on a hub whose organisation is two units and a member of staff."""
    loop = asyncio.get_running_loop()
    connection = await asyncpg.connect(hub_client.dsn)
    unit = "mutation ($p: ID, $c: String!) { orgUnitCreate(input: {parentId: $p, code: $c, name: $c, kind: GROUP}) {"
    units: list[str] = []
    for code in "ab":
        data = await hub_client.query(unit + " orgUnit { id } } }", {"p": units[0] if units else None, "c": code})
        units.append(data["orgUnitCreate"]["orgUnit"]["id"])
    staff = await hub_client.query(
        'mutation ($u: ID!) { staffCreate(input: {number: "1", name: "Eve", unitId: $u}) { staff { id } } }',
        {"u": units[0]},
    )

    class ModelMachine(HubAgainstModel):
        """Steps wait for the hub by turns of the session's loop, which stands still while a test that is not async runs."""

        wait = staticmethod(loop.run_until_complete)

    ModelMachine.hub_client, ModelMachine.connection = hub_client, connection
    ModelMachine.units, ModelMachine.staff = tuple(units), staff["staffCreate"]["staff"]["id"]
    yield ModelMachine
    await connection.close()


@pytest.fixture
def run_stories(machine: type[HubAgainstModel], pytestconfig: pytest.Config) -> Callable[[int], None]:
    """Runs so many stories. Those of the long runs are twice as long, and they alone spend minutes to shorten a failure."""
    long = random_runs.whole_runs(pytestconfig)

    def run_stories(stories: int) -> None:
        common = settings(
            max_examples=stories,
            stateful_step_count=50 if long else 25,
            deadline=None,
            database=None,
            phases=[Phase.generate, *([Phase.shrink] if long else [])],
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(seed(random_runs.seed())(machine), settings=common)

    return run_stories


@random_runs.draws("model stories")
def test_the_graph_equals_the_model_after_every_step(run_stories: Callable[[int], None], draws: int) -> None:
    run_stories(draws)
