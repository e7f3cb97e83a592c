"""Writes what is told of changes as SQL: the log's rows at given positions, their images in place of the table's rows.

The statement gives one row per message: its position, and the JSON of the `changes` root for it. Cursors are handed in with the
positions, and a mark stands where the cursor before belongs, which only the sender knows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog.scalars import id_text, raw
from hub.engine.plan.nodes import Changes, Imaged, MessageFields, Shape
from hub.engine.plan.predicates import Slot
from hub.engine.plan.selections import TYPE
from hub.engine.sql.aggregates import Value, json_object, text
from hub.engine.sql.conditions import Condition, Names, param
from hub.engine.sql.history import CHANGES, LOG, erased, facts, image, operation, shown
from hub.engine.sql.selections import Writer

PAGE = "page$"
POSITIONS = Slot("positions", ARRAY(sa.BigInteger()), lambda run: run.positions)
CURSORS = Slot("cursors", ARRAY(sa.Text()), lambda run: run.cursors)
MARK = Slot("mark", sa.Text(), lambda run: run.mark)
ACTOR = Slot("own", sa.Text(), lambda run: run.viewer.actor)
ALWAYS = (POSITIONS, CURSORS, MARK, ACTOR)


@dataclass(frozen=True, slots=True)
class ImageWriter:
    """Writes the changes of one statement; `owner` is the prefix of the ids of customers."""

    names: Names
    writer: Writer
    owner: str
    spliced: bool

    def select(self, changes: Changes) -> sa.Select[Any]:
        """The whole statement."""
        page = sa.table(PAGE, sa.column("position", sa.BigInteger), *(sa.column(name, of) for name, of in LOG))
        page.append_column(sa.column("cursor", sa.Text))
        page.append_column(sa.column("table_name", sa.Text))
        branches = [self._branch(each, changes, page) for each in changes.types]
        told = sa.union_all(*branches).subquery(self.names.next())
        found = sa.select(told.c["p$"], told.c["m$"]).order_by(told.c["p$"])
        return found.add_cte(self._page(changes))

    def _page(self, changes: Changes) -> sa.CTE:
        """The log's rows at the positions, each partition being looked into once."""
        placed = sa.table("change_order", sa.column("position", sa.BigInteger), sa.column("id", sa.BigInteger))
        given = sa.func.unnest(param(POSITIONS), param(CURSORS))
        wanted = given.table_valued(sa.column("position", sa.BigInteger), sa.column("cursor", sa.Text)).render_derived(
            name="given$"
        )
        ids = sa.select(placed.c.id).where(placed.c.position == sa.any_(param(POSITIONS)))
        columns = [wanted.c.position, wanted.c.cursor, CHANGES.c.table_name, *(CHANGES.c[name] for name, _ in LOG)]
        joined = wanted.join(placed, placed.c.position == wanted.c.position).join(CHANGES, CHANGES.c.id == placed.c.id)
        found = sa.select(*columns).select_from(joined)
        conditions: list[Condition] = [CHANGES.c.id == sa.any_(sa.func.array(ids.scalar_subquery()))]
        listed = changes.listed
        conditions += [CHANGES.c.row_id == sa.any_(param(listed.keys))] if listed.keys else []
        conditions += [_of_customer(param(listed.customer))] if listed.customer else []
        conditions += [CHANGES.c.actor != param(ACTOR)] if listed.exclude_own else []
        return found.where(*conditions).cte(PAGE)

    def _branch(self, imaged: Imaged, changes: Changes, page: sa.TableClause) -> sa.Select[Any]:
        """The messages of one type: which of them are told, then what is told of them."""
        after, before = (shown(self.names, imaged.row, page.c[side], imaged.where) for side in ("after", "before"))
        if changes.listed.customer and "customer_id" in imaged.row.table.c:
            owner = sa.cast(param(changes.listed.customer), sa.Text)
            after, before = (
                sa.and_(seen, _owner(page.c[side]) == owner) for seen, side in ((after, "after"), (before, "before"))
            )
        sides = sa.select(*page.c, after.label("a$"), before.label("b$")).select_from(page)
        of = sides.where(page.c.table_name == raw(f"'{imaged.row.table.name}'")).subquery(self.names.next())
        now, was = of.c["a$"], of.c["b$"]
        became = operation(of, was, now)
        row = image(self.names, imaged.row.table, sa.case((now, of.c.after), else_=of.c.before))
        conditions: list[Condition] = [sa.or_(now, was)]
        if imaged.watched is not None:
            columns = ", ".join(f"'{each}'" for each in imaged.watched)
            overlap = of.c.changed.op("&&", is_comparison=True)(raw(f"array[{columns}]"))
            conditions.append(sa.or_(sa.not_(sa.and_(now, was)), overlap))
        listed = changes.listed
        conditions += [became == sa.any_(param(listed.operations))] if listed.operations else []
        if listed.changed:
            slot = listed.changed[imaged.row.name]
            conditions.append(of.c.changed.op("&&", is_comparison=True)(param(slot)))
        told = self._told(imaged, changes.messages["Change"], of, row, became)
        return sa.select(of.c.position.label("p$"), told.label("m$")).select_from(of, row).where(*conditions)

    def _told(self, imaged: Imaged, fields: MessageFields, of: sa.Subquery, row: sa.FromClause, became: Value) -> Value:
        values: dict[str, Callable[[], Value]] = {
            "__typename": lambda: text("Change"),
            "cursor": lambda: of.c.cursor,
            "previousCursor": lambda: param(MARK),
            "operation": lambda: became,
            "entity": lambda: text(imaged.row.entity),
            "entityId": lambda: id_text(imaged.row.declaration.prefix, of.c.row_id),
            "customerId": lambda: id_text(self.owner, _whose(of)),
        } | facts(self.names, imaged.row, of)
        shapes = dict(imaged.shapes)
        parts = [(key, self._node(shapes[key], of, row) if key in shapes else values[name]()) for key, name in fields]
        parts += [(TYPE, text(imaged.row.name))] if self.spliced else []
        return json_object(parts, self.names.next())

    def _node(self, shape: Shape, of: sa.Subquery, row: sa.FromClause) -> Value:
        gone = sa.and_(sa.not_(of.c["a$"]), erased(of.c.before))
        return sa.case((gone, raw("null::json")), else_=self.writer.object(shape, row))


def _owner(value: Value) -> Value:
    """Whose row an image is of, as text; null where rows belong to nobody, and for a customer itself."""
    return value.op("->>")(raw("'customer_id'"))


def _of_customer(customer: Value) -> Condition:
    """Whether a change is of a customer's row, or of one that it took away from the customer."""
    taken = sa.and_(
        raw("'customer_id'") == sa.any_(CHANGES.c.changed), _owner(CHANGES.c.before) == sa.cast(customer, sa.Text)
    )
    return sa.or_(CHANGES.c.customer_id == customer, taken)


def _whose(of: sa.FromClause) -> Value:
    """The customer whose row it was when the viewer saw it last: what has become of it since is not told."""
    was = sa.cast(_owner(of.c.before), sa.Uuid())
    return sa.case((of.c["a$"], of.c.customer_id), else_=sa.func.coalesce(was, of.c.customer_id))
