"""Compiles mutation payloads: the rows and values that a command's outcome names, alone or for each row of a bulk."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from hub.engine.plan.nodes import BulkResults, ConnectionPlan, Constant, LiteralValue, Payload, RowById
from hub.engine.sql.conditions import row_visibility
from hub.engine.sql.expressions import EMPTY_LIST, Value, json_object, param, sql_literal, text
from hub.engine.sql.selections import SelectionCompiler


def compile_payload(payload: Payload, compiler: SelectionCompiler, inserted_row: str | None) -> Value:
    """The JSON of a payload; `inserted_row` names the row set that holds its row, if that is not the row's table."""
    fields = [(key, _payload_field(part, compiler, inserted_row)) for key, part in payload.fields]
    return json_object(fields, compiler.aliases.next())


def _payload_field(
    part: Constant | LiteralValue | RowById | ConnectionPlan | BulkResults | Payload,
    compiler: SelectionCompiler,
    inserted_row: str | None,
) -> Value:
    match part:
        case Constant(constant):
            return text(constant)
        case LiteralValue(value):
            return sa.cast(param(value), sa.JSON)
        case Payload():
            return compile_payload(part, compiler, inserted_row)
        case ConnectionPlan():
            return compiler.connection(part, None)
        case BulkResults():
            return _bulk_results(part, compiler)
        case RowById(entity, key, selection):
            if inserted_row is None:
                row = compiler.aliases.for_table(entity.table)
                conditions = [row.c.id == param(key), *row_visibility(compiler.aliases, entity, row)]
                return compiler.select_row(selection, row, conditions)
            columns = (sa.column(column.name, column.type) for column in entity.table.c)
            row = compiler.aliases.for_table(sa.table(inserted_row, *columns))
            return compiler.select_row(selection, row, row_visibility(compiler.aliases, entity, row))


def _bulk_results(node: BulkResults, compiler: SelectionCompiler) -> Value:
    """The list of results in the order of the input rows: the rows of their keys, and the values beside them."""
    keys = [sa.column(f"k{index}", sa.Uuid) for index in range(len(node.keys))]
    arrays = sa.func.unnest(*(param(parameter) for parameter in node.keys), param(node.values))
    columns = (*keys, sa.column("literals", sa.Text))
    result = arrays.table_valued(*columns, with_ordinality="ordinality").render_derived(name=compiler.aliases.next())
    literals = sa.cast(result.c.literals, sa.JSON)
    fields: list[tuple[str, Value]] = []
    for key, field in node.fields:
        if isinstance(field, Constant):
            fields.append((key, text(field.text)))
        elif field is None:
            fields.append((key, literals.op("->", return_type=sa.JSON())(sql_literal("'" + key + "'"))))
        else:
            row = compiler.aliases.for_table(field.entity.table)
            visible = row_visibility(compiler.aliases, field.entity, row)
            conditions = [row.c.id == result.c[f"k{field.key_index}"], *visible]
            fields.append((key, compiler.select_row(field.selection, row, conditions)))
    result_json = json_object(fields, compiler.aliases.next())
    results = sa.func.coalesce(sa.func.json_agg(aggregate_order_by(result_json, result.c.ordinality)), EMPTY_LIST)
    return sa.select(results).select_from(result).correlate_except(result).scalar_subquery()
