"""Makes a plan into a statement: the roots as SQL, the text, and the order of its parameters.

Here and in sql.py with its helpers is every SELECT that answers a client."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from hub.db.sql_text import DIALECT
from hub.engine.catalog.catalog import Row
from hub.engine.catalog.scalars import raw
from hub.engine.plan.nodes import (
    ById,
    ByIds,
    ByOther,
    Changes,
    Constant,
    Frame,
    GroupKey,
    GroupKeyFields,
    GroupNodes,
    Groups,
    Keyed,
    Listing,
    Null,
    Payload,
    Plan,
    Results,
    RootNode,
    Stats,
    Told,
    Total,
)
from hub.engine.plan.predicates import All, Run, Slot
from hub.engine.sql.aggregates import EMPTY_LIST, Scan, Tree, Value, json_object, text
from hub.engine.sql.changes import ALWAYS, MARK, ImageWriter
from hub.engine.sql.conditions import Condition, Names, Source, condition, found_by, param
from hub.engine.sql.connections import number
from hub.engine.sql.history import as_of, beside, kept, logged
from hub.engine.sql.selections import Writer
from hub.viewer import Binding

STANDING = "coalesce((select max(position) from change_order), (select least_position - 1 from change_feed))"


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of a plan and how its arguments are found in a run; `fresh` is to be planned at every run.

    `idle` are values that the text has no place for: a bad cursor is bad even where only the count is asked for."""

    text: str
    arguments: tuple[Callable[[Run], Any], ...]
    idle: tuple[Callable[[Run], Any], ...]
    fresh: bool

    def bind(self, run: Run) -> list[Any]:
        """The arguments of a run; raises BadInput for values that do not fit."""
        for value in self.idle:
            value(run)
        return [argument(run) for argument in self.arguments]


def written(plan: Plan, binding: Binding, fresh_row: str | None = None) -> Statement:
    """The statement of a plan for viewers of a binding; `fresh_row` names where a payload's row stands, if not in its table."""
    writer = RootWriter(Names(binding), fresh_row)
    roots = [(key, writer.root(node)) for key, node in plan.roots]
    return _compiled(sa.select(json_object(roots, writer.names.next())), plan)


def told(plan: Plan, binding: Binding, owner: str) -> Statement:
    """The statement of a plan whose one root is `changes`: rows of positions and messages (images.py)."""
    ((_, changes),) = plan.roots
    assert isinstance(changes, Changes)
    names = Names(binding)
    return _compiled(ImageWriter(names, Writer(names), owner, plan.splice is not None).select(changes), plan)


def framed(plan: Plan, binding: Binding) -> Statement:
    """The statement of a live query: its answer, and the last position that the same snapshot shows."""
    ((_, frame),) = plan.roots
    assert isinstance(frame, Frame)
    return _compiled(sa.select(RootWriter(Names(binding)).root(frame), raw(STANDING)), plan)


def _compiled(select: sa.Select[Any], plan: Plan) -> Statement:
    compiled = select.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    sources: dict[str, Callable[[Run], Any]] = {slot.name: slot.value for slot in (*ALWAYS, *plan.slots)}
    sources["viewer_unit"] = lambda run: run.viewer.unit_ids[0]
    sources["viewer_units"] = lambda run: run.viewer.unit_ids
    sources["viewer_customer"] = lambda run: run.viewer.customer_id
    sources["viewer_key"] = lambda run: run.viewer.key_id
    names: Sequence[str] = compiled.positiontup or ()
    idle = tuple(slot.value for slot in plan.slots if slot.name not in names)
    return Statement(str(compiled), tuple(sources[name] for name in names), idle, plan.fresh)


