"""Makes a plan into a statement: the roots as SQL, the text, and the order of its parameters.

Here and in selections.py with its helpers is every SELECT that answers a client."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from hub.db.sql_text import DIALECT
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.plan.nodes import (
    BulkResults,
    ChangesPlan,
    ConnectionPlan,
    Constant,
    GroupKey,
    GroupKeyFields,
    GroupNodes,
    Groups,
    LiteralValue,
    LivePayload,
    Payload,
    Plan,
    ResolvedInPython,
    RootNode,
    RowById,
    RowByLookup,
    RowsByIds,
    RowsByKeys,
    Stats,
    TotalCount,
)
from hub.engine.plan.predicates import And, ExecutionContext, Parameter
from hub.engine.sql.aggregates import AggregateScan, StatsTree
from hub.engine.sql.changes import PREVIOUS_CURSOR, RUNTIME_PARAMETERS, ChangesCompiler
from hub.engine.sql.conditions import condition, search_condition
from hub.engine.sql.connections import limit_expression
from hub.engine.sql.expressions import (
    EMPTY_LIST,
    AliasGenerator,
    Condition,
    SelectSource,
    Value,
    json_object,
    param,
    sql_literal,
    text,
)
from hub.engine.sql.history import as_of, lateral_as_of, lookup_as_of, require_retention
from hub.engine.sql.selections import SelectionCompiler
from hub.viewer import Binding

CURRENT_POSITION_SQL = (
    "coalesce((select max(position) from change_order), (select least_position - 1 from change_feed))"
)


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """The text of a plan and how its arguments are found in a run; `custom_plan`: planned anew at every run.

    `validated_only` are values that the text has no place for: a bad cursor is bad even where only the count is asked for."""

    text: str
    arguments: tuple[Callable[[ExecutionContext], Any], ...]
    validated_only: tuple[Callable[[ExecutionContext], Any], ...]
    custom_plan: bool

    def bind(self, context: ExecutionContext) -> list[Any]:
        """The arguments of a run; raises BadInput for values that do not fit."""
        for value in self.validated_only:
            value(context)
        return [argument(context) for argument in self.arguments]


def compile_plan(plan: Plan, binding: Binding, inserted_row: str | None = None) -> CompiledStatement:
    """The statement of a plan for viewers of a binding; `inserted_row` names where a payload's row is, if not in its table."""
    compiler = RootCompiler(AliasGenerator(binding), inserted_row)
    roots = [(key, compiler.root(node)) for key, node in plan.roots]
    return _compile_select(sa.select(json_object(roots, compiler.aliases.next())), plan)


def compile_changes(plan: Plan, binding: Binding, customer_prefix: str) -> CompiledStatement:
    """The statement of a plan whose one root is `changes`: rows of positions and messages (changes.py)."""
    ((_, changes),) = plan.roots
    assert isinstance(changes, ChangesPlan)
    aliases = AliasGenerator(binding)
    return _compile_select(
        ChangesCompiler(aliases, SelectionCompiler(aliases), customer_prefix, plan.resolver_tree is not None).select(
            changes
        ),
        plan,
    )


def compile_live(plan: Plan, binding: Binding) -> CompiledStatement:
    """The statement of a live query: its answer, and the last position that the same snapshot shows."""
    ((_, live_payload),) = plan.roots
    assert isinstance(live_payload, LivePayload)
    return _compile_select(
        sa.select(RootCompiler(AliasGenerator(binding)).root(live_payload), sql_literal(CURRENT_POSITION_SQL)), plan
    )


def _compile_select(select: sa.Select[Any], plan: Plan) -> CompiledStatement:
    compiled = select.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    sources: dict[str, Callable[[ExecutionContext], Any]] = {
        parameter.name: parameter.evaluate for parameter in (*RUNTIME_PARAMETERS, *plan.parameters)
    }
    sources["viewer_unit"] = lambda context: context.viewer.unit_ids[0]
    sources["viewer_units"] = lambda context: context.viewer.unit_ids
    sources["viewer_customer"] = lambda context: context.viewer.customer_id
    sources["viewer_key"] = lambda context: context.viewer.key_id
    parameter_names: Sequence[str] = compiled.positiontup or ()
    validated_only = tuple(parameter.evaluate for parameter in plan.parameters if parameter.name not in parameter_names)
    return CompiledStatement(
        str(compiled), tuple(sources[name] for name in parameter_names), validated_only, plan.custom_plan
    )


