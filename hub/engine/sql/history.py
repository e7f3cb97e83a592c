"""Compiles the past of rows: images of the log in place of a table's row, and which of them a viewer may see.

The viewer must see both the row today and the image. Otherwise the past is as absent as the row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.db.change_log import CHANGE_COLUMNS, CHANGE_LOG
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.plan.nodes import Constant, HistoryConnection, HistoryEntry, RowImage, TotalCount
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import And, Predicate
from hub.engine.sql.conditions import condition, row_visibility
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
    json_object,
    param,
    sql_literal,
    text,
)
from hub.engine.sql.merged_lists import ObjectCompiler, Totals
from hub.model import scopes
from hub.model.columns import readable_columns
from hub.model.definition import UNVERIFIED

NOTHING_UNVERIFIED = sql_literal(f"'{{\"{UNVERIFIED}\": []}}'::jsonb")
EMPTY_IMAGE = sql_literal("'{}'::jsonb")  # the image of a row that did not exist


def row_image(aliases: AliasGenerator, table: sa.Table, value: Value) -> sa.FromClause:
    """An image of the log as a row of its table, without the column that images do not hold."""
    columns = (sa.column(column.name, column.type) for column in table.c if column.name != "search_text")
    if UNVERIFIED in table.c:  # images from before the column was there lack it, and it is never null
        value = sa.func.jsonb_concat(NOTHING_UNVERIFIED, value)
    populated = sa.func.jsonb_populate_record(sql_literal(f"null::{table.name}"), value)
    return populated.table_valued(*columns, name=aliases.next())


def is_redacted(value: Value) -> Condition:
    """Whether the image was redacted (see hub/db/change_log.py)."""
    return value.op("?", is_comparison=True)(sql_literal("'erased'"))


def image_visible(aliases: AliasGenerator, entity: CatalogEntity, value: Value, where: Predicate) -> Condition:
    """Whether the image exists, is visible to the viewer, and meets the predicate."""
    exists: Condition = value.is_not(None)
    image_row = row_image(aliases, entity.table, value)
    predicate = scopes.visible_image(entity.table, image_row, aliases.rights)
    source = SelectSource(aliases, image_row, grouped=False, of_images=True)
    conditions = [] if predicate is None else [predicate]
    if where != And(()):
        # A redacted image may have met it: subscribers that saw the row must learn that it is gone.
        conditions.append(sa.or_(condition(source, where), is_redacted(value)))
    if not conditions:
        return exists
    select = sa.select(sql_literal("1")).select_from(source.tables()).where(*conditions)
    return sa.and_(exists, sa.exists(select.correlate_except(*source.own())))


def shows_change(entity: CatalogEntity, change: sa.FromClause, before: Condition, after: Condition) -> list[Condition]:
    """The condition that the viewer sees something change: the row comes or goes, or a column that it may know of changes.

    `before` and `after` are whether it sees these images. Changes of hidden columns alone are none for it."""
    watched = entity.watched_columns
    if watched is None:
        return []
    names = ", ".join(f"'{column}'" for column in sorted(watched))
    columns = sql_literal(f"array[{names}]::text[]")
    return [sa.or_(sa.not_(sa.and_(before, after)), change.c.changed.op("&&", is_comparison=True)(columns))]


def change_operation(change: sa.FromClause, visible_before: Condition, visible_after: Condition) -> Value:
    """The operation as it appears to a viewer who sees these of the images."""
    return sa.case(
        (change.c.operation.in_([sql_literal("'CREATE'"), sql_literal("'DELETE'")]), change.c.operation),
        (sa.and_(visible_after, visible_before), sql_literal("'UPDATE'")),
        (visible_after, sql_literal("'ENTER'")),
        else_=sql_literal("'LEAVE'"),
    )


def change_columns(
    aliases: AliasGenerator, entity: CatalogEntity, change: sa.FromClause
) -> dict[str, Callable[[], Value]]:
    """The log's columns of a change, by the names of fields."""
    return {
        "version": lambda: change.c.version,
        "changedFields": lambda: _changed_fields(aliases, entity, change),
        "actor": lambda: change.c.actor,
        "requestId": lambda: change.c.request,
        "transactionId": lambda: sa.cast(change.c.transaction_id, sa.Text),
        "at": lambda: change.c.at,
    }


