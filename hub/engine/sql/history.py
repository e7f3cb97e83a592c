"""Writes what rows were as SQL: images of the log in place of a table's row, and which of them a viewer may see.

What is read of the past is what is seen today: the row must be, and so must the image, or the one is as absent as the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hub.engine.catalog.catalog import Row
from hub.engine.catalog.scalars import raw
from hub.engine.plan.nodes import Constant, History, Image, Revision, Shape, Total
from hub.engine.plan.predicates import All, Predicate, Slot
from hub.engine.sql.aggregates import Value, json_object, text
from hub.engine.sql.conditions import Condition, Names, Source, condition, param
from hub.engine.sql.connections import Key, Wanted, assembled, behind, bounds, row_columns
from hub.engine.sql.merged_lists import Totals

Objects = Callable[[Shape, sa.FromClause], Value]
NOTHING = raw("'{}'::jsonb")  # the image of a row that was not there
LOG = (
    ("row_id", sa.Uuid()),
    ("version", sa.Integer()),
    ("operation", sa.Text()),
    ("changed", ARRAY(sa.Text())),
    ("before", JSONB()),
    ("after", JSONB()),
    ("customer_id", sa.Uuid()),
    ("actor", sa.Text()),
    ("request", sa.Text()),
    ("transaction_id", sa.Text()),
    ("at", sa.DateTime(timezone=True)),
)
CHANGES = sa.table("change_log", sa.column("id", sa.BigInteger), sa.column("table_name", sa.Text))
for _name, _type in LOG:
    CHANGES.append_column(sa.column(_name, _type))


def image(names: Names, table: sa.Table, value: Value) -> sa.FromClause:
    """An image of the log as a row of its table, but for what only the table has."""
    columns = (sa.column(each.name, each.type) for each in table.c if each.name != "search_text")
    made = sa.func.jsonb_populate_record(raw(f"null::{table.name}"), value)
    return made.table_valued(*columns, name=names.next())


def erased(value: Value) -> Condition:
    """Whether what an image held was erased (hub/db/changes.py)."""
    return value.op("?", is_comparison=True)(raw("'erased'"))


def shown(names: Names, row: Row, value: Value, where: Predicate) -> Condition:
    """Whether there is an image, the viewer may see it, and it meets the predicate."""
    there: Condition = value.is_not(None)
    of = image(names, row.table, value)
    seen = row.declaration.scope.was_visible(of, names.binding)
    source = Source(names, of, grouped=False)
    conditions = [] if seen is None else [seen]
    if where != All(()):
        # What was erased may have met it: whoever was told of the row is told that it is gone.
        conditions.append(sa.or_(condition(source, where), erased(value)))
    if not conditions:
        return there
    select = sa.select(raw("1")).select_from(source.tables()).where(*conditions)
    return sa.and_(there, sa.exists(select.correlate_except(*source.own())))


def operation(of: sa.FromClause, before: Condition, after: Condition) -> Value:
    """What became of the row, for one to whom these of its images are shown."""
    return sa.case(
        (of.c.operation.in_([raw("'CREATE'"), raw("'DELETE'")]), of.c.operation),
        (sa.and_(after, before), raw("'UPDATE'")),
        (after, raw("'ENTER'")),
        else_=raw("'LEAVE'"),
    )


def facts(names: Names, row: Row, of: sa.FromClause) -> dict[str, Callable[[], Value]]:
    """What the log says of a change, by the names of fields."""
    return {
        "version": lambda: of.c.version,
        "changedFields": lambda: _changed(names, row, of),
        "actor": lambda: of.c.actor,
        "requestId": lambda: of.c.request,
        "transactionId": lambda: sa.cast(of.c.transaction_id, sa.Text),
        "at": lambda: of.c.at,
    }


def _changed(names: Names, row: Row, of: sa.FromClause) -> Value:
    """The fields that show the changed columns, in the order of the type's."""
    fields: dict[str, list[str]] = {}
    for column, field in row.shows.items():
        fields.setdefault(field, []).append(f"'{column}'")
    listed = ", ".join(f"('{field}', array[{', '.join(columns)}])" for field, columns in fields.items())
    name = names.next()
    rows = sa.text(f'(values {listed}) as "{name}" (field, columns)')
    gathered = sa.func.coalesce(sa.func.json_agg(raw(f'"{name}".field')), raw("'[]'::json"))
    changed = of.c.changed.op("&&", is_comparison=True)(raw(f'"{name}".columns'))
    return sa.select(gathered).select_from(rows).where(changed).correlate(of).scalar_subquery()


