"""Live lists drawn from the schema's declarations, writes drawn from its tables, and who compares the two in the end."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import asyncpg
import httpx2
from change_workload import until
from graphql import FieldNode, OperationDefinitionNode, parse, print_ast, validate
from oracle.compare import apart
from oracle.data import Data
from oracle.generate import Draw
from oracle.generate_fields import Scope
from oracle.generate_rows import Rows
from reconnecting_subscriber import Subscriber

from hub.engine.catalog.catalog import Catalog
from hub.engine.graphql_types.schema_builder import Graph

SETTLED = 15.0  # seconds; what time alone changes is looked at again every ten
BUDGET = 300  # what a list may cost
COLUMNS = """
select attname::text as name from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped
    and attgenerated = '' and attname not in ('id', 'version', 'created_at', 'updated_at')
"""
ONE = "(select id from {0} order by random() limit 1)"
UPDATE = "update {0} set {1} = (select {1} from {0} order by random() limit 1) where id = " + ONE
COPY = "insert into {0} ({1}) select {1} from {0} order by random() limit 1"
DELETE = "delete from {0} where id = " + ONE


@dataclass(frozen=True)
class LiveList:
    """A list as a query, and the same kept alive."""

    query: str
    subscription: str
    variables: dict[str, Any]


def drawn(graph: Graph, data: Data, at: datetime, seed: str) -> Iterator[LiveList]:
    """Lists without end."""
    roots = [(name, root.row) for name, root in graph.roots.items() if root.kind == "list" and root.row is not None]
    assert graph.core.query_type is not None
    for number in count():
        draw = Draw(f"{seed} {number}", graph.core, data, at)
        name, row = draw.pick(roots)
        parts = Rows(draw).list(Scope(), graph.core.query_type, name, row, data.rows[row.name], BUDGET, 0, often=0.75)
        query, subscription = _alive(" ".join([f"{draw.header(None)} {{ {' '.join(parts)} }}", *draw.fragments]))
        # Who takes one list out of several may leave a variable or a fragment behind that nobody uses.
        if not validate(graph.core, parse(subscription)):
            yield LiveList(query, subscription, draw.variables)


def _alive(text: str) -> tuple[str, str]:
    """The first list of a query, and its live form: the arguments stand at the field around it."""
    operation, *fragments = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    one = next(each for each in operation.selection_set.selections if isinstance(each, FieldNode))
    selection, arguments = print_ast(one.selection_set) if one.selection_set else "", one.arguments
    given = f"({', '.join(map(print_ast, arguments))})" if arguments else ""
    variables = ", ".join(map(print_ast, operation.variable_definitions or ()))
    head, rest = f"({variables})" if variables else "", "\n".join(map(print_ast, fragments))
    name = one.name.value
    return (
        f"query {head} {{ {name}{given} {selection} }}\n{rest}",
        f"subscription {head} {{ {name}Live{given} {{ {name} {selection} }} }}\n{rest}",
    )


@dataclass(eq=False)
class Watcher(Subscriber):
    """One who keeps the newest answer of a live list."""

    watched: LiveList = field(default_factory=lambda: LiveList("", "", {}))
    view: Any = None

    def _asked(self) -> Any:
        return {"query": self.watched.subscription, "variables": self.watched.variables}

    def _hear(self, message: Any) -> None:
        self.view = message
        self.ready.set()


class Scribbler:
    """Writes what the tables let him: copies rows and values from elsewhere, and deletes."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", catalog: Catalog, seed: str) -> None:
        self._connection = connection
        self._draw = random.Random(seed)
        self._tables = sorted({row.table.name for row in catalog.rows.values()})
        self._columns: dict[str, list[str]] = {}

    async def scribble(self) -> bool:
        """One statement; whether it was allowed and changed something."""
        table = self._draw.choice(self._tables)
        if table not in self._columns:
            self._columns[table] = [each["name"] for each in await self._connection.fetch(COLUMNS, table)]
        columns = self._columns[table]
        form = self._draw.choices((UPDATE, COPY, DELETE), (6, 3, 1))[0]
        written = ", ".join(columns) if form is COPY else self._draw.choice(columns)
        try:
            return not (await self._connection.execute(form.format(table, written))).endswith(" 0")
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.FeatureNotSupportedError):
            return False


async def differences(
    watchers: list[Watcher], port: int, key: str, *, seconds: float = SETTLED
) -> list[tuple[list[str], LiveList]]:
    """The lists whose last view is not what a query answers, also a while later, and where the two differ."""
    found: list[tuple[list[str], LiveList]] = []
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
        for each in watchers:
            asked = {"query": each.watched.query, "variables": each.watched.variables}

            async def same(watcher: Watcher = each, asked: Any = asked) -> bool:
                return bool((await client.post("/graphql", json=asked)).json()["data"] == watcher.view)

            try:
                await until(same, seconds)
            except TimeoutError:
                answer = (await client.post("/graphql", json=asked)).json()
                found.append((list(apart(answer["data"], each.view, "")), each.watched))
    return found
