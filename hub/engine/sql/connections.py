"""Compiles the parts that all connections share: order, cursor bounds, cursors, pageInfo, and the JSON of their parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from hub.engine.plan.list_nodes import CursorBound, CursorSigning, PagePlan
from hub.engine.plan.nodes import (
    ConnectionPart,
    ConnectionPlan,
    Constant,
    Edges,
    Groups,
    HistoryConnection,
    MergedConnectionPlan,
    Nodes,
    ObjectSelection,
    PageInfoPlan,
    Stats,
    TotalCount,
)
from hub.engine.plan.parameters import Parameter
from hub.engine.sql.cursors import signed_cursor_expression
from hub.engine.sql.expressions import (
    EMPTY_LIST,
    AliasGenerator,
    Condition,
    Value,
    json_object,
    param,
    sql_literal,
    text,
)
from hub.model.declarations import AscDesc


@dataclass(frozen=True, slots=True)
class SortExpression:
    """A sort key in SQL: its value, its direction, and the type to which a cursor's text is cast."""

    value: Value
    direction: AscDesc
    type: sa.types.TypeEngine[Any]

    def order_by(self, *, backward: bool) -> sa.ColumnElement[Any]:
        """The ORDER BY term, from either end."""
        descending = (self.direction == "desc") is not backward
        return self.value.desc() if descending else self.value.asc()

    def cursor_value(self, parameter: Parameter) -> Value:
        """The key's value in a cursor."""
        return sa.cast(param(parameter), self.type)


def limit_expression(size: int | Parameter) -> sa.ColumnElement[int]:
    """A page's size: a literal, which the Postgres planner sees, or a parameter."""
    return sql_literal(str(size)) if isinstance(size, int) else param(size)


def after_cursor(
    keys: Sequence[SortExpression], bound: CursorBound, *, reverse: bool = False, inclusive: bool = False
) -> Condition:
    """Rows after a bound in the list's order, with `reverse` before it; with `inclusive`, the row at the bound too.

    Keys of one direction are compared as one row value, which an index serves. Mixed ones begin with a bound on the first key."""
    values = [key.cursor_value(parameter) for key, parameter in zip(keys, bound.keys, strict=True)]
    greater = [(key.direction == "asc") is not reverse for key in keys]
    or_equal = "=" if inclusive else ""
    if len(set(greater)) == 1:
        left = sa.tuple_(*(key.value for key in keys))
        return left.op((">" if greater[0] else "<") + or_equal, is_comparison=True)(sa.tuple_(*values))
    condition: Condition = sa.true() if inclusive else sa.false()
    for key, value, is_greater in reversed(list(zip(keys, values, greater, strict=True))):
        beyond = key.value > value if is_greater else key.value < value
        condition = sa.or_(beyond, sa.and_(key.value == value, condition))
    index_bound = keys[0].value >= values[0] if greater[0] else keys[0].value <= values[0]
    return sa.and_(index_bound, condition)


def cursor_conditions(keys: Sequence[SortExpression], page: PagePlan) -> list[Condition]:
    """The conditions that a page's cursors put on its rows."""
    conditions = [after_cursor(keys, page.after)] if page.after else []
    return conditions + ([after_cursor(keys, page.before, reverse=True)] if page.before else [])


def cursor_payload(keys: Sequence[SortExpression]) -> Value:
    """The sort keys of a row as the text of a JSON array, which is the payload of its cursor."""
    return sa.cast(sa.func.json_build_array(*(sa.cast(key.value, sa.Text) for key in keys)), sa.Text)


@dataclass(frozen=True, slots=True)
class PageSelection:
    """The columns that the parts of a connection need from the select of its page."""

    size: sa.ColumnElement[int]
    backward: bool
    row_numbers: bool
    lookahead: bool
    cursor_keys: bool
    direct_nodes: ObjectSelection | None  # the page's rows are the nodes themselves; no other part needs them

    @staticmethod
    def for_parts(parts: Sequence[tuple[str, ConnectionPart]], page: PagePlan) -> "PageSelection":
        """The needs of the selected parts."""
        info_fields = {
            info_field for _, part in parts if isinstance(part, PageInfoPlan) for _, info_field in part.fields
        }
        lookahead_field = "hasPreviousPage" if page.backward else "hasNextPage"
        rows = [part for _, part in parts if isinstance(part, Nodes | Edges | PageInfoPlan)]
        row_numbers = page.backward or lookahead_field in info_fields
        only_part = rows[0] if len(rows) == 1 and not row_numbers else None
        selection = only_part.selection if isinstance(only_part, Nodes) else None
        direct_nodes = selection if isinstance(selection, ObjectSelection) and selection.fields else None
        cursor_keys = bool(info_fields & {"startCursor", "endCursor"})
        return PageSelection(
            limit_expression(page.size),
            page.backward,
            row_numbers,
            lookahead_field in info_fields,
            cursor_keys,
            direct_nodes,
        )

    def limit(self) -> sa.ColumnElement[int]:
        """The LIMIT: one row more than the page when the response says whether there are more."""
        return self.size + sql_literal("1") if self.lookahead else self.size

    def columns(self, keys: Sequence[SortExpression]) -> list[sa.Label[Any]]:
        """The columns other than the nodes."""
        columns = []
        if self.row_numbers:
            order = [key.order_by(backward=self.backward) for key in keys]
            columns.append(sa.func.row_number().over(order_by=order).label("i$"))
        if self.cursor_keys:
            columns.append(cursor_payload(keys).label("k$"))
        return columns

    def aggregate_rows(
        self, rows: sa.FromClause, value: Value, aggregate: Callable[[Value], sa.FunctionElement[Any]]
    ) -> Value:
        """An aggregate of a column over the page, in the list's order, without the lookahead row."""
        ordered = aggregate_order_by(value, rows.c["i$"].desc()) if self.backward else value
        aggregated = aggregate(ordered)
        return sa.funcfilter(aggregated, rows.c["i$"] <= self.size) if self.lookahead else aggregated


