"""Plans filters of segments, once for each text. They read every row and column, and may compare with the time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from hub.db.pool import Connection
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.dependencies import predicate_tables
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import InSubtree, Join, OfViewer, Predicate
from hub.engine.plan.row_filters import plan_row_filter
from hub.engine.roles.list_plans import entries_read
from hub.engine.roles.stored_filters import StoredFilterPlanner
from hub.engine.sql.segments import SegmentStatement, compile_evaluation, compile_reasons
from hub.errors import BadInput
from hub.model import exact_json
from hub.model.segment_filters import Evaluated

_SIZES = "select relname, reltuples from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
_ANYBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class PlannedFilter:
    """A filter, as statements."""

    tables: frozenset[str]
    shared_tables: frozenset[str]
    evaluation: SegmentStatement
    conditions: SegmentStatement

    async def evaluate(self, tx: Connection, keys: Sequence[UUID], now: datetime) -> Sequence[Evaluated]:
        """What the filter says at a moment of those rows that exist."""
        rows = await tx.fetch(self.evaluation.text, *self.evaluation.bind(keys, now))
        return [Evaluated(**row) for row in rows]

    async def reasons(self, tx: Connection, keys: Sequence[UUID], now: datetime) -> Mapping[UUID, str]:
        """The conditions that hold for rows, with their values, as JSON."""
        rows = await tx.fetch(self.conditions.text, *self.conditions.bind(keys, now))
        return {row["customer_id"]: row["reasons"] for row in rows}

    async def count_entries(self, tx: Connection, now: datetime) -> int:
        """How many entries of tables and indexes Postgres expects to read for one customer.

        Small tables count as if they were read by their indexes, which they are once they have grown."""
        sizes = {row["relname"]: max(row["reltuples"], 0.0) for row in await tx.fetch(_SIZES)}
        await tx.execute("set local enable_seqscan = off")
        arguments = self.evaluation.bind([_ANYBODY], now)
        plan = await tx.fetchval(f"explain (format json) {self.evaluation.text}", *arguments)
        await tx.execute("set local enable_seqscan = on")
        return round(entries_read(orjson.loads(plan)[0]["Plan"], sizes))


class SegmentFilterPlanner:
    """Plans filters of the entity of customers over one schema; `schema` gives it when the first filter needs it."""

    def __init__(self, schema: Callable[[], Schema]) -> None:
        self._build = schema
        self._stored_filters = StoredFilterPlanner(schema)
        self._planned = lru_cache(maxsize=1_000)(self._plan)

    def plan(self, value: Any, argument: str) -> PlannedFilter:
        """The planned filter; raises BadInput, with the path in the filter, for one that cannot be planned."""
        customer = self._build().catalog.customer_type
        self._stored_filters.check(customer.name, value, argument, timed=True)
        try:
            return self._planned(exact_json.dumps(value))
        except BadInput as error:
            message = error.message.removeprefix("filter")
            raise BadInput(f"{argument}{message}", code=error.code, argument=argument) from None

    def _plan(self, text: str) -> PlannedFilter:
        schema = self._build()
        entity = schema.catalog.customer_type
        predicate, parameters, names = plan_row_filter(schema, entity, text, timed=True)
        joins = list(_parts(predicate))
        if names or any(isinstance(part, OfViewer) for part in joins):
            message = f"filter: {', '.join(sorted(names)) or 'it'} depends on who asks, and a segment does not."
            raise BadInput(message, code="FILTER_INVALID", argument="filter")
        shared = {part.entity.table.name for part in joins if isinstance(part, Join) and not part.same_customer}
        shared |= {part.entity.table.name for part in joins if isinstance(part, InSubtree)}
        conditions = [_planned_condition(schema, entity, index, part) for index, part in enumerate(_conditions(text))]
        return PlannedFilter(
            predicate_tables(predicate),
            frozenset(shared),
            compile_evaluation(entity, predicate, parameters),
            compile_reasons(
                entity,
                [(condition, part) for condition, part, _ in conditions],
                [parameter for _, _, own in conditions for parameter in own],
            ),
        )


def _planned_condition(
    schema: Schema, entity: CatalogEntity, index: int, text: str
) -> tuple[str, Predicate, tuple[Parameter, ...]]:
    predicate, parameters, _ = plan_row_filter(schema, entity, text, f"condition${index}_", timed=True)
    return text, predicate, parameters


def _conditions(text: str) -> Iterator[str]:
    """The conditions of a filter as JSON: what stands in `and` and `or` is a condition of its own."""
    for name, part in exact_json.loads(text).items():
        if name in ("and", "or"):
            for item in part if isinstance(part, list) else [part]:
                yield from _conditions(exact_json.dumps(item))
        else:
            yield exact_json.dumps({name: part})


def _parts(part: Any) -> Iterator[Any]:
    """A predicate and all that it consists of."""
    if isinstance(part, tuple):
        for item in part:
            yield from _parts(item)
    elif is_dataclass(part) and not isinstance(part, type | CatalogEntity | Parameter):
        yield part
        for item in fields(part):
            yield from _parts(getattr(part, item.name))