def _changed_fields(aliases: AliasGenerator, entity: CatalogEntity, change: sa.FromClause) -> Value:
    """The fields that show the changed columns, in the order of the type's fields."""
    fields: dict[str, list[str]] = {}
    for column, field in entity.field_by_column.items():
        fields.setdefault(field, []).append(f"'{column}'")
    values = ", ".join(f"('{field}', array[{', '.join(columns)}])" for field, columns in fields.items())
    alias = aliases.next()
    rows = sa.text(f'(values {values}) as "{alias}" (field, columns)')
    field_names = sa.func.coalesce(sa.func.json_agg(sql_literal(f'"{alias}".field')), sql_literal("'[]'::json"))
    changed = change.c.changed.op("&&", is_comparison=True)(sql_literal(f'"{alias}".columns'))
    return sa.select(field_names).select_from(rows).where(changed).correlate(change).scalar_subquery()


# -- a row at a time ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AsOfImages:
    """A row's images in the log: at a time (null if the row never changed), and before its last change."""

    image: Value
    last_image: Value


def lookup_as_of(aliases: AliasGenerator, table: Value, key: Value, timestamp: Parameter) -> AsOfImages:
    """The images of a row at a time: after the last change up to it or, without one, before the first change later.

    Clocks may be set back, so the log's ids order the changes of one row."""

    def change(side: str, *, newest: bool, time_condition: Callable[[Value], Condition] | None = None) -> Value:
        log = aliases.for_table(CHANGE_LOG)
        conditions = [
            log.c.row_id == key,
            log.c.table_name == table,
            *([time_condition(log.c.at)] if time_condition else []),
        ]
        images = sa.select(sa.func.coalesce(log.c[side], EMPTY_IMAGE)).where(*conditions)
        ordered = images.order_by(log.c.id.desc() if newest else log.c.id).limit(sql_literal("1"))
        return ordered.correlate_except(log).scalar_subquery()

    image_after = change("after", newest=True, time_condition=lambda changed_at: changed_at <= param(timestamp))
    image_before = change("before", newest=False, time_condition=lambda changed_at: changed_at > param(timestamp))
    return AsOfImages(sa.func.coalesce(image_after, image_before), change("before", newest=True))


def lateral_as_of(aliases: AliasGenerator, images: AsOfImages) -> tuple[sa.FromClause, AsOfImages]:
    """The images as columns of a lateral table, so that rows of several types are looked up once."""
    columns = (images.image.label("then$"), images.last_image.label("last$"))
    table = sa.select(*columns).offset(sql_literal("0")).lateral(aliases.next())
    return table, AsOfImages(table.c["then$"], table.c["last$"])


def as_of(
    aliases: AliasGenerator, entity: CatalogEntity, key: Value, timestamp: Parameter, images: AsOfImages
) -> tuple[sa.FromClause, list[Condition]]:
    """A row as it was, in place of its table, and the conditions that make it visible."""
    table = entity.table.alias(aliases.next())
    current_row = sa.select(_row_json(entity, table)).where(table.c.id == key).correlate_except(table)
    image_row = row_image(aliases, entity.table, sa.func.coalesce(images.image, current_row.scalar_subquery()))
    conditions: list[Condition] = [image_row.c.id == key, image_row.c.created_at <= param(timestamp)]
    predicate = scopes.visible_image(entity.table, image_row, aliases.rights)
    return image_row, conditions if predicate is None else [
        *conditions,
        predicate,
        _visible_today(aliases, entity, key, images.last_image),
    ]


def _row_json(entity: CatalogEntity, row: Any) -> Value:
    """A row as JSON, without the columns that only the database's owner may read."""
    readable = readable_columns(entity.table)
    if len(readable) == len(entity.table.c):
        return sa.func.to_jsonb(row.table_valued())
    pairs = ((sql_literal(f"'{column.name}'"), row.c[column.name]) for column in readable)
    return sa.func.jsonb_build_object(*(part for pair in pairs for part in pair))


def require_retention(timestamp: Parameter, value: Value) -> Value:
    """The value; the statement fails if the log no longer reaches back to the time, whatever it would find."""
    return sa.case((sa.func.hub_as_of(param(timestamp)), value))


def _visible_today(aliases: AliasGenerator, entity: CatalogEntity, key: Value, last_image: Value) -> Condition:
    """Whether the viewer sees the row today. For a deleted row, its last image decides."""

    def exists(rows: sa.FromClause, *conditions: Any) -> Condition:
        return sa.exists(sa.select(sql_literal("1")).select_from(rows).where(*conditions).correlate_except(rows))

    visible_row, any_row, deleted_row = (
        aliases.for_table(entity.table),
        aliases.for_table(entity.table),
        row_image(aliases, entity.table, last_image),
    )
    return sa.or_(
        exists(visible_row, visible_row.c.id == key, scopes.visible(entity.table, visible_row, aliases.rights)),
        sa.and_(
            sa.not_(exists(any_row, any_row.c.id == key)),
            exists(deleted_row, scopes.visible_image(entity.table, deleted_row, aliases.rights)),
        ),
    )


# -- a row's history ------------------------------------------------------------------------------------------------------


