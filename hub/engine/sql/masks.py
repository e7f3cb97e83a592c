"""Compiles masks: what a masked column shows in place of its value. Null stays null."""

from typing import Any

import sqlalchemy as sa

from hub.engine.catalog import scalars
from hub.engine.catalog.scalars import ScalarType
from hub.engine.sql.expressions import Value, sql_literal
from hub.rights import Mask

STARS = sql_literal("'***'")


def masked(mask: Mask, value: sa.ColumnElement[Any], scalar: ScalarType) -> Value:
    """The value under a mask; null where the mask does not fit the type."""
    if mask is Mask.YEAR and scalar.is_time:
        year = sql_literal("'year'")
        if scalar is scalars.DATE:
            return sa.cast(sa.func.date_trunc(year, sa.cast(value, sa.DateTime())), sa.Date)
        return sa.func.date_trunc(year, value, sql_literal("'UTC'"), type_=sa.DateTime(timezone=True))
    if mask is Mask.NULL or mask is Mask.YEAR or scalar is not scalars.STRING:
        return sql_literal("null")
    return sa.case((value.is_not(None), _masked_text(mask, value)))


def _masked_text(mask: Mask, value: sa.ColumnElement[Any]) -> Value:
    match mask:
        case Mask.INITIAL:
            return sa.func.left(value, sql_literal("1")).concat(STARS)
        case Mask.LAST_FOUR:
            is_long = sa.func.length(value) >= sql_literal("8")
            return sa.case((is_long, STARS.concat(sa.func.right(value, sql_literal("4")))), else_=STARS)
        case Mask.DOMAIN:
            # Greedy: the part from the last @ on; a text without one shows nothing.
            return STARS.concat(
                sa.func.coalesce(sa.func.substring(value, sql_literal("'^.*(@.*)$'")), sql_literal("''"))
            )
        case _:
            return STARS
