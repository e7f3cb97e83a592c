"""Compiles selections to SQL expressions that give JSON: objects over rows, links, connections, merged lists."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.engine.plan.list_nodes import CursorBound, SortColumn, SortTerm
from hub.engine.plan.nodes import (
    CellSelection,
    ColumnSelection,
    ConnectionPlan,
    Constant,
    HistoryConnection,
    MergedConnectionPlan,
    ObjectSelection,
    PageInfoPlan,
    ResolvedInPython,
    SelectionPlan,
    Stats,
    ToOneSelection,
    TotalCount,
    UnionSelection,
)
from hub.engine.plan.parameters import ConditionSelection, ExpressionSelection
from hub.engine.plan.predicates import AggregateExpression, And
from hub.engine.sql.aggregates import SORTS_FIRST, ConnectionAggregates
from hub.engine.sql.conditions import (
    aggregate_value,
    condition,
    join_table,
    row_visibility,
    visibility,
)
from hub.engine.sql.connections import (
    PageSelection,
    SortExpression,
    after_cursor,
    assemble_connection,
    cursor_conditions,
    node_columns,
)
from hub.engine.sql.expressions import (
    AliasGenerator,
    Condition,
    SelectSource,
    Value,
    id_expression,
    json_object,
    param,
    sql_literal,
    text,
)
from hub.engine.sql.history import compile_history
from hub.engine.sql.masks import masked
from hub.engine.sql.merged_lists import compile_merged
from hub.engine.sql.search import search_condition, search_rank, similarity
from hub.model import scopes
from hub.model.columns import sort_expression
from hub.rights import CellRules, Mask

Columns = list[tuple[str, Value]]


def _is_chosen(choice: ToOneSelection, type_column: str | None, row: sa.FromClause) -> Condition:
    """Whether a union's row is of this type."""
    if type_column is None:
        return row.c[choice.join.our_column].is_not(None)
    return row.c[type_column] == text(choice.join.entity.name)