def node_columns(
    parts: Sequence[tuple[str, ConnectionPart]],
    cursor_signing: CursorSigning | None,
    keys: Sequence[SortExpression],
    aliases: AliasGenerator,
    node: Callable[[Any], Value],
) -> list[sa.Label[Any]]:
    """A column for every part that lists rows: a node's JSON, or an edge's."""
    columns = []
    for index, (_, part) in enumerate(parts):
        if isinstance(part, Nodes):
            columns.append(node(part.selection).label(f"n${index}"))
        elif isinstance(part, Edges):
            fields: list[tuple[str, Value]] = []
            for key, value in part.fields:
                if isinstance(value, Constant):
                    fields.append((key, text(value.text)))
                elif value == "cursor":
                    assert cursor_signing is not None
                    fields.append((key, signed_cursor_expression(cursor_signing, cursor_payload(keys))))
                else:
                    fields.append((key, node(value)))
            columns.append(json_object(fields, aliases.next()).label(f"n${index}"))
    return columns


def page_columns(
    parts: Sequence[tuple[str, ConnectionPart]], page_selection: PageSelection, rows: sa.Subquery
) -> list[sa.Label[Any]]:
    """The page as one row: a JSON list for every part that lists rows, and the columns that `pageInfo` needs."""
    columns = []
    for index, (_, part) in enumerate(parts):
        if isinstance(part, Nodes | Edges):
            value = sql_literal(rows.name) if page_selection.direct_nodes else rows.c[f"n${index}"]
            columns.append(
                sa.func.coalesce(page_selection.aggregate_rows(rows, value, sa.func.json_agg), EMPTY_LIST).label(
                    f"l${index}"
                )
            )
    if any(isinstance(part, PageInfoPlan) for _, part in parts):
        columns.append(sa.func.count().label("c$"))
        if page_selection.cursor_keys:
            columns.append(page_selection.aggregate_rows(rows, rows.c["k$"], sa.func.array_agg).label("a$"))
    return columns


def page_info(
    part: PageInfoPlan,
    page: PagePlan,
    page_selection: PageSelection,
    page_row: sa.FromClause,
    cursor_signing: CursorSigning | None,
    rows_outside: Mapping[str, Value],
) -> list[tuple[str, Value]]:
    """The fields of `pageInfo`; `rows_outside` says whether there are rows outside the cursors that bound the page."""
    has_more = page_row.c["c$"] > page_selection.size if page_selection.lookahead else sa.false()
    fields: list[tuple[str, Value]] = []
    for key, info_field in part.fields:
        if isinstance(info_field, Constant):
            fields.append((key, text(info_field.text)))
        elif info_field in ("hasNextPage", "hasPreviousPage"):
            in_page_direction = (info_field == "hasPreviousPage") is page.backward
            fields.append(
                (key, sa.or_(has_more, rows_outside[info_field]) if in_page_direction else rows_outside[info_field])
            )
        else:
            assert cursor_signing is not None
            payloads = sa.type_coerce(page_row.c["a$"], ARRAY(sa.Text))
            index = sql_literal("1") if info_field == "startCursor" else sa.func.cardinality(payloads)
            fields.append((key, signed_cursor_expression(cursor_signing, payloads[index])))
    return fields


class ConnectionTotals(Protocol):
    """Aggregates beside a page: the row that holds them, and the JSON of each part."""

    row: sa.FromClause

    def value(self, part: TotalCount | Stats, aliases: AliasGenerator) -> Value:
        """The JSON of one part."""


def assemble_connection(
    connection: ConnectionPlan | MergedConnectionPlan | HistoryConnection | Groups,
    page_selection: PageSelection,
    rows: sa.Subquery,
    totals: ConnectionTotals | None,
    rows_outside: Mapping[str, Value],
    aliases: AliasGenerator,
) -> Value:
    """The connection's JSON, from the select of its page and its aggregates."""
    tables: list[sa.FromClause] = []
    page: sa.FromClause = rows
    columns = page_columns(connection.parts, page_selection, rows)
    if columns:
        page = sa.select(*columns).select_from(rows).correlate_except(rows).subquery(aliases.next())
        tables.append(page)
    if totals is not None:
        tables.append(totals.row)
    fields: list[tuple[str, Value]] = []
    for index, (key, part) in enumerate(connection.parts):
        if isinstance(part, Constant):
            fields.append((key, text(part.text)))
        elif isinstance(part, PageInfoPlan):
            info_fields = page_info(
                part, connection.page, page_selection, page, connection.cursor_signing, rows_outside
            )
            fields.append((key, json_object(info_fields, aliases.next())))
        elif isinstance(part, Nodes | Edges):
            fields.append((key, page.c[f"l${index}"]))
        else:
            assert totals is not None
            fields.append((key, totals.value(part, aliases)))
    return json_object(fields, aliases.next(), tables)