def compile_history(
    connection: HistoryConnection, outer: sa.FromClause, aliases: AliasGenerator, compile_object: ObjectCompiler
) -> Value:
    """The connection's JSON; `compile_object` compiles an object over a row."""
    page_selection = PageSelection.for_parts(connection.parts, connection.page)
    changes = _changes(connection, outer, aliases)
    keys = _keys(changes)

    def node(revision: HistoryEntry) -> Value:
        values = change_columns(aliases, connection.entity, changes)
        values["operation"] = lambda: change_operation(changes, changes.c["before$"], changes.c["after$"])
        fields: list[tuple[str, Value]] = []
        for key, part in revision.fields:
            if isinstance(part, Constant):
                fields.append((key, text(part.text)))
            elif isinstance(part, RowImage):
                image_row = row_image(aliases, connection.entity.table, changes.c[part.side])
                object_select = (
                    sa.select(compile_object(part.selection, image_row))
                    .select_from(image_row)
                    .correlate_except(image_row)
                )
                visible = sa.and_(changes.c[f"{part.side}$"], sa.not_(is_redacted(changes.c[part.side])))
                fields.append((key, sa.case((visible, object_select.scalar_subquery()))))
            else:
                fields.append((key, values[part]()))
        return json_object(fields, aliases.next())

    columns = [
        *node_columns(connection.parts, connection.cursor_signing, keys, aliases, node),
        *page_selection.columns(keys),
    ]
    rows = (
        sa.select(*(columns or [sql_literal("1").label("$")]))
        .select_from(changes)
        .where(*cursor_conditions(keys, connection.page))
        .order_by(*(key.order_by(backward=False) for key in keys))
        .limit(page_selection.limit())
        .correlate_except(changes)
        .subquery(aliases.next())
    )
    return assemble_connection(
        connection,
        page_selection,
        rows,
        _total(connection, outer, aliases),
        _rows_outside(connection, outer, aliases),
        aliases,
    )


def _keys(changes: sa.FromClause) -> list[SortExpression]:
    return [SortExpression(changes.c.id, "desc", sa.BigInteger())]


def _changes(connection: HistoryConnection, outer: sa.FromClause, aliases: AliasGenerator) -> sa.Subquery:
    """The visible changes of the row, and which of their images are visible."""
    entity, log = connection.entity, aliases.for_table(CHANGE_LOG)
    sides = {side: image_visible(aliases, entity, log.c[side], And(())) for side in ("before", "after")}
    conditions: list[Condition] = [log.c.row_id == outer.c.id, log.c.table_name == text(entity.table.name)]
    conditions += (
        [log.c.changed.op("&&", is_comparison=True)(param(connection.changed_columns))]
        if connection.changed_columns
        else []
    )
    conditions += [log.c.at >= param(connection.since)] if connection.since else []
    conditions += [log.c.at < param(connection.until)] if connection.until else []
    conditions.append(sa.or_(*sides.values()))
    conditions += shows_change(entity, log, sides["before"], sides["after"])
    if connection.check_visibility:
        current_row = aliases.for_table(entity.table)
        visible = row_visibility(aliases, entity, current_row)
        current_rows = sa.select(sql_literal("1")).select_from(current_row).where(current_row.c.id == outer.c.id)
        conditions.append(sa.exists(current_rows.where(*visible).correlate_except(current_row)))
    columns = [
        log.c.id,
        *(log.c[column.name] for column in CHANGE_COLUMNS),
        *(visible.label(f"{side}$") for side, visible in sides.items()),
    ]
    return sa.select(*columns).where(*conditions).correlate_except(log).subquery(aliases.next())


def _total(connection: HistoryConnection, outer: sa.FromClause, aliases: AliasGenerator) -> Totals | None:
    if not any(isinstance(part, TotalCount) for _, part in connection.parts):
        return None
    changes = _changes(connection, outer, aliases)
    count = sa.select(sa.func.count().label("c$")).select_from(changes).correlate_except(changes)
    return Totals(count.subquery(aliases.next()))


def _rows_outside(connection: HistoryConnection, outer: sa.FromClause, aliases: AliasGenerator) -> dict[str, Value]:
    """Whether there are changes outside the cursor that bounds the page."""
    rows_outside: dict[str, Value] = {"hasNextPage": sa.false(), "hasPreviousPage": sa.false()}
    if connection.page.after is not None:
        changes = _changes(connection, outer, aliases)
        newer = after_cursor(_keys(changes), connection.page.after, reverse=True, inclusive=True)
        newer_change = sa.select(sql_literal("1")).select_from(changes).where(newer).correlate_except(changes)
        rows_outside["hasPreviousPage"] = sa.exists(newer_change)
    return rows_outside
