"""What each source says of the fields of a customer, for `Customer.fieldSources`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

_RECORDS = sa.table(
    "source_records", sa.column("customer_id", sa.Uuid), sa.column("source", sa.Text), sa.column("facts", JSONB)
)


def said_by_sources(row: sa.FromClause, now: "sa.ColumnElement[datetime]") -> "sa.ColumnElement[Any]":
    """The facts of each source, by source; `row` is one of the table of customers."""
    facts = sa.func.jsonb_object_agg(_RECORDS.c.source, _RECORDS.c.facts, type_=JSONB)
    own = sa.select(facts).where(_RECORDS.c.customer_id == row.c.id)
    return own.correlate_except(_RECORDS).scalar_subquery()


def field_sources(values: Mapping[str, object], said: Mapping[str, Mapping[str, Sequence[object]]]) -> list[object]:
    """The facts field by field, in the order of `values`, what is gone last; of a field, what was said last comes first."""
    order = {name: number for number, name in enumerate(values)}
    facts: list[tuple[str, str, object, object]] = [
        (field, source, fact[0], fact[1]) for source, by_field in said.items() for field, fact in by_field.items()
    ]
    facts.sort(key=lambda fact: (str(fact[3]), fact[1]), reverse=True)
    facts.sort(key=lambda fact: (order.get(fact[0], len(order)), fact[0]))
    return [
        {
            "field": field,
            "source": source,
            "value": value,
            "observedAt": f"{observed_at}+00:00",
            "current": field in values and values[field] == value,
        }
        for field, source, value, observed_at in facts
    ]
