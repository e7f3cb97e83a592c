"""Random live queries from the schema's declarations, random writes to its tables, and the comparison at the end."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import asyncpg
import httpx2
from change_workload import wait_until
from graphql import FieldNode, OperationDefinitionNode, parse, print_ast, validate
from oracle.compare import value_differences
from oracle.data import Dataset
from oracle.generate import OperationDraw
from oracle.generate_fields import ResponseScope
from oracle.generate_rows import RowSelectionGenerator
from reconnecting_subscriber import ReconnectingSubscriber

from hub.db.pool import Connection
from hub.engine.catalog.catalog import Catalog
from hub.engine.graphql_types.schema_builder import Schema

SETTLE_TIMEOUT = 15.0  # seconds; time-dependent live queries run again every ten
ROW_BUDGET = 300  # cost limit of a list
COLUMNS = """
select attname::text as name from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped
    and attgenerated = '' and attname not in ('id', 'version', 'created_at', 'updated_at')
"""
RANDOM_ID = "(select id from {0} order by random() limit 1)"
UPDATE = "update {0} set {1} = (select {1} from {0} order by random() limit 1) where id = " + RANDOM_ID
COPY = "insert into {0} ({1}) select {1} from {0} order by random() limit 1"
DELETE = "delete from {0} where id = " + RANDOM_ID


@dataclass(frozen=True)
class GeneratedLiveQuery:
    """A list as a query and as a live query."""

    query: str
    subscription: str
    variables: dict[str, Any]


def generate_live_queries(graph: Schema, data: Dataset, now: datetime, seed: str) -> Iterator[GeneratedLiveQuery]:
    """Yields random lists of types that have rows, forever."""
    roots = [
        (name, root.entity)
        for name, root in graph.roots.items()
        if root.category == "list" and root.entity is not None and data.rows[root.entity.name]
    ]
    assert graph.core.query_type is not None
    for number in count():
        draw = OperationDraw(f"{seed} {number}", graph.core, data, now)
        name, row = draw.pick(roots)
        parts = RowSelectionGenerator(draw).list_field(
            ResponseScope(), graph.core.query_type, name, row, data.rows[row.name], ROW_BUDGET, 0, probability=0.75
        )
        query, subscription = _to_live_query(
            " ".join([f"{draw.header(None)} {{ {' '.join(parts)} }}", *draw.fragments])
        )
        # Extracting one list of several may leave an unused variable or fragment.
        if not validate(graph.core, parse(subscription)):
            yield GeneratedLiveQuery(query, subscription, draw.variables)


def _to_live_query(text: str) -> tuple[str, str]:
    """Returns the first list of a query and its live form, in which the arguments move to the enclosing field."""
    operation, *fragments = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    root = next(
        selection_node for selection_node in operation.selection_set.selections if isinstance(selection_node, FieldNode)
    )
    selection, arguments = print_ast(root.selection_set) if root.selection_set else "", root.arguments
    arguments_text = f"({', '.join(map(print_ast, arguments))})" if arguments else ""
    variables = ", ".join(map(print_ast, operation.variable_definitions or ()))
    header, rest = f"({variables})" if variables else "", "\n".join(map(print_ast, fragments))
    name = root.name.value
    return (
        f"query {header} {{ {name}{arguments_text} {selection} }}\n{rest}",
        f"subscription {header} {{ {name}Live{arguments_text} {{ {name} {selection} }} }}\n{rest}",
    )


@dataclass(eq=False)
class LiveListSubscriber(ReconnectingSubscriber):
    """A subscriber that stores the latest response of a live query."""

    live_query: GeneratedLiveQuery = field(default_factory=lambda: GeneratedLiveQuery("", "", {}))
    latest: Any = None

    def _subscribe_payload(self) -> Any:
        return {"query": self.live_query.subscription, "variables": self.live_query.variables}

    def _on_message(self, message: Any) -> None:
        self.latest = message
        self.ready.set()


class RandomWriter:
    """Copies rows and values of the tables that have rows at random, and deletes rows, as far as constraints allow."""

    def __init__(self, connection: Connection, catalog: Catalog, seed: str) -> None:
        self._connection = connection
        self._draw = random.Random(seed)
        # Random keys and roles would lock the subscribers out; nobody edits what was audited.
        scopes = {"administered", "role_itself", "role_owned"}
        entities = (row for row in catalog.entities.values() if row.declaration.scope.name not in scopes)
        self._candidates = sorted({row.table.name for row in entities})
        self._tables: list[str] = []
        self._columns: dict[str, list[str]] = {}

    async def write_once(self) -> bool:
        """Runs one statement; returns whether it succeeded and changed a row."""
        if not self._tables:
            has_rows = "select exists (select from {0})".format
            self._tables = [table for table in self._candidates if await self._connection.fetchval(has_rows(table))]
        table = self._draw.choice(self._tables)
        if table not in self._columns:
            self._columns[table] = ['"{name}"'.format(**row) for row in await self._connection.fetch(COLUMNS, table)]
        columns = self._columns[table]
        statement = self._draw.choices((UPDATE, COPY, DELETE), (6, 3, 1))[0]
        written = ", ".join(columns) if statement is COPY else self._draw.choice(columns)
        try:
            return not (await self._connection.execute(statement.format(table, written))).endswith(" 0")
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.FeatureNotSupportedError):
            return False


async def live_query_differences(
    subscribers: list[LiveListSubscriber], port: int, key: str, *, seconds: float = SETTLE_TIMEOUT
) -> list[tuple[list[str], GeneratedLiveQuery]]:
    """Returns the live queries whose last response differs from a query's, also after a delay, with the differences."""
    different: list[tuple[list[str], GeneratedLiveQuery]] = []
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
        for subscriber in subscribers:
            request_body = {"query": subscriber.live_query.query, "variables": subscriber.live_query.variables}

            async def is_current(current: LiveListSubscriber = subscriber, body: Any = request_body) -> bool:
                return bool((await client.post("/graphql", json=body)).json()["data"] == current.latest)

            try:
                await wait_until(is_current, seconds)
            except TimeoutError:
                answer = (await client.post("/graphql", json=request_body)).json()
                different.append(
                    (list(value_differences(answer["data"], subscriber.latest, "")), subscriber.live_query)
                )
    return different
