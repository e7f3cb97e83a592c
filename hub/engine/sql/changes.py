"""Compiles `changes` roots: the log's rows at the given positions, with their images in place of the table's rows.

The statement gives one row per message: its position and its JSON. Cursors come as arguments beside the positions. The
previous cursor is a placeholder, which the sender replaces."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db.change_log import CHANGE_COLUMNS, CHANGE_LOG, CHANGE_ORDER
from hub.engine.plan.fields import TYPENAME_KEY
from hub.engine.plan.nodes import ChangesPlan, ChangeTypePlan, MessageFields, ObjectSelection
from hub.engine.plan.parameters import Parameter, Runtime
from hub.engine.sql.conditions import row_visibility
from hub.engine.sql.expressions import (
    AliasGenerator,
    Condition,
    Value,
    id_expression,
    json_object,
    param,
    sql_literal,
    text,
)
from hub.engine.sql.history import (
    change_columns,
    change_operation,
    image_visible,
    is_redacted,
    row_image,
    shows_change,
)
from hub.engine.sql.selections import SelectionCompiler
from hub.model.redirect_table import REDIRECTS

PAGE_CTE = "page$"
POSITIONS = Parameter("positions", ARRAY(sa.BigInteger()), Runtime("positions"))
CURSORS = Parameter("cursors", ARRAY(sa.Text()), Runtime("cursors"))
PREVIOUS_CURSOR = Parameter("previous_cursor", sa.Text(), Runtime("previous_cursor_placeholder"))
CURRENT_ACTOR = Parameter("current_actor", sa.Text(), Runtime("actor", viewer=True))
RUNTIME_PARAMETERS = (POSITIONS, CURSORS, PREVIOUS_CURSOR, CURRENT_ACTOR)


@dataclass(frozen=True, slots=True)
class ChangesCompiler:
    """Compiles the changes of one statement; `customer_prefix` is the prefix of customers' ids."""

    aliases: AliasGenerator
    compiler: SelectionCompiler
    customer_prefix: str
    has_resolvers: bool

    def select(self, changes: ChangesPlan) -> sa.Select[Any]:
        """The whole statement."""
        page = sa.table(
            PAGE_CTE,
            sa.column("position", sa.BigInteger),
            *(sa.column(column.name, column.type) for column in CHANGE_COLUMNS),
        )
        page.append_column(sa.column("cursor", sa.Text))
        page.append_column(sa.column("table_name", sa.Text))
        branches = [self._branch(change_type, changes, page) for change_type in changes.types]
        messages = sa.union_all(*branches).subquery(self.aliases.next())
        ordered = sa.select(messages.c["p$"], messages.c["m$"]).order_by(messages.c["p$"])
        return ordered.add_cte(self._page(changes))

    def _page(self, changes: ChangesPlan) -> sa.CTE:
        """The log's rows at the positions; each partition is scanned once."""
        arrays = sa.func.unnest(param(POSITIONS), param(CURSORS))
        requested = arrays.table_valued(
            sa.column("position", sa.BigInteger), sa.column("cursor", sa.Text)
        ).render_derived(name="requested$")
        ids = sa.select(CHANGE_ORDER.c.id).where(CHANGE_ORDER.c.position == sa.any_(param(POSITIONS)))
        columns = [
            requested.c.position,
            requested.c.cursor,
            CHANGE_LOG.c.table_name,
            *CHANGE_COLUMNS,
        ]
        joined = requested.join(CHANGE_ORDER, CHANGE_ORDER.c.position == requested.c.position).join(
            CHANGE_LOG, CHANGE_LOG.c.id == CHANGE_ORDER.c.id
        )
        log_rows = sa.select(*columns).select_from(joined)
        conditions: list[Condition] = [CHANGE_LOG.c.id == sa.any_(sa.func.array(ids.scalar_subquery()))]
        log_filter = changes.log_filter
        conditions += [CHANGE_LOG.c.row_id == sa.any_(param(log_filter.keys))] if log_filter.keys else []
        conditions += [_concerns_customer(param(log_filter.customer))] if log_filter.customer else []
        conditions += [CHANGE_LOG.c.actor != param(CURRENT_ACTOR)] if log_filter.exclude_own else []
        return log_rows.where(*conditions).cte(PAGE_CTE)

    def _branch(self, change_type: ChangeTypePlan, changes: ChangesPlan, page: sa.TableClause) -> sa.Select[Any]:
        """The messages of one type: the conditions on its changes, and their JSON."""
        after, before = (
            image_visible(self.aliases, change_type.entity, page.c[side], change_type.where)
            for side in ("after", "before")
        )
        if changes.log_filter.customer and "customer_id" in change_type.entity.table.c:
            customer = sa.cast(param(changes.log_filter.customer), sa.Text)
            after, before = (
                sa.and_(visible, _customer_of_image(page.c[side]) == customer)
                for visible, side in ((after, "after"), (before, "before"))
            )
        sides = sa.select(*page.c, after.label("a$"), before.label("b$")).select_from(page)
        change = sides.where(page.c.table_name == sql_literal(f"'{change_type.entity.table.name}'")).subquery(
            self.aliases.next()
        )
        visible_after, visible_before = change.c["a$"], change.c["b$"]
        visible_operation = change_operation(change, visible_before, visible_after)
        row = row_image(
            self.aliases, change_type.entity.table, sa.case((visible_after, change.c.after), else_=change.c.before)
        )
        conditions: list[Condition] = [sa.or_(visible_after, visible_before)]
        conditions += shows_change(change_type.entity, change, visible_before, visible_after)
        if change_type.watched_columns is not None:
            columns = ", ".join(f"'{column}'" for column in change_type.watched_columns)
            overlap = change.c.changed.op("&&", is_comparison=True)(sql_literal(f"array[{columns}]"))
            conditions.append(sa.or_(sa.not_(sa.and_(visible_after, visible_before)), overlap))
        log_filter = changes.log_filter
        conditions += [visible_operation == sa.any_(param(log_filter.operations))] if log_filter.operations else []
        if log_filter.changed_columns:
            parameter = log_filter.changed_columns[change_type.entity.name]
            conditions.append(change.c.changed.op("&&", is_comparison=True)(param(parameter)))
        message = self._message(change_type, changes.messages["Change"], change, row, visible_operation)
        return sa.select(change.c.position.label("p$"), message.label("m$")).select_from(change, row).where(*conditions)

    def _message(
        self,
        change_type: ChangeTypePlan,
        fields: MessageFields,
        change: sa.Subquery,
        row: sa.FromClause,
        visible_operation: Value,
    ) -> Value:
        values: dict[str, Callable[[], Value]] = {
            "__typename": lambda: text("Change"),
            "cursor": lambda: change.c.cursor,
            "previousCursor": lambda: param(PREVIOUS_CURSOR),
            "operation": lambda: visible_operation,
            "entity": lambda: text(change_type.entity.entity_type),
            "entityId": lambda: id_expression(change_type.entity.declaration.prefix, change.c.row_id),
            "redirectedTo": lambda: self._redirected_to(change_type, change),
            "customerId": lambda: id_expression(self.customer_prefix, _customer_as_seen(change)),
        } | change_columns(self.aliases, change_type.entity, change)
        selections = dict(change_type.selections)
        parts = [
            (key, self._node(selections[key], change, row) if key in selections else values[name]())
            for key, name in fields
        ]
        parts += [(TYPENAME_KEY, text(change_type.entity.name))] if self.has_resolvers else []
        return json_object(parts, self.aliases.next())

    def _redirected_to(self, change_type: ChangeTypePlan, change: sa.Subquery) -> Value:
        """The id of the customer who has taken the place of a deleted one, if the viewer sees it."""
        entity = change_type.entity
        if entity.declaration.scope.customer_column != "id":
            return sql_literal("null")
        redirect, current = REDIRECTS.alias(self.aliases.next()), entity.table.alias(self.aliases.next())
        deleted = change.c.operation == sql_literal("'DELETE'")
        query = sa.select(id_expression(entity.declaration.prefix, current.c.id)).select_from(
            redirect.join(current, current.c.id == redirect.c.customer_id)
        )
        visible = row_visibility(self.aliases, entity, current)
        query = query.where(deleted, redirect.c.merged_id == change.c.row_id, *visible)
        return query.correlate(change).scalar_subquery()

    def _node(self, selection: ObjectSelection, change: sa.Subquery, row: sa.FromClause) -> Value:
        redacted = sa.and_(sa.not_(change.c["a$"]), is_redacted(change.c.before))
        return sa.case((redacted, sql_literal("null::json")), else_=self.compiler.object(selection, row))


def _customer_of_image(value: Value) -> Value:
    """The customer of an image, as text; null where the type has none, and for a customer itself."""
    return value.op("->>")(sql_literal("'customer_id'"))


def _concerns_customer(customer: Value) -> Condition:
    """Whether a change concerns a customer's row, also when it moved the row to another customer."""
    moved_away = sa.and_(
        sql_literal("'customer_id'") == sa.any_(CHANGE_LOG.c.changed),
        _customer_of_image(CHANGE_LOG.c.before) == sa.cast(customer, sa.Text),
    )
    return sa.or_(CHANGE_LOG.c.customer_id == customer, moved_away)


def _customer_as_seen(change: sa.FromClause) -> Value:
    """The customer of the row when the viewer last saw it; a later customer is not disclosed."""
    former_customer = sa.cast(_customer_of_image(change.c.before), sa.Uuid())
    return sa.case(
        (change.c["a$"], change.c.customer_id), else_=sa.func.coalesce(former_customer, change.c.customer_id)
    )
