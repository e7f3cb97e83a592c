"""Compiles a plan to a statement: its roots as SQL, its text and the order of its parameters.

Every SELECT that answers a client is built in this package."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from hub.db.change_log import LAST_POSITION
from hub.db.sql_text import DIALECT
from hub.engine.plan.nodes import (
    ChangesPlan,
    ConnectionPlan,
    Constant,
    Groups,
    LivePayload,
    Nodes,
    ObjectSelection,
    Payload,
    Plan,
    ResolvedInPython,
    RootNode,
    RowById,
    RowByLookup,
    RowsByIds,
    RowsByKeys,
)
from hub.engine.plan.parameters import ExecutionContext, Parameter, ViewerArgument
from hub.engine.sql.changes import PREVIOUS_CURSOR, RUNTIME_PARAMETERS, ChangesCompiler
from hub.engine.sql.conditions import row_visibility
from hub.engine.sql.expressions import (
    EMPTY_LIST,
    AliasGenerator,
    Value,
    json_object,
    param,
    sql_literal,
    text,
)
from hub.engine.sql.groups import compile_groups
from hub.engine.sql.history import as_of, lateral_as_of, lookup_as_of, require_retention
from hub.engine.sql.payloads import compile_payload
from hub.engine.sql.selections import SelectionCompiler
from hub.model import scopes
from hub.model.scopes import RIGHT_PREFIX
from hub.rights import Rights

ABSENT_KEY = sql_literal(f"'{UUID(int=0)}'::uuid")  # of no row
# The parameters that the predicates of scopes name (hub/model/scopes.py), but for those of roles, and those of changes.
STANDARD_PARAMETERS = (
    *RUNTIME_PARAMETERS,
    Parameter("viewer_unit", sa.Uuid(), ViewerArgument("viewer_unit")),
    Parameter("viewer_units", ARRAY(sa.Uuid()), ViewerArgument("viewer_units")),
    Parameter("viewer_customer", sa.Uuid(), ViewerArgument("viewer_customer")),
    Parameter("viewer_key", sa.Uuid(), ViewerArgument("viewer_key")),
    Parameter("viewer_admin", sa.Boolean(), ViewerArgument("viewer_admin")),
    Parameter("viewer_roles", ARRAY(sa.Text()), ViewerArgument("viewer_roles")),
    Parameter("viewer_staff", sa.Uuid(), ViewerArgument("viewer_staff")),
    Parameter("viewer_reads_people", sa.Boolean(), ViewerArgument("viewer_reads_people")),
)


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """The text of a plan and its parameters in their order; `custom_plan`: Postgres plans it anew at each execution.

    `validated_only` are parameters that the text does not use: a bad cursor is an error even if only the count is selected."""

    text: str
    parameters: tuple[Parameter, ...]
    validated_only: tuple[Parameter, ...]
    custom_plan: bool

    def bind(self, context: ExecutionContext) -> list[Any]:
        """The arguments of an execution; raises BadInput for values that do not fit."""
        for parameter in self.validated_only:
            parameter.evaluate(context)
        return [parameter.evaluate(context) for parameter in self.parameters]

    def named_keys(self, context: ExecutionContext) -> set[UUID]:
        """The keys of rows that the arguments name."""
        values = [parameter.evaluate(context) for parameter in self.parameters if parameter.names_rows]
        return {key for value in values for key in (value if isinstance(value, list) else (value,)) if key is not None}


def compile_plan(plan: Plan, rights: Rights, inserted_row: str | None = None) -> CompiledStatement:
    """The statement of a plan for viewers with these rights; `inserted_row` names a row set that has the payload's row."""
    compiler = RootCompiler(AliasGenerator(rights), inserted_row)
    roots = [(key, compiler.root(node)) for key, node in plan.roots]
    return _compile_select(sa.select(json_object(roots, compiler.aliases.next())), plan)


