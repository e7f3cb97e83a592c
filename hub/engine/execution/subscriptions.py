"""Sources of subscriptions: a compiled document with a viewer's values, which gives messages and answers on demand.

hub/subscriptions and hub/changefeed decide when to run it, and have the cursors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, cast
from uuid import UUID

from hub.db.fair_queue import Flow
from hub.db.meter import WorkMeter
from hub.db.pool import Pool
from hub.engine.budgets import CostAccount
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.execution.compiled_operation import CompiledOperation, compile_rows_statements
from hub.engine.execution.read_audit import ReadAudit
from hub.engine.plan.dependencies import TableDependencies, table_dependencies
from hub.engine.plan.nodes import ChangesPlan, LivePayload, MessageFields, Plan, ResolverTree, RowById
from hub.engine.plan.operations import ChangesRoot, LiveRoot
from hub.engine.plan.parameters import NO_REDIRECTS, PROBE_TIMES, ExecutionContext
from hub.engine.sql.compiler import CompiledStatement, compile_changes, compile_live
from hub.model import exact_json, scopes
from hub.rights import Rights
from hub.viewer import Viewer


@dataclass(frozen=True, slots=True)
class CompiledSubscription(CompiledOperation):
    """A `changes` root or a live query for one shape of variables and for certain rights; it has no statement without types."""

    root: ChangesRoot | LiveRoot
    dependencies: TableDependencies
    audit: ReadAudit | None = None

    @property
    def plan(self) -> Plan:
        """The plan of the root."""
        return self.root.plan


def compile_subscription(
    root: ChangesRoot | LiveRoot, rights: Rights, customer_type: CatalogEntity
) -> CompiledSubscription:
    """A root with its statements; `customer_type` is the entity that owns the rows of the others."""
    ((_, node),) = root.plan.roots
    rows_statements = compile_rows_statements(root.plan.resolver_tree, rights)
    if isinstance(node, ChangesPlan):
        statement = compile_changes(root.plan, rights, customer_type.declaration.prefix) if node.types else None
        tables = frozenset(change_type.entity.table.name for change_type in node.types)
        return CompiledSubscription(statement, rows_statements, root, TableDependencies(tables, frozenset()))
    dependencies = table_dependencies(root.plan)
    if rights.binding in (
        "single_unit",
        "unit_subtree",
    ):  # a customer that moves to another unit takes all of its rows along
        dependencies = TableDependencies(dependencies.any_row | {customer_type.table.name}, dependencies.customer_rows)
    if rights.narrowed:
        dependencies = replace(dependencies, visibility=scopes.visibility_tables(dependencies.tables, rights))
    return CompiledSubscription(compile_live(root.plan, rights), rows_statements, root, dependencies)


class SubscriptionSource:
    """One subscriber's document with its values and its viewer.

    Sources with an equal `group_key` give equal messages. In these, `previous_cursor_placeholder` stands for a cursor that
    the sender replaces; clients never see it. `cost` are the rows that one run could read; `account` pays for the runs."""

    def __init__(
        self,
        compiled: CompiledSubscription,
        context: ExecutionContext,
        cost: int = 0,
        account: CostAccount | None = None,
    ) -> None:
        self._compiled = compiled
        self._context = context
        self.response_key = compiled.root.key
        self.dependencies = compiled.dependencies
        # Whose turns the statements take; a group of several subscribers changes it.
        self.flow: Flow = context.viewer.flow
        self.cost = cost
        self.account = account  # a group of several subscribers changes it, too
        self.meter = context.meter  # of the query that reads a page of changes
        self.bound = context.viewer.customer_id is not None  # the viewer sees only the rows of one customer
        self.row_ids, self.customer_id = self._relevant_rows()
        statement_key = _statement_key(compiled.statement, context) if compiled.statement else ()
        resolver_keys = self._resolver_keys(compiled.root.plan.resolver_tree, context)
        self.group_key: tuple[str, ...] = (
            self.response_key,
            *statement_key,
            *resolver_keys,
            repr(self.customer_id),
            repr(self.row_ids),
        )

    def _resolver_keys(self, tree: ResolverTree | None, context: ExecutionContext) -> Iterator[str]:
        """The parts of the key that resolvers add: their response keys, functions, arguments, and the rows behind their keys."""
        if tree is None:
            return
        for field in tree.fields:
            yield repr((field.key, field.resolver.function, field.arguments.read(context.variables)))
            if field.resolver.takes_viewer:
                yield context.viewer.rights_digest().hex()
            if field.resolver.takes_redirects:
                yield repr(sorted(context.redirects.items()))
            if field.rows_plan is not None:
                yield from _statement_key(self._compiled.rows_statements[id(field.rows_plan)], context)
                yield from self._resolver_keys(field.rows_plan.resolver_tree, context)
        for key, child in (*tree.children, *tree.by_type):
            yield key
            yield from self._resolver_keys(child, context)

    def _relevant_rows(self) -> tuple[frozenset[UUID] | None, UUID | None]:
        """The ids of the relevant rows, and the customer whose rows are relevant beside rows of no customer; None for all."""
        viewer_customer = self._context.viewer.customer_id
        ((_, node),) = self._compiled.plan.roots
        if isinstance(node, ChangesPlan):
            keys, customer = node.log_filter.keys, node.log_filter.customer
            row_ids = frozenset(keys.evaluate(self._context)) if keys else None
            return row_ids, customer.evaluate(self._context) if customer else viewer_customer
        assert isinstance(node, LivePayload)
        roots = [part for _, part in node.fields if isinstance(part, RowById)]
        customer_ids = {
            root.key.evaluate(self._context) for root in roots if root.entity.declaration.scope.customer_column == "id"
        }
        return None, viewer_customer or (customer_ids.pop() if customer_ids else None)

    def named_keys(self) -> set[UUID]:
        """The keys of rows that the document names, as the client sent them."""
        statement, context = self._compiled.statement, self._context._replace(redirects=NO_REDIRECTS)
        return set() if statement is None else statement.named_keys(context)

    @property
    def viewer(self) -> Viewer:
        """The viewer whose rights it has."""
        return self._context.viewer

    @property
    def redirects(self) -> Mapping[UUID, UUID]:
        """The redirects that it follows."""
        return self._context.redirects

    def redirect(self, redirects: Mapping[UUID, UUID]) -> None:
        """Follows these redirects from now on. The source keeps its `group_key`."""
        self._context = self._context._replace(redirects=redirects)
        self.row_ids, self.customer_id = self._relevant_rows()

    @property
    def is_unselective(self) -> bool:
        """Whether a change of any row of a table may concern the source."""
        return self.row_ids is None and self.customer_id is None

    @property
    def sends_all_types(self) -> bool:
        """Whether it sends the changes of every type that the viewer knows."""
        ((_, node),) = self._compiled.root.plan.roots
        return isinstance(node, ChangesPlan) and node.all_types

    @property
    def is_live(self) -> bool:
        """Whether the source gives whole answers instead of changes."""
        return isinstance(self._compiled.root, LiveRoot)

    @property
    def time_dependent(self) -> bool:
        """Whether time alone may change the answer."""
        return isinstance(self._compiled.root, LiveRoot) and self._compiled.root.time_dependent

    @property
    def message_fields(self) -> Mapping[str, MessageFields]:
        """The selected fields of each type of message."""
        ((_, node),) = self._compiled.plan.roots
        return node.messages if isinstance(node, ChangesPlan) else {}

    @property
    def after(self) -> str | None:
        """The cursor that the stream begins after, as the client sent it."""
        root = self._compiled.root
        if not isinstance(root, ChangesRoot) or root.after is None:
            return None
        return cast(str, root.after.read(self._context.variables))

    @property
    def page_size(self) -> int:
        """The maximal number of messages of a page."""
        root = self._compiled.root
        if not isinstance(root, ChangesRoot):
            return 0
        return root.size if isinstance(root.size, int) else int(root.size.evaluate(self._context))

    async def change_messages(
        self,
        pool: Pool,
        positions: Sequence[int],
        cursors: Sequence[str],
        previous_cursor_placeholder: str,
        now: datetime,
        meter: WorkMeter | None = None,
    ) -> list[tuple[int, bytes]]:
        """The positions and messages of the visible changes among these positions, in order; `meter` measures the read."""
        statement = self._compiled.statement
        if statement is None:
            return []
        context = self._context._replace(
            positions=positions, cursors=cursors, previous_cursor_placeholder=previous_cursor_placeholder, now=now
        )
        pool = pool.for_flow(self.flow, meter)
        rows = await pool.fetch(statement.text, statement.bind(context), custom_plan=statement.custom_plan)
        return [
            (row[0], body)
            for row, body in zip(
                rows, await self._merge_resolvers(pool, [row[1] for row in rows], context), strict=True
            )
        ]

    async def answer(
        self, pool: Pool, previous_cursor_placeholder: str, now: datetime, meter: WorkMeter | None = None
    ) -> tuple[int, bytes]:
        """The position that the answer is true for, and the answer; `meter` measures the read."""
        statement = self._compiled.statement
        assert statement is not None
        context = self._context._replace(previous_cursor_placeholder=previous_cursor_placeholder, now=now)
        pool = pool.for_flow(self.flow, meter)
        (row,) = await pool.fetch(statement.text, statement.bind(context), custom_plan=statement.custom_plan)
        (body,) = await self._merge_resolvers(pool, [row[0]], context)
        return row[1], body

    async def _merge_resolvers(self, pool: Pool, bodies: list[bytes], context: ExecutionContext) -> list[bytes]:
        resolver_tree = self._compiled.plan.resolver_tree
        if resolver_tree is None or not bodies:
            return bodies
        values = [exact_json.loads_rows(body) for body in bodies]
        merger = self._compiled.resolver_merger(context, pool.fetch_json)
        await merger.merge(values, resolver_tree)
        if merger.errors:
            raise merger.errors[0]
        return [exact_json.dumps_rows(value) for value in values]


def _statement_key(statement: CompiledStatement, context: ExecutionContext) -> tuple[str, ...]:
    return statement.text, *(repr(statement.bind(context._replace(now=probe_time))) for probe_time in PROBE_TIMES)


class ChangesReader(Protocol):
    """Reads changes in order for a query; hub/changefeed/feed.py implements it."""

    async def page(self, source: SubscriptionSource) -> list[bytes]:
        """A page of messages, each the JSON of one item of the root's list."""