# -- a row at a moment ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log says of a row: its image at a moment (null when it never changed), and what it was at last."""

    then: Value
    last: Value


def logged(names: Names, table: Value, key: Value, moment: Slot) -> Logged:
    """Looks a row up: the last change up to the moment left it so; without one, the first change behind found it so.

    Clocks may be set back: of one row, the order of the log's ids is that of its changes."""

    def change(side: str, *, newest: bool, at: Callable[[Value], Condition] | None = None) -> Value:
        log = names.of(CHANGES)
        conditions = [log.c.row_id == key, log.c.table_name == table, *([at(log.c.at)] if at else [])]
        found = sa.select(sa.func.coalesce(log.c[side], NOTHING)).where(*conditions)
        ordered = found.order_by(log.c.id.desc() if newest else log.c.id).limit(raw("1"))
        return ordered.correlate_except(log).scalar_subquery()

    then = change("after", newest=True, at=lambda at: at <= param(moment))
    behind = change("before", newest=False, at=lambda at: at > param(moment))
    return Logged(sa.func.coalesce(then, behind), change("before", newest=True))


def beside(names: Names, logged: Logged) -> tuple[sa.FromClause, Logged]:
    """The same looked up once for rows of several types, in a table beside that of the keys."""
    columns = (logged.then.label("then$"), logged.last.label("last$"))
    table = sa.select(*columns[: 1 if names.binding == "none" else 2]).offset(raw("0")).lateral(names.next())
    return table, Logged(table.c["then$"], table.c.get("last$", raw("null")))


def as_of(names: Names, row: Row, key: Value, moment: Slot, logged: Logged) -> tuple[sa.FromClause, list[Condition]]:
    """A row as it was, in place of its table, and the conditions that it must meet to be told."""
    table = row.table.alias(names.next())
    now = sa.select(sa.func.to_jsonb(table.table_valued())).where(table.c.id == key).correlate_except(table)
    of = image(names, row.table, sa.func.coalesce(logged.then, now.scalar_subquery()))
    conditions: list[Condition] = [of.c.id == key, of.c.created_at <= param(moment)]
    seen = row.declaration.scope.was_visible(of, names.binding)
    return of, conditions if seen is None else [*conditions, seen, _seen_today(names, row, key, logged.last)]


def kept(moment: Slot, value: Value) -> Value:
    """The value, unless the log no longer reaches back to the moment: then the statement fails, whatever it would find."""
    return sa.case((sa.func.hub_as_of(param(moment)), value))


def _seen_today(names: Names, row: Row, key: Value, last: Value) -> Condition:
    """Whether the viewer sees the row; one that is gone is judged by what it was at last."""

    def exists(of: sa.FromClause, *conditions: Any) -> Condition:
        return sa.exists(sa.select(raw("1")).select_from(of).where(*conditions).correlate_except(of))

    scope, here, other, gone = (
        row.declaration.scope,
        names.of(row.table),
        names.of(row.table),
        image(names, row.table, last),
    )
    return sa.or_(
        exists(here, here.c.id == key, scope.visible(here, names.binding)),
        sa.and_(sa.not_(exists(other, other.c.id == key)), exists(gone, scope.was_visible(gone, names.binding))),
    )


# -- a row's history ------------------------------------------------------------------------------------------------------