def compile_changes(plan: Plan, rights: Rights, customer_prefix: str) -> CompiledStatement:
    """The statement of a plan whose only root is `changes`: rows of positions and messages (see changes.py)."""
    ((_, changes),) = plan.roots
    assert isinstance(changes, ChangesPlan)
    aliases = AliasGenerator(rights)
    return _compile_select(
        ChangesCompiler(aliases, SelectionCompiler(aliases), customer_prefix, plan.resolver_tree is not None).select(
            changes
        ),
        plan,
    )


def compile_rows(plan: Plan, rights: Rights) -> CompiledStatement:
    """The statement of a plan whose only root is a list of nodes: all its rows in order, one JSON object for each."""
    ((_, connection),) = plan.roots
    assert isinstance(connection, ConnectionPlan)
    ((_, nodes),) = connection.parts
    assert isinstance(nodes, Nodes)
    assert isinstance(nodes.selection, ObjectSelection)
    return _compile_select(SelectionCompiler(AliasGenerator(rights)).rows(connection, nodes.selection), plan)


def compile_live(plan: Plan, rights: Rights) -> CompiledStatement:
    """The statement of a live query: its answer, and the last position in the same snapshot."""
    ((_, live_payload),) = plan.roots
    assert isinstance(live_payload, LivePayload)
    return _compile_select(sa.select(RootCompiler(AliasGenerator(rights)).root(live_payload), LAST_POSITION), plan)


def _compile_select(select: sa.Select[Any], plan: Plan) -> CompiledStatement:
    compiled = select.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    parameters = {parameter.name: parameter for parameter in (*STANDARD_PARAMETERS, *plan.parameters)}
    names: Sequence[str] = compiled.positiontup or ()
    of_roles = dict.fromkeys(name for name in names if name.startswith(RIGHT_PREFIX))
    parameters |= {name: Parameter(name, sa.types.NULLTYPE, ViewerArgument(name)) for name in of_roles}
    validated_only = tuple(parameter for parameter in plan.parameters if parameter.name not in names)
    return CompiledStatement(str(compiled), tuple(parameters[name] for name in names), validated_only, plan.custom_plan)


