"""Splices what Python answers into a statement's JSON: values of resolver fields, rows behind keys, hidden columns out.

Rows behind keys are read through a DataLoader per resolver field and level, one compiled statement each, never one per row."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from strawberry.dataloader import DataLoader

from hub.engine.plan.nodes import Fill, Plan, Splice
from hub.engine.plan.predicates import Run
from hub.engine.plan.selections import TYPE
from hub.errors import HubError, Internal

Read = Callable[[Plan, Run], Awaitable[dict[str, Any]]]
Path = tuple[str | int, ...]
Row = dict[str, Any]
BREATH = 200  # rows after which a long splice lets others run


def python_value(kind: str, value: Any) -> Any:
    """A column's wire form as a resolver wants it: amounts as Decimal, times as datetime."""
    if value is None:
        return None
    if kind in ("Decimal", "Money"):
        return Decimal(value)
    return datetime.fromisoformat(value) if kind == "DateTime" else value


class Splicer:
    """Splices one answer."""

    def __init__(self, run: Run, read: Read) -> None:
        self._run = run
        self._read = read
        self._loaders: dict[int, DataLoader[UUID, Row | None]] = {}
        self.errors: list[HubError] = []

    async def splice(self, value: Any, splice: Splice, path: Path = ()) -> None:
        """Fills a JSON value in place."""
        places: list[tuple[Row, Sequence[Fill], Path]] = []
        self._find(value, splice, path, places)
        for number, (row, fills, at) in enumerate(places):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)  # others wait for the loop
            for fill in fills:
                if fill.keyed is None:
                    await self._fill(row, fill, (*at, fill.key))
        # Keys are asked for all at once, so that each field's rows come in one statement.
        keyed = [(row, fill, (*at, fill.key)) for row, fills, at in places for fill in fills if fill.keyed]
        await asyncio.gather(*(self._fill(row, fill, path) for row, fill, path in keyed))
        for row, fills, _ in places:
            for hidden in {hidden for fill in fills for _, hidden in fill.hidden}:
                row.pop(hidden, None)

    def _find(self, value: Any, splice: Splice, path: Path, places: list[tuple[Row, Sequence[Fill], Path]]) -> None:
        if isinstance(value, list):
            for at, each in enumerate(value):
                self._find(each, splice, (*path, at), places)
        elif isinstance(value, dict):
            if splice.by_type:
                splice = dict(splice.by_type)[value.pop(TYPE)]
            if splice.fills:
                places.append((value, splice.fills, path))
            for key, deeper in splice.deeper:
                self._find(value[key], deeper, (*path, key), places)

    async def _fill(self, row: Row, fill: Fill, path: Path) -> None:
        try:
            needs = {
                name: python_value(kind, row[hidden])
                for (name, hidden), kind in zip(fill.hidden, fill.kinds, strict=True)
            }
            answer = fill.resolved.resolver(None, **needs, **fill.arguments(self._run))
            if inspect.isawaitable(answer):
                answer = await answer
            if fill.keyed is None:
                row[fill.key] = answer
            else:
                found = await self._loader(fill).load_many(answer)
                row[fill.key] = [each for each in found if each is not None]
        except Exception as error:
            row[fill.key] = None if fill.keyed is None else []
            told = (
                error
                if isinstance(error, HubError)
                else Internal("The field could not be computed.", code="RESOLVER_FAILED")
            )
            told.path = path
            self.errors.append(told)

    def _loader(self, fill: Fill) -> DataLoader[UUID, Row | None]:
        assert fill.keyed is not None
        plan = fill.keyed
        loader = self._loaders.get(id(fill))
        if loader is None:

            async def load(keys: list[UUID]) -> list[Row | None]:
                rows = await self._read(plan, self._run._replace(keys=keys))
                if plan.splice is not None:
                    await Splicer(self._run, self._read).splice(list(rows.values()), plan.splice)
                return [rows.get(str(key)) for key in keys]

            loader = self._loaders[id(fill)] = DataLoader(load_fn=load)
        return loader