class RootWriter(Writer):
    """Writes the roots of a statement."""

    def __init__(self, names: Names, fresh_row: str | None = None) -> None:
        super().__init__(names)
        self._fresh_row = fresh_row

    def root(self, node: RootNode | Keyed | Changes) -> Value:
        """The JSON of a root."""
        assert not isinstance(node, Changes)  # which is a statement of its own
        match node:
            case Constant(told):
                return text(told)
            case Null():
                return raw("null")
            case Listing():
                return self.listing(node, None)
            case Groups():
                return self._groups(node)
            case Frame(fields):
                inner = [(key, param(MARK) if part == "cursor" else self.root(part)) for key, part in fields]
                return json_object(inner, self.names.next())
            case ById(row, key, shape, moment):
                of = self.names.of(row.table)
                if moment is None:
                    return self.chosen(shape, of, [of.c.id == param(key), *self._seen(row, of)])
                of_log = logged(self.names, text(row.table.name), param(key), moment)
                return kept(moment, self.chosen(shape, *as_of(self.names, row, param(key), moment, of_log)))
            case ByOther():
                return self._by_other(node)
            case ByIds():
                return self._by_ids(node)
            case Payload(fields):
                return json_object([(key, self._paid(part)) for key, part in fields], self.names.next())
            case Keyed(row, keys, shape):
                of = self.names.of(row.table)
                rows = sa.func.json_object_agg(sa.cast(of.c.id, sa.Text), self.object(shape, of))
                chosen = sa.select(rows).select_from(of).where(of.c.id == sa.any_(param(keys)), *self._seen(row, of))
                return chosen.correlate_except(of).scalar_subquery()

    # -- payloads -------------------------------------------------------------------------------------------------------

    def _paid(self, part: Constant | Told | ById | Results) -> Value:
        if isinstance(part, Told):
            return sa.cast(param(part.value), sa.JSON)
        if isinstance(part, Results):
            return self._results(part)
        if self._fresh_row is None or not isinstance(part, ById):
            return self.root(part)
        row = sa.table(self._fresh_row, *(sa.column(each.name, each.type) for each in part.row.table.c))
        of = self.names.of(row)
        return self.chosen(part.shape, of, self._seen(part.row, of))

    def _results(self, node: Results) -> Value:
        """A list of results: the keys' rows and what else is told, in their order."""
        keys = [sa.column(f"k{number}", sa.Uuid) for number in range(len(node.keys))]
        given = sa.func.unnest(*(param(slot) for slot in node.keys), param(node.told))
        named = (*keys, sa.column("told", sa.Text))
        result = given.table_valued(*named, with_ordinality="at").render_derived(name=self.names.next())
        told = sa.cast(result.c.told, sa.JSON)
        fields: list[tuple[str, Value]] = []
        for key, field in node.fields:
            if isinstance(field, Constant):
                fields.append((key, text(field.text)))
            elif field is None:
                fields.append((key, told.op("->", return_type=sa.JSON())(raw("'" + key + "'"))))
            else:
                of = self.names.of(field.row.table)
                conditions = [of.c.id == result.c[f"k{field.number}"], *self._seen(field.row, of)]
                fields.append((key, self.chosen(field.shape, of, conditions)))
        one = json_object(fields, self.names.next())
        listed = sa.func.coalesce(sa.func.json_agg(aggregate_order_by(one, result.c.at)), EMPTY_LIST)
        return sa.select(listed).select_from(result).correlate_except(result).scalar_subquery()

    def _seen(self, row: Row, of: sa.FromClause) -> list[Condition]:
        seen = row.declaration.scope.visible(of, self.names.binding)
        return [] if seen is None else [seen]

    def _by_other(self, node: ByOther) -> Value:
        other, of = self.names.of(node.found_by.table), self.names.of(node.row.table)
        conditions = [other.c[name] == param(slot) for name, slot in node.arguments]
        order = [
            other.c[name].desc() if direction == "desc" else other.c[name].asc()
            for name, direction in node.found_by.prefer
        ]
        found = sa.select(other.c[node.found_by.key]).select_from(other.join(of, of.c.id == other.c[node.found_by.key]))
        first = found.where(*conditions, *self._seen(node.row, of)).order_by(*order).limit(raw("1"))
        row = self.names.of(node.row.table)
        key = first.correlate_except(other, of, other.join(of, sa.true())).scalar_subquery()
        return self.chosen(node.shape, row, [row.c.id == key])

    def _by_ids(self, node: ByIds) -> Value:
        wanted = (
            sa.func.unnest(param(node.types), param(node.keys))
            .table_valued(sa.column("type", sa.Text), sa.column("key", sa.Uuid), with_ordinality="at")
            .render_derived(name=self.names.next())
        )
        if node.moment is not None:
            return self._by_id_then(node, wanted, node.moment)
        pairs = []
        for row, shape in node.shapes:
            of = self.names.of(row.table)
            found = self.chosen(shape, of, [of.c.id == wanted.c.key, *self._seen(row, of)])
            pairs.append((wanted.c.type == raw(f"'{row.declaration.prefix}'"), found))
        one = sa.case(*pairs)
        if node.single:
            return sa.select(one).select_from(wanted).correlate_except(wanted).scalar_subquery()
        listed = sa.func.coalesce(sa.func.json_agg(aggregate_order_by(one, wanted.c.at)), EMPTY_LIST)
        return sa.select(listed).select_from(wanted).correlate_except(wanted).scalar_subquery()

    def _by_id_then(self, node: ByIds, wanted: sa.FromClause, moment: Slot) -> Value:
        """The row of an id of any type, as it was at a moment."""
        types = [(wanted.c.type == text(row.declaration.prefix), row) for row, _ in node.shapes]
        table = sa.case(*((of, text(row.table.name)) for of, row in types))
        other, of_log = beside(self.names, logged(self.names, table, wanted.c.key, moment))
        pairs = [
            (of, self.chosen(shape, *as_of(self.names, row, wanted.c.key, moment, of_log)))
            for (of, row), (_, shape) in zip(types, node.shapes, strict=True)
        ]
        one = sa.select(sa.case(*pairs)).select_from(wanted, other).correlate_except(wanted, other)
        return kept(moment, one.scalar_subquery())

    # -- groups ---------------------------------------------------------------------------------------------------------

    def _groups(self, node: Groups) -> Value:
        """Groups: a first level by keys (and currency), folded by keys, ordered and cut, then gathered."""
        source = Source(self.names, self.names.of(node.row.table), grouped=True)
        conditions = self._seen(node.row, source.row)
        conditions += [condition(source, node.where)] if node.where != All(()) else []
        conditions += [found_by(node.search, source.row)] if node.search else []
        scan = Scan(source.row)
        trees = {
            id(part): Tree.of(scan, part)
            for _, nodes in node.parts
            if isinstance(nodes, GroupNodes)
            for _, part in nodes.fields
            if isinstance(part, Stats)
        }
        count = scan.take(sa.func.count())
        keys = [self._group_value(key, source.row).label(f"k${at}") for at, key in enumerate(node.keys)]
        currency = [source.row.c.currency.label("currency$")] if scan.by_currency else []
        by = [key.element for key in keys] + [each.element for each in currency]
        first = sa.select(*keys, *currency, *scan.columns).select_from(source.tables()).where(*conditions).group_by(*by)
        level = first.correlate_except(*source.own()).subquery(self.names.next())
        return self._folded(node, trees, level, level.c[count])

    def _folded(self, node: Groups, trees: dict[int, Tree], level: sa.FromClause, count: Value) -> Value:
        keys = [level.c[f"k${at}"] for at in range(len(node.keys))]
        leaves = [leaf for tree in trees.values() for leaf in tree.leaves()]
        values = [leaf.value(level, self.names.next()).label(f"v${at}") for at, leaf in enumerate(leaves)]
        select = sa.select(*keys, sa.func.sum(count).label("n$"), *values).select_from(level).group_by(*keys)
        groups = select.correlate_except(level).cte(self.names.next())
        order = [groups.c[key.name].asc().nulls_last() for key in keys]
        order = [groups.c["n$"].desc(), *order] if node.by_count else order
        page = sa.select(groups).order_by(*order).limit(number(node.size)).subquery(self.names.next())
        at_hand = {id(leaf): page.c[f"v${at}"] for at, leaf in enumerate(leaves)}
        fields: list[tuple[str, Value]] = []
        for key, part in node.parts:
            if isinstance(part, Constant):
                fields.append((key, text(part.text)))
            elif isinstance(part, Total):
                fields.append((key, sa.select(sa.func.count()).select_from(groups).scalar_subquery()))
            else:
                one = self._group(part, node.keys, trees, at_hand, page)
                listed = sa.select(sa.func.coalesce(sa.func.json_agg(one), EMPTY_LIST)).select_from(page)
                fields.append((key, listed.correlate_except(page).scalar_subquery()))
        return json_object(fields, self.names.next())

    def _group(
        self,
        part: GroupNodes,
        keys: Sequence[GroupKey],
        trees: dict[int, Tree],
        values: Mapping[int, Value],
        page: sa.FromClause,
    ) -> Value:
        fields: list[tuple[str, Value]] = []
        for name, field in part.fields:
            if isinstance(field, Constant):
                fields.append((name, text(field.text)))
            elif isinstance(field, Stats):
                fields.append((name, trees[id(field)].object(values, self.names.next)))
            else:
                fields.append((name, self._group_key(field, keys, page)))
        return json_object(fields, self.names.next())

    def _group_key(self, part: GroupKeyFields, keys: Sequence[GroupKey], page: sa.FromClause) -> Value:
        fields: list[tuple[str, Value]] = []
        for name, field in part.fields:
            if isinstance(field, Constant):
                fields.append((name, text(field.text)))
            elif field is None:
                fields.append((name, raw("null")))
            else:
                fields.append((name, keys[field].column.wire.read(page.c[f"k${field}"])))
        return json_object(fields, self.names.next())

    def _group_value(self, key: GroupKey, row: sa.FromClause) -> Value:
        value = row.c[key.column.column.name]
        if key.bucket is None:
            return value
        span = raw(f"'{key.bucket}'")
        if key.column.wire.name == "Date":
            return sa.cast(sa.func.date_trunc(span, sa.cast(value, sa.DateTime())), sa.Date)
        zone = raw("'UTC'") if key.timezone is None else param(key.timezone)
        return sa.func.date_trunc(span, value, zone)