class SelectionCompiler:
    """Compiles the selections of one statement."""

    def __init__(self, aliases: AliasGenerator) -> None:
        self.aliases = aliases

    # -- objects --------------------------------------------------------------------------------------------------------

    def columns(self, selection: ObjectSelection, row: sa.FromClause) -> Columns:
        """The columns of an object over a row."""
        return [(key, self._value(part, row)) for key, part in selection.fields]

    def object(self, selection: ObjectSelection, row: sa.FromClause) -> Value:
        """The object as one value, where the row is in scope."""
        return json_object(self.columns(selection, row), self.aliases.next())

    def select_row(self, selection: ObjectSelection, row: sa.FromClause, conditions: Sequence[Condition]) -> Value:
        """The object of the row that meets the conditions, or null."""
        columns = self.columns(selection, row) or [("$", sql_literal("1"))]
        select = sa.select(*(value.label(key) for key, value in columns)).select_from(row).where(*conditions)
        subquery = select.correlate_except(row).subquery(self.aliases.next())
        row_json = sa.func.row_to_json(subquery.table_valued()) if selection.fields else sql_literal("'{}'::json")
        return sa.select(row_json).select_from(subquery).correlate_except(subquery).scalar_subquery()

    def _value(self, part: SelectionPlan, row: sa.FromClause) -> Value:
        match part:
            case Constant(constant):
                return text(constant)
            case ResolvedInPython():
                return sql_literal("null")
            case ColumnSelection(column, scalar, prefix):
                return scalar.to_json(row.c[column]) if prefix is None else id_expression(prefix, row.c[column])
            case ConditionSelection(holds):
                return sa.func.coalesce(holds(row, self.aliases.rights), sa.false())
            case ExpressionSelection(expression, now):
                value = expression(row, param(now))
                return value if isinstance(value.type, JSONB) else sa.cast(value, sa.Double)
            case ToOneSelection(join, selection):
                joined_row, conditions = join_table(self.aliases, join, row)
                return self.select_row(selection, joined_row, conditions)
            case UnionSelection(choices, type_column):
                return sa.case(
                    *((_is_chosen(choice, type_column, row), self._value(choice, row)) for choice in choices)
                )
            case ConnectionPlan():
                return self.connection(part, row)
            case MergedConnectionPlan():
                return compile_merged(part, row, self.aliases, self.object)
            case HistoryConnection():
                return compile_history(part, row, self.aliases, self.object)
            case ObjectSelection():
                return self.object(part, row)
            case CellSelection(rules, value):
                return self._cell(rules, value, row)

    def _cell(self, rules: CellRules, value: SelectionPlan, row: sa.FromClause) -> Value:
        """The value in rows in which a rule shows it, a mask in those in which one shows that, and null in others."""
        cases = [(rules.shown, self._value(value, row))] if rules.shown else []
        for mask, granting in rules.masked:
            if mask is not Mask.NULL and isinstance(value, ColumnSelection):
                cases.append((granting, value.scalar.to_json(masked(mask, row.c[value.column], value.scalar))))
        pairs = [(scopes.granted(granting, row, self.aliases.rights), shown) for granting, shown in cases]
        always = next((shown for condition, shown in pairs if condition is None), None)
        if not pairs or pairs[0][0] is None:
            return sql_literal("null") if always is None else always
        whens = [(condition, shown) for condition, shown in pairs if condition is not None]
        return sa.case(*whens, else_=always)

    # -- connections ----------------------------------------------------------------------------------------------------

    def list_source(
        self, connection: ConnectionPlan, outer: sa.FromClause | None
    ) -> tuple[SelectSource, list[Condition]]:
        """The rows of a list under fresh aliases, and the conditions that select them."""
        row = self.aliases.for_table(connection.entity.table)
        source = SelectSource(self.aliases, row, grouped=outer is None)
        conditions: list[Condition] = []
        if connection.join is None or outer is None:
            conditions += row_visibility(self.aliases, connection.entity, row)
        else:
            conditions.append(row.c[connection.join.their_column] == outer.c[connection.join.our_column])
            conditions += visibility(self.aliases, connection.join, row)
        if connection.where != And(()):
            conditions.append(condition(source, connection.where))
        if connection.search is not None:
            conditions.append(search_condition(connection.search, connection.entity, source))
        return source, conditions

    def connection(self, connection: ConnectionPlan, outer: sa.FromClause | None) -> Value:
        """A connection."""
        page_selection = PageSelection.for_parts(connection.parts, connection.page)
        source, conditions = self.list_source(connection, outer)
        keys = [self._sort_expression(term, connection, source) for term in connection.order]
        if page_selection.direct_nodes is not None:
            columns = [value.label(key) for key, value in self.columns(page_selection.direct_nodes, source.row)]
        else:
            nodes = node_columns(
                connection.parts,
                connection.cursor_signing,
                keys,
                self.aliases,
                lambda selection: self.object(selection, source.row),
            )
            columns = nodes + page_selection.columns(keys) or [sql_literal("1").label("$")]
        rows = (
            sa.select(*columns)
            .select_from(source.tables())
            .where(*conditions, *cursor_conditions(keys, connection.page))
            .order_by(*(key.order_by(backward=page_selection.backward) for key in keys))
            .limit(page_selection.limit())
            .correlate_except(*source.own())
            .subquery(self.aliases.next())
        )
        aggregates, rows_outside = self._aggregates(connection, outer), self._rows_outside(connection, outer)
        return assemble_connection(connection, page_selection, rows, aggregates, rows_outside, self.aliases)

    def rows(self, connection: ConnectionPlan, selection: ObjectSelection) -> sa.Select[Any]:
        """All rows of a root list in its order, without a page: one JSON object for each."""
        source, conditions = self.list_source(connection, None)
        keys = [self._sort_expression(term, connection, source) for term in connection.order]
        columns = [value.label(key) for key, value in self.columns(selection, source.row)]
        rows = (
            sa.select(*columns)
            .select_from(source.tables())
            .where(*conditions)
            .order_by(*(key.order_by(backward=False) for key in keys))
            .correlate_except(*source.own())
            .subquery(self.aliases.next())
        )
        return sa.select(sa.func.row_to_json(rows.table_valued())).select_from(rows)

    def _sort_expression(self, term: SortTerm, connection: ConnectionPlan, source: SelectSource) -> SortExpression:
        match term.key:
            case SortColumn(name, null_as):
                column = source.row.c[name]
                return SortExpression(sort_expression(column, null_as), term.direction, column.type)
            case AggregateExpression() as aggregate:
                value: Value = aggregate_value(source, aggregate)
                is_number = aggregate.column is None or aggregate.column.scalar.is_number
                if aggregate.function != "COUNT":
                    value = sa.func.coalesce(value, sql_literal(SORTS_FIRST[is_number]))
                return SortExpression(value, term.direction, sa.Numeric() if is_number else sa.DateTime(timezone=True))
            case "id":
                return SortExpression(source.row.c.id, term.direction, sa.Uuid())
        assert connection.search is not None
        if term.key == "rank":
            return SortExpression(search_rank(connection.search, source), term.direction, sa.Integer())
        return SortExpression(similarity(connection.search, source.row), term.direction, sa.REAL())

    def _rows_outside(self, connection: ConnectionPlan, outer: sa.FromClause | None) -> dict[str, Value]:
        """Whether there are rows outside the cursors that bound the page."""

        def exists(bound: CursorBound | None, *, reverse: bool) -> Value:
            if bound is None:
                return sa.false()
            source, conditions = self.list_source(connection, outer)
            keys = [self._sort_expression(term, connection, source) for term in connection.order]
            conditions.append(after_cursor(keys, bound, reverse=reverse, inclusive=True))
            matching = sa.select(sql_literal("true")).select_from(source.tables()).where(*conditions)
            # Not `exists`, which drops the order and may read the whole table before it finds a row at its end.
            nearest = matching.order_by(*(key.order_by(backward=reverse) for key in keys)).limit(sql_literal("1"))
            return nearest.correlate_except(*source.own()).scalar_subquery().is_not(None)

        if not any(isinstance(part, PageInfoPlan) for _, part in connection.parts):
            return {}
        return {
            "hasNextPage": exists(connection.page.before, reverse=False),
            "hasPreviousPage": exists(connection.page.after, reverse=True),
        }

    def _aggregates(self, connection: ConnectionPlan, outer: sa.FromClause | None) -> ConnectionAggregates | None:
        requested = [part for _, part in connection.parts if isinstance(part, TotalCount | Stats)]
        if not requested:
            return None
        source, conditions = self.list_source(connection, outer)
        if connection.minimum:
            conditions.append(self._has_rows(connection, outer))
        aggregates = ConnectionAggregates(
            source.row, connection.entity.declaration.amounts_in, requested, connection.minimum
        )
        scan_select = (
            sa.select(*aggregates.columns())
            .select_from(source.tables())
            .where(*conditions)
            .group_by(*aggregates.group_by())
        )
        aggregates.aggregate_over(scan_select.correlate_except(*source.own()), self.aliases)
        return aggregates

    def _has_rows(self, connection: ConnectionPlan, outer: sa.FromClause | None) -> Condition:
        """Whether the list has as many rows as aggregates must be over."""
        source, conditions = self.list_source(connection, outer)
        count = sa.select(sa.func.count()).select_from(source.tables()).where(*conditions)
        return count.correlate_except(*source.own()).scalar_subquery() >= sql_literal(str(connection.minimum))
