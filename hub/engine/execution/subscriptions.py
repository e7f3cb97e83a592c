"""What a subscription is to the room that runs it: a document planned for a viewer, to be asked again and again.

Nothing here knows when to ask: that is publish/'s, and so are cursors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson

from hub.db.pool import Pool
from hub.engine.catalog.catalog import Row
from hub.engine.execution.resolvers import Splicer
from hub.engine.plan.dependencies import Reach, behind_keys, reach_of
from hub.engine.plan.nodes import ById, Changes, Frame, MessageFields, Plan, Splice
from hub.engine.plan.operations import Live, Told
from hub.engine.plan.predicates import MOMENTS, Run
from hub.engine.sql.compiler import Statement, framed, told, written
from hub.viewer import Binding


@dataclass(frozen=True, slots=True)
class Ready:
    """A root that is told or kept alive, with its statements; serves all runs of its shape."""

    root: Told | Live
    statement: Statement | None  # none when no type is told
    reach: Reach
    keyed: Mapping[int, Statement]  # of the plans behind keys that resolvers give, by their identity

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.root.plan

    @property
    def length(self) -> int:
        """How long the statements' texts are."""
        return sum(len(each.text) for each in (self.statement, *self.keyed.values()) if each)


def ready(root: Told | Live, binding: Binding, owner: Row) -> Ready:
    """A root with the statement that it becomes for a kind of binding; `owner` is the row that others belong to."""
    ((_, node),) = root.plan.roots
    keyed = {id(plan): written(plan, binding) for plan in behind_keys(root.plan.splice)}
    if isinstance(node, Changes):
        statement = told(root.plan, binding, owner.declaration.prefix) if node.types else None
        return Ready(root, statement, Reach(frozenset(each.row.table.name for each in node.types), frozenset()), keyed)
    reach = reach_of(root.plan)
    if binding in ("leaf", "unit"):  # a customer who moves to another unit takes all of its rows along
        reach = Reach(reach.anywhere | {owner.table.name}, reach.of_customer)
    return Ready(root, framed(root.plan, binding), reach, keyed)


class Watch:
    """One subscriber's document with its values and its rights.

    `same` is equal for all who would be told the same; `mark` stands in the bytes where a cursor belongs that is not
    known yet, and is never told."""

    def __init__(self, ready: Ready, run: Run) -> None:
        self._ready = ready
        self._run = run
        self.key = ready.root.key
        self.reach = ready.reach
        self.bound = run.viewer.customer_id is not None  # the viewer sees the rows of one customer alone
        self.keys, self.customer = self._concerned()
        asked = _asked(ready.statement, run) if ready.statement else ()
        added = self._added(ready.root.plan.splice, run)
        self.same: tuple[str, ...] = (self.key, *asked, *added, repr(self.customer), repr(self.keys))

    def _added(self, splice: Splice | None, run: Run) -> Iterator[str]:
        """What Python adds to an answer: where, by which resolver with which arguments, and what is read behind its keys."""
        if splice is None:
            return
        for fill in splice.fills:
            yield repr((fill.key, fill.resolved.resolver, fill.arguments(run)))
            if fill.keyed is not None:
                yield from _asked(self._ready.keyed[id(fill.keyed)], run)
                yield from self._added(fill.keyed.splice, run)
        for key, deeper in (*splice.deeper, *splice.by_type):
            yield key
            yield from self._added(deeper, run)

    def _concerned(self) -> tuple[frozenset[UUID] | None, UUID | None]:
        """The only rows that matter, and the one customer whose rows do, beside those that belong to none; None for any."""
        of_viewer = self._run.viewer.customer_id
        ((_, node),) = self._ready.plan.roots
        if isinstance(node, Changes):
            keys, customer = node.listed.keys, node.listed.customer
            wanted = frozenset(keys.value(self._run)) if keys else None
            return wanted, customer.value(self._run) if customer else of_viewer
        assert isinstance(node, Frame)
        roots = [part for _, part in node.fields if isinstance(part, ById)]
        kept = {root.key.value(self._run) for root in roots if root.row.declaration.scope.key == "id"}
        return None, of_viewer or (kept.pop() if kept else None)

    @property
    def wide(self) -> bool:
        """Whether any change of a table may concern it, whoever's row it is."""
        return self.keys is None and self.customer is None

    @property
    def live(self) -> bool:
        """Whether whole answers are told, and not changes."""
        return isinstance(self._ready.root, Live)

    @property
    def timed(self) -> bool:
        """Whether time alone may change what is told."""
        return isinstance(self._ready.root, Live) and self._ready.root.timed

    @property
    def messages(self) -> Mapping[str, MessageFields]:
        """Which fields of each kind of message are told, by response key."""
        ((_, node),) = self._ready.plan.roots
        return node.messages if isinstance(node, Changes) else {}

    @property
    def after(self) -> str | None:
        """The cursor behind which it begins, as it was given."""
        root = self._ready.root
        return root.after(self._run) if isinstance(root, Told) and root.after else None

    @property
    def size(self) -> int:
        """How many messages a page has at most."""
        root = self._ready.root
        return root.size(self._run) if isinstance(root, Told) else 0

    async def told(
        self, pool: Pool, positions: Sequence[int], cursors: Sequence[str], mark: str, at: datetime
    ) -> list[tuple[int, bytes]]:
        """The messages of the changes at these positions, with the positions, in their order."""
        statement = self._ready.statement
        if statement is None:
            return []
        run = self._run._replace(positions=positions, cursors=cursors, mark=mark, at=at)
        rows = await pool.fetch(statement.text, statement.bind(run), fresh=statement.fresh)
        return [
            (row[0], body)
            for row, body in zip(rows, await self._spliced(pool, [row[1] for row in rows], run), strict=True)
        ]

    async def frame(self, pool: Pool, mark: str, at: datetime) -> tuple[int, bytes]:
        """The answer now, and the position that it is true for."""
        statement = self._ready.statement
        assert statement is not None
        run = self._run._replace(mark=mark, at=at)
        (row,) = await pool.fetch(statement.text, statement.bind(run), fresh=statement.fresh)
        (body,) = await self._spliced(pool, [row[0]], run)
        return row[1], body

    async def _spliced(self, pool: Pool, bodies: list[bytes], run: Run) -> list[bytes]:
        splice = self._ready.plan.splice
        if splice is None or not bodies:
            return bodies
        values = [orjson.loads(body) for body in bodies]
        splicer = Splicer(run, lambda plan, inner: self._keyed(pool, plan, inner))
        await splicer.splice(values, splice)
        if splicer.errors:
            raise splicer.errors[0]
        return [orjson.dumps(value) for value in values]

    async def _keyed(self, pool: Pool, plan: Plan, run: Run) -> dict[str, Any]:
        statement = self._ready.keyed[id(plan)]
        found = orjson.loads(await pool.fetch_json(statement.text, statement.bind(run)))
        return found["rows"] or {}


def _asked(statement: Statement, run: Run) -> tuple[str, ...]:
    return statement.text, *(repr(statement.bind(run._replace(at=each))) for each in MOMENTS)


class Pages(Protocol):
    """Who reads changes in their order for a query; the one implementation is publish/'s."""

    async def page(self, watch: Watch) -> list[bytes]:
        """A page of messages, each the JSON of one element of the root's list."""
