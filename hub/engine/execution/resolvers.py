"""Merges the values of resolvers into a statement's JSON, with the rows behind their keys, and removes hidden columns.

A DataLoader for each resolver field and level reads the rows behind keys: one statement each, never one per row."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from strawberry.dataloader import DataLoader

from hub.engine.plan.fields import TYPENAME_KEY
from hub.engine.plan.nodes import Plan, ResolverField, ResolverTree
from hub.engine.plan.parameters import ExecutionContext, ResponsePath
from hub.errors import HubError, Internal

KeyLoader = Callable[[Plan, ExecutionContext], Awaitable[dict[str, Any]]]
ResponseRow = dict[str, Any]
YIELD_EVERY = 200  # rows after which a long merge yields to the event loop


def python_value(scalar_name: str, value: Any) -> Any:
    """A column's JSON value as a resolver takes it: amounts as Decimal, times as datetime."""
    if value is None:
        return None
    if scalar_name in ("Decimal", "Money"):
        return Decimal(value)
    return datetime.fromisoformat(value) if scalar_name == "DateTime" else value


class ResolverMerger:
    """Merges resolver fields into one response."""

    def __init__(self, context: ExecutionContext, load_rows: KeyLoader) -> None:
        self._context = context
        self._load_rows = load_rows
        self._loaders: dict[int, DataLoader[UUID, ResponseRow | None]] = {}
        self.errors: list[HubError] = []

    async def merge(self, value: Any, tree: ResolverTree, path: ResponsePath = ()) -> None:
        """Fills in a JSON value in place; collects errors in `errors`."""
        targets: list[tuple[ResponseRow, Sequence[ResolverField], ResponsePath]] = []
        self._collect(value, tree, path, targets)
        for index, (row, fields, row_path) in enumerate(targets):
            if index % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)  # lets other tasks run
            for field in fields:
                if field.rows_plan is None:
                    await self._resolve(row, field, (*row_path, field.key))
        # All keys are loaded at once, so that each field's rows come in one statement.
        key_fields = [
            (row, field, (*row_path, field.key))
            for row, fields, row_path in targets
            for field in fields
            if field.rows_plan
        ]
        await asyncio.gather(*(self._resolve(row, field, path) for row, field, path in key_fields))
        for row, fields, _ in targets:
            for hidden in {hidden for field in fields for _, hidden in field.hidden_columns}:
                row.pop(hidden, None)

    def _collect(
        self,
        value: Any,
        tree: ResolverTree,
        path: ResponsePath,
        targets: list[tuple[ResponseRow, Sequence[ResolverField], ResponsePath]],
    ) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                self._collect(item, tree, (*path, index), targets)
        elif isinstance(value, dict):
            if tree.by_type:
                tree = dict(tree.by_type)[value.pop(TYPENAME_KEY)]
            if tree.fields:
                targets.append((value, tree.fields, path))
            for key, child in tree.children:
                self._collect(value[key], child, (*path, key), targets)

    async def _resolve(self, row: ResponseRow, field: ResolverField, path: ResponsePath) -> None:
        try:
            injected = {
                name: python_value(scalar_name, row[hidden])
                for (name, hidden), scalar_name in zip(field.hidden_columns, field.scalar_names, strict=True)
            }
            if field.resolver.takes_now:
                injected["now"] = self._context.now
            if field.resolver.takes_viewer:
                injected["viewer"] = self._context.viewer
            if field.resolver.takes_redirects:
                injected["redirects"] = self._context.redirects
            result = field.resolver.function(None, **injected, **field.arguments.read(self._context.variables))
            if inspect.isawaitable(result):
                result = await result
            if field.rows_plan is None:
                row[field.key] = result
            else:
                rows = await self._loader(field).load_many(result)
                row[field.key] = [loaded for loaded in rows if loaded is not None]
        except Exception as error:
            row[field.key] = None if field.rows_plan is None else []
            hub_error = (
                error
                if isinstance(error, HubError)
                else Internal("The field could not be computed.", code="RESOLVER_FAILED")
            )
            hub_error.path = path
            self.errors.append(hub_error)

    def _loader(self, field: ResolverField) -> DataLoader[UUID, ResponseRow | None]:
        assert field.rows_plan is not None
        plan = field.rows_plan
        loader = self._loaders.get(id(field))
        if loader is None:

            async def load(keys: list[UUID]) -> list[ResponseRow | None]:
                rows = await self._load_rows(plan, self._context._replace(keys=keys))
                if plan.resolver_tree is not None:
                    await ResolverMerger(self._context, self._load_rows).merge(list(rows.values()), plan.resolver_tree)
                return [rows.get(str(key)) for key in keys]

            loader = self._loaders[id(field)] = DataLoader(load_fn=load)
        return loader