def history(listing: History, outer: sa.FromClause, names: Names, objects: Objects) -> Value:
    """The connection's JSON; `objects` writes the object of a shape over a row."""
    wanted = Wanted.by(listing.parts, listing.page)
    changes = _changes(listing, outer, names)
    keys = _keys(changes)

    def node(revision: Revision) -> Value:
        values = facts(names, listing.row, changes)
        values["operation"] = lambda: operation(changes, changes.c["before$"], changes.c["after$"])
        fields: list[tuple[str, Value]] = []
        for key, part in revision.fields:
            if isinstance(part, Constant):
                fields.append((key, text(part.text)))
            elif isinstance(part, Image):
                of = image(names, listing.row.table, changes.c[part.side])
                one = sa.select(objects(part.shape, of)).select_from(of).correlate_except(of)
                told = sa.and_(changes.c[f"{part.side}$"], sa.not_(erased(changes.c[part.side])))
                fields.append((key, sa.case((told, one.scalar_subquery()))))
            else:
                fields.append((key, values[part]()))
        return json_object(fields, names.next())

    columns = [*row_columns(listing.parts, listing.cursors, keys, names, node), *wanted.columns(keys)]
    rows = (
        sa.select(*(columns or [raw("1").label("$")]))
        .select_from(changes)
        .where(*bounds(keys, listing.page))
        .order_by(*(key.ordered(backward=False) for key in keys))
        .limit(wanted.limit())
        .correlate_except(changes)
        .subquery(names.next())
    )
    return assembled(listing, wanted, rows, _total(listing, outer, names), _more(listing, outer, names), names)


def _keys(changes: sa.FromClause) -> list[Key]:
    return [Key(changes.c.id, "desc", sa.BigInteger())]


def _changes(listing: History, outer: sa.FromClause, names: Names) -> sa.Subquery:
    """The changes of the row that are told, with which of their images are shown."""
    row, log = listing.row, names.of(CHANGES)
    sides = {side: shown(names, row, log.c[side], All(())) for side in ("before", "after")}
    conditions: list[Condition] = [log.c.row_id == outer.c.id, log.c.table_name == text(row.table.name)]
    conditions += [log.c.changed.op("&&", is_comparison=True)(param(listing.changed))] if listing.changed else []
    conditions += [log.c.at >= param(listing.since)] if listing.since else []
    conditions += [log.c.at < param(listing.until)] if listing.until else []
    conditions.append(sa.or_(*sides.values()))
    if listing.check:
        here = names.of(row.table)
        seen = row.declaration.scope.visible(here, names.binding)
        today = sa.select(raw("1")).select_from(here).where(here.c.id == outer.c.id)
        conditions.append(sa.exists((today if seen is None else today.where(seen)).correlate_except(here)))
    columns = [log.c.id, *(log.c[name] for name, _ in LOG), *(each.label(f"{side}$") for side, each in sides.items())]
    return sa.select(*columns).where(*conditions).correlate_except(log).subquery(names.next())


def _total(listing: History, outer: sa.FromClause, names: Names) -> Totals | None:
    if not any(isinstance(part, Total) for _, part in listing.parts):
        return None
    changes = _changes(listing, outer, names)
    count = sa.select(sa.func.count().label("c$")).select_from(changes).correlate_except(changes)
    return Totals(count.subquery(names.next()))


def _more(listing: History, outer: sa.FromClause, names: Names) -> dict[str, Value]:
    """Whether changes lie outside the cursor that bounds the page."""
    found: dict[str, Value] = {"hasNextPage": sa.false(), "hasPreviousPage": sa.false()}
    if listing.page.after is not None:
        changes = _changes(listing, outer, names)
        newer = behind(_keys(changes), listing.page.after, ahead=True, itself=True)
        one = sa.select(raw("1")).select_from(changes).where(newer).correlate_except(changes)
        found["hasPreviousPage"] = sa.exists(one)
    return found