class RootCompiler(SelectionCompiler):
    """Compiles the roots of a statement."""

    def __init__(self, aliases: AliasGenerator, inserted_row: str | None = None) -> None:
        super().__init__(aliases)
        self._inserted_row = inserted_row

    def root(self, node: RootNode | RowsByKeys | ChangesPlan) -> Value:
        """The JSON of a root."""
        assert not isinstance(node, ChangesPlan)  # compile_changes compiles it
        match node:
            case Constant(constant):
                return text(constant)
            case ResolvedInPython():
                return sql_literal("null")
            case ConnectionPlan():
                return self.connection(node, None)
            case Groups():
                return compile_groups(node, self.aliases)
            case LivePayload(fields):
                inner = [(key, param(PREVIOUS_CURSOR) if part == "cursor" else self.root(part)) for key, part in fields]
                return json_object(inner, self.aliases.next())
            case RowById(entity, key, selection, timestamp):
                alias = self.aliases.for_table(entity.table)
                if timestamp is None:
                    return self.select_row(
                        selection, alias, [alias.c.id == param(key), *row_visibility(self.aliases, entity, alias)]
                    )
                images = lookup_as_of(self.aliases, text(entity.table.name), param(key), timestamp)
                return require_retention(
                    timestamp, self.select_row(selection, *as_of(self.aliases, entity, param(key), timestamp, images))
                )
            case RowByLookup():
                return self._row_by_lookup(node)
            case RowsByIds():
                return self._rows_by_ids(node)
            case Payload():
                return compile_payload(node, self, self._inserted_row)
            case RowsByKeys(entity, keys, selection):
                alias = self.aliases.for_table(entity.table)
                rows = sa.func.json_object_agg(sa.cast(alias.c.id, sa.Text), self.object(selection, alias))
                select = (
                    sa.select(rows)
                    .select_from(alias)
                    .where(alias.c.id == sa.any_(param(keys)), *row_visibility(self.aliases, entity, alias))
                )
                return select.correlate_except(alias).scalar_subquery()

    def _row_by_lookup(self, node: RowByLookup) -> Value:
        lookup_row, matches = self._lookup_matches(node)
        order = [
            lookup_row.c[name].desc() if direction == "desc" else lookup_row.c[name].asc()
            for name, direction in node.lookup.prefer
        ]
        first, scope, limit = matches.order_by(*order), node.unscoped, sql_literal("1")
        row = self.aliases.for_table(node.entity.table)
        if scope is None:
            return self.select_row(node.selection, row, [row.c.id == first.limit(limit).scalar_subquery()])
        # Where values need the scope, two different keys are an error of the statement, AMBIGUOUS_LOOKUP in db/pool.py.
        needs_scope = param(dict(node.arguments)[scope.column]).in_([text(value) for value in scope.values])
        keys = first.limit(sa.case((needs_scope, sa.null()), else_=limit)).subquery(self.aliases.next())
        different = sa.select(keys.c[node.lookup.key]).distinct().correlate_except(keys)
        return self.select_row(node.selection, row, [row.c.id == different.scalar_subquery()])

    def _lookup_matches(self, node: RowByLookup) -> tuple[sa.FromClause, "sa.Select[Any]"]:
        """The rows of a lookup's table that match its arguments, and a query of the keys that they refer to."""
        lookup_row, target = self.aliases.for_table(node.lookup.table), self.aliases.for_table(node.entity.table)
        key, rights = lookup_row.c[node.lookup.key], self.aliases.rights
        matching = sa.and_(*(lookup_row.c[name] == param(parameter) for name, parameter in node.arguments))
        target_visible = row_visibility(self.aliases, node.entity, target)
        visible = scopes.visible(node.lookup.table, lookup_row, rights) if rights.narrowed else None
        if not target_visible:
            joined = lookup_row.join(target, target.c.id == key)
            conditions = [matching] if visible is None else [matching, visible]
            return lookup_row, sa.select(key).select_from(joined).where(*conditions).correlate_except(joined)
        # A target is looked for even where nothing matches, so that a hidden row takes as long as an absent one. What else
        # hides the match is asked when the target is visible.
        always = sa.select(sql_literal("1")).subquery(self.aliases.next())
        joined = always.outerjoin(lookup_row, matching).join(target, target.c.id == sa.func.coalesce(key, ABSENT_KEY))
        conditions = [*target_visible, *([] if visible is None else [sa.case((target.c.id.is_not(None), visible))])]
        return lookup_row, sa.select(key).select_from(joined).where(*conditions).correlate_except(joined)

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
            row_json = self.select_row(
                selection, alias, [alias.c.id == ids.c.key, *row_visibility(self.aliases, entity, alias)]
            )
            pairs.append((ids.c.type == sql_literal(f"'{entity.declaration.prefix}'"), row_json))
        any_row_json = sa.case(*pairs)
        if node.single:
            return sa.select(any_row_json).select_from(ids).correlate_except(ids).scalar_subquery()
        rows = sa.func.coalesce(sa.func.json_agg(aggregate_order_by(any_row_json, ids.c.ordinality)), EMPTY_LIST)
        return sa.select(rows).select_from(ids).correlate_except(ids).scalar_subquery()

    def _row_by_id_as_of(self, node: RowsByIds, ids: sa.FromClause, timestamp: Parameter) -> Value:
        """The row of an id of any type, as it was at a time."""
        types = [(ids.c.type == text(entity.declaration.prefix), entity) for entity, _ in node.selections]
        table_name = sa.case(*((matches_type, text(entity.table.name)) for matches_type, entity in types))
        lateral, images = lateral_as_of(self.aliases, lookup_as_of(self.aliases, table_name, ids.c.key, timestamp))
        pairs = [
            (matches_type, self.select_row(selection, *as_of(self.aliases, entity, ids.c.key, timestamp, images)))
            for (matches_type, entity), (_, selection) in zip(types, node.selections, strict=True)
        ]
        row_json = sa.select(sa.case(*pairs)).select_from(ids, lateral).correlate_except(ids, lateral)
        return require_retention(timestamp, row_json.scalar_subquery())