class RootCompiler(SelectionCompiler):
    """Writes the roots of a statement."""

    def __init__(self, aliases: AliasGenerator, inserted_row: str | None = None) -> None:
        super().__init__(aliases)
        self._inserted_row = inserted_row

    def root(self, node: RootNode | RowsByKeys | ChangesPlan) -> Value:
        """The JSON of a root."""
        assert not isinstance(node, ChangesPlan)  # which is a statement of its own
        match node:
            case Constant(constant):
                return text(constant)
            case ResolvedInPython():
                return sql_literal("null")
            case ConnectionPlan():
                return self.connection(node, None)
            case Groups():
                return self._groups(node)
            case LivePayload(fields):
                inner = [(key, param(PREVIOUS_CURSOR) if part == "cursor" else self.root(part)) for key, part in fields]
                return json_object(inner, self.aliases.next())
            case RowById(entity, key, selection, timestamp):
                alias = self.aliases.for_table(entity.table)
                if timestamp is None:
                    return self.select_row(
                        selection, alias, [alias.c.id == param(key), *self._visibility(entity, alias)]
                    )
                images = lookup_as_of(self.aliases, text(entity.table.name), param(key), timestamp)
                return require_retention(
                    timestamp, self.select_row(selection, *as_of(self.aliases, entity, param(key), timestamp, images))
                )
            case RowByLookup():
                return self._row_by_lookup(node)
            case RowsByIds():
                return self._rows_by_ids(node)
            case Payload(fields):
                return json_object([(key, self._payload_part(part)) for key, part in fields], self.aliases.next())
            case RowsByKeys(entity, keys, selection):
                alias = self.aliases.for_table(entity.table)
                rows = sa.func.json_object_agg(sa.cast(alias.c.id, sa.Text), self.object(selection, alias))
                select = (
                    sa.select(rows)
                    .select_from(alias)
                    .where(alias.c.id == sa.any_(param(keys)), *self._visibility(entity, alias))
                )
                return select.correlate_except(alias).scalar_subquery()

    # -- payloads -------------------------------------------------------------------------------------------------------

    def _payload_part(self, part: Constant | LiteralValue | RowById | BulkResults) -> Value:
        if isinstance(part, LiteralValue):
            return sa.cast(param(part.value), sa.JSON)
        if isinstance(part, BulkResults):
            return self._results(part)
        if self._inserted_row is None or not isinstance(part, RowById):
            return self.root(part)
        inserted = sa.table(
            self._inserted_row, *(sa.column(column.name, column.type) for column in part.entity.table.c)
        )
        alias = self.aliases.for_table(inserted)
        return self.select_row(part.selection, alias, self._visibility(part.entity, alias))

    def _results(self, node: BulkResults) -> Value:
        """A list of results: the keys' rows and what else is told, in their order."""
        keys = [sa.column(f"k{index}", sa.Uuid) for index in range(len(node.keys))]
        arrays = sa.func.unnest(*(param(parameter) for parameter in node.keys), param(node.values))
        columns = (*keys, sa.column("literals", sa.Text))
        result = arrays.table_valued(*columns, with_ordinality="ordinality").render_derived(name=self.aliases.next())
        literals = sa.cast(result.c.literals, sa.JSON)
        fields: list[tuple[str, Value]] = []
        for key, field in node.fields:
            if isinstance(field, Constant):
                fields.append((key, text(field.text)))
            elif field is None:
                fields.append((key, literals.op("->", return_type=sa.JSON())(sql_literal("'" + key + "'"))))
            else:
                alias = self.aliases.for_table(field.entity.table)
                conditions = [alias.c.id == result.c[f"k{field.key_index}"], *self._visibility(field.entity, alias)]
                fields.append((key, self.select_row(field.selection, alias, conditions)))
        result_json = json_object(fields, self.aliases.next())
        results = sa.func.coalesce(sa.func.json_agg(aggregate_order_by(result_json, result.c.ordinality)), EMPTY_LIST)
        return sa.select(results).select_from(result).correlate_except(result).scalar_subquery()

    def _visibility(self, entity: CatalogEntity, alias: sa.FromClause) -> list[Condition]:
        predicate = entity.declaration.scope.predicate(alias, self.aliases.binding)
        return [] if predicate is None else [predicate]

    def _row_by_lookup(self, node: RowByLookup) -> Value:
        lookup_row, target = self.aliases.for_table(node.lookup.table), self.aliases.for_table(node.entity.table)
        conditions = [lookup_row.c[name] == param(parameter) for name, parameter in node.arguments]
        order = [
            lookup_row.c[name].desc() if direction == "desc" else lookup_row.c[name].asc()
            for name, direction in node.lookup.prefer
        ]
        matches = sa.select(lookup_row.c[node.lookup.key]).select_from(
            lookup_row.join(target, target.c.id == lookup_row.c[node.lookup.key])
        )
        first_match = (
            matches.where(*conditions, *self._visibility(node.entity, target)).order_by(*order).limit(sql_literal("1"))
        )
        row = self.aliases.for_table(node.entity.table)
        key = first_match.correlate_except(lookup_row, target, lookup_row.join(target, sa.true())).scalar_subquery()
        return self.select_row(node.selection, row, [row.c.id == key])

    def _rows_by_ids(self, node: RowsByIds) -> Value:
        ids = (
            sa.func.unnest(param(node.types), param(node.keys))
            .table_valued(sa.column("type", sa.Text), sa.column("key", sa.Uuid), with_ordinality="ordinality")
            .render_derived(name=self.aliases.next())
        )
        if node.as_of is not None:
            return self._row_by_id_as_of(node, ids, node.as_of)
        pairs = []
        for entity, selection in node.selections:
            alias = self.aliases.for_table(entity.table)
            row_json = self.select_row(selection, alias, [alias.c.id == ids.c.key, *self._visibility(entity, alias)])
            pairs.append((ids.c.type == sql_literal(f"'{entity.declaration.prefix}'"), row_json))
        any_row_json = sa.case(*pairs)
        if node.single:
            return sa.select(any_row_json).select_from(ids).correlate_except(ids).scalar_subquery()
        rows = sa.func.coalesce(sa.func.json_agg(aggregate_order_by(any_row_json, ids.c.ordinality)), EMPTY_LIST)
        return sa.select(rows).select_from(ids).correlate_except(ids).scalar_subquery()

    def _row_by_id_as_of(self, node: RowsByIds, ids: sa.FromClause, timestamp: Parameter) -> Value:
        """The row of an id of any type, as it was at a moment."""
        types = [(ids.c.type == text(entity.declaration.prefix), entity) for entity, _ in node.selections]
        table_name = sa.case(*((matches_type, text(entity.table.name)) for matches_type, entity in types))
        lateral, images = lateral_as_of(self.aliases, lookup_as_of(self.aliases, table_name, ids.c.key, timestamp))
        pairs = [
            (matches_type, self.select_row(selection, *as_of(self.aliases, entity, ids.c.key, timestamp, images)))
            for (matches_type, entity), (_, selection) in zip(types, node.selections, strict=True)
        ]
        row_json = sa.select(sa.case(*pairs)).select_from(ids, lateral).correlate_except(ids, lateral)
        return require_retention(timestamp, row_json.scalar_subquery())

    # -- groups ---------------------------------------------------------------------------------------------------------

    def _groups(self, node: Groups) -> Value:
        """Groups: a first level by keys (and currency), folded by keys, ordered and cut, then gathered."""
        source = SelectSource(self.aliases, self.aliases.for_table(node.entity.table), grouped=True)
        conditions = self._visibility(node.entity, source.row)
        conditions += [condition(source, node.where)] if node.where != And(()) else []
        conditions += [search_condition(node.search, source.row)] if node.search else []
        scan = AggregateScan(source.row)
        trees = {
            id(part): StatsTree.for_stats(scan, part)
            for _, nodes in node.parts
            if isinstance(nodes, GroupNodes)
            for _, part in nodes.fields
            if isinstance(part, Stats)
        }
        count = scan.add_column(sa.func.count())
        keys = [self._group_expression(key, source.row).label(f"k${index}") for index, key in enumerate(node.keys)]
        currency = [source.row.c.currency.label("currency$")] if scan.by_currency else []
        group_by = [key.element for key in keys] + [column.element for column in currency]
        scan_select = (
            sa.select(*keys, *currency, *scan.columns)
            .select_from(source.tables())
            .where(*conditions)
            .group_by(*group_by)
        )
        scan_rows = scan_select.correlate_except(*source.own()).subquery(self.aliases.next())
        return self._aggregate_groups(node, trees, scan_rows, scan_rows.c[count])

    def _aggregate_groups(
        self, node: Groups, trees: dict[int, StatsTree], scan_rows: sa.FromClause, count: Value
    ) -> Value:
        keys = [scan_rows.c[f"k${index}"] for index in range(len(node.keys))]
        leaves = [leaf for tree in trees.values() for leaf in tree.leaves()]
        values = [leaf.value(scan_rows, self.aliases.next()).label(f"v${index}") for index, leaf in enumerate(leaves)]
        select = sa.select(*keys, sa.func.sum(count).label("n$"), *values).select_from(scan_rows).group_by(*keys)
        groups = select.correlate_except(scan_rows).cte(self.aliases.next())
        order = [groups.c[key.name].asc().nulls_last() for key in keys]
        order = [groups.c["n$"].desc(), *order] if node.by_count else order
        page = sa.select(groups).order_by(*order).limit(limit_expression(node.size)).subquery(self.aliases.next())
        values_by_leaf = {id(leaf): page.c[f"v${index}"] for index, leaf in enumerate(leaves)}
        fields: list[tuple[str, Value]] = []
        for key, part in node.parts:
            if isinstance(part, Constant):
                fields.append((key, text(part.text)))
            elif isinstance(part, TotalCount):
                fields.append((key, sa.select(sa.func.count()).select_from(groups).scalar_subquery()))
            else:
                group_json = self._group_object(part, node.keys, trees, values_by_leaf, page)
                group_list = sa.select(sa.func.coalesce(sa.func.json_agg(group_json), EMPTY_LIST)).select_from(page)
                fields.append((key, group_list.correlate_except(page).scalar_subquery()))
        return json_object(fields, self.aliases.next())

    def _group_object(
        self,
        part: GroupNodes,
        keys: Sequence[GroupKey],
        trees: dict[int, StatsTree],
        values: Mapping[int, Value],
        page: sa.FromClause,
    ) -> Value:
        fields: list[tuple[str, Value]] = []
        for name, field in part.fields:
            if isinstance(field, Constant):
                fields.append((name, text(field.text)))
            elif isinstance(field, Stats):
                fields.append((name, trees[id(field)].object(values, self.aliases.next)))
            else:
                fields.append((name, self._group_key_object(field, keys, page)))
        return json_object(fields, self.aliases.next())

    def _group_key_object(self, part: GroupKeyFields, keys: Sequence[GroupKey], page: sa.FromClause) -> Value:
        fields: list[tuple[str, Value]] = []
        for name, field in part.fields:
            if isinstance(field, Constant):
                fields.append((name, text(field.text)))
            elif field is None:
                fields.append((name, sql_literal("null")))
            else:
                fields.append((name, keys[field].column.scalar.to_json(page.c[f"k${field}"])))
        return json_object(fields, self.aliases.next())

    def _group_expression(self, key: GroupKey, row: sa.FromClause) -> Value:
        value = row.c[key.column.column.name]
        if key.bucket is None:
            return value
        bucket = sql_literal(f"'{key.bucket}'")
        if key.column.scalar.name == "Date":
            return sa.cast(sa.func.date_trunc(bucket, sa.cast(value, sa.DateTime())), sa.Date)
        timezone = sql_literal("'UTC'") if key.timezone is None else param(key.timezone)
        return sa.func.date_trunc(bucket, value, timezone)
