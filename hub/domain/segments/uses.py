"""Who uses a segment: stored filters of every sort, and the documents of webhooks and reports."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.segments.references import LIST, MEMBERSHIPS
from hub.model import exact_json
from hub.model.entity import Entity, declared_entities
from hub.schema.segments.segments import Segment
from hub.schema.webhooks.webhooks import Webhook
from hub.schema.work.reports import Report

MAX_USES = 100  # that an answer names
_DOCUMENTS = ((Webhook, Webhook.c.query), (Report, Report.c.document))


async def uses(tx: Connection, code: str) -> list[str]:
    """The ids of the rows that name a segment: filters by its code, documents and their variables by its code as text.

    An archived segment uses none."""
    ids: list[str] = []
    for entity, query in _filter_queries():
        for row in await tx.fetch(query, f"%{code}%"):
            if code in _names(exact_json.loads(row["filter"])):
                ids.append(_public_id(entity, row["id"]))
    text = re.compile(rf'"{re.escape(code)}"')
    for entity, column in _DOCUMENTS:
        statement = sa.select(entity.c.id, (column + sa.cast(entity.c.variables, sa.Text())).label("texts"))
        for row in await tx.fetch(to_sql(statement.where(column.like(sa.bindparam("pattern")))), "%egment%"):
            if text.search(row["texts"]):
                ids.append(_public_id(entity, row["id"]))
    return sorted(ids)[:MAX_USES]


@cache
def _filter_queries() -> tuple[tuple[type[Entity], str], ...]:
    """For each column that holds filters, the query of those with a text in them."""
    queries = []
    for entity in declared_entities():
        for name, column in entity.definition.columns.items():
            if column.options.filter_entity is not None:
                stored = sa.cast(entity.c[name], sa.Text())
                statement = sa.select(entity.c.id, stored.label("filter")).where(stored.like(sa.bindparam("pattern")))
                if entity is Segment:
                    statement = statement.where(entity.c.status != sa.literal_column("'ARCHIVED'"))
                queries.append((entity, to_sql(statement)))
    return tuple(queries)


def _names(value: Any) -> Iterator[str]:
    """The texts that stand below a list of segments in a filter."""
    if isinstance(value, list):
        for item in value:
            yield from _names(item)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _texts(part) if name in (LIST, MEMBERSHIPS) else _names(part)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(part)


def _public_id(entity: type[Entity], key: UUID) -> str:
    return f"{entity.definition.options['prefix']}_{key.hex}"
