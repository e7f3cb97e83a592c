"""Which GraphQL inputs a catalog gives rise to: filters, orders, groupings.

What they mean is plan/filters.py's and plan/list_nodes.py's."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, CatalogEntity, ColumnField, with_article
from hub.engine.catalog.scalars import ScalarType
from hub.engine.graphql_types.type_factory import FieldSpec, TypeFactory
from hub.model.declarations import ToMany, ToOne

TIME_BUCKETS = ("HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
AGGREGATE_FUNCTIONS = {
    "COUNT": "How many rows.",
    "SUM": "The sum; 0 without rows.",
    "AVG": "The average.",
    "MIN": "The least value.",
    "MAX": "The greatest value.",
}
OPERATORS = {
    "eq": "Equal to it.",
    "ne": "Not equal to it; also met by null.",
    "in": "Equal to one of them.",
    "notIn": "Equal to none of them; also met by null.",
    "lt": "Less, or earlier.",
    "lte": "Less, earlier, or equal.",
    "gt": "Greater, or later.",
    "gte": "Greater, later, or equal.",
    "contains": "Holds this text, whatever its case and accents.",
    "startsWith": "Begins with this text, whatever its case and accents.",
    "withinLast": "Not longer ago than this, and not in the future.",
    "olderThan": "Longer ago than this.",
    "isNull": "Whether it is empty.",
}
JSON_OPERATORS = (
    FieldSpec("path", "list[str]", "Keys from the outside in; a number picks from a list."),
    FieldSpec("eq", "Json | None", "Equal to this JSON value."),
    FieldSpec("ne", "Json | None", "Not equal to it; also met when nothing is there."),
    FieldSpec("in", "list[Json] | None", "Equal to one of them."),
    FieldSpec("lt", "Amount | None", "A number less than this."),
    FieldSpec("lte", "Amount | None", "A number not greater than this."),
    FieldSpec("gt", "Amount | None", "A number greater than this."),
    FieldSpec("gte", "Amount | None", "A number not less than this."),
    FieldSpec("contains", "str | None", "A text that holds this one, whatever its case and accents."),
    FieldSpec("isNull", "bool | None", "Whether nothing, or null, is there."),
)


def non_null_annotation(column: ColumnField) -> str:
    """A column's type as annotation text, without null."""
    return _annotation_text(column.scalar)


def annotation_of(python_type: Any) -> str:
    """A Python type as annotation text; raises TypeError for one that has no wire."""
    return _annotation_text(scalars.scalar_of(python_type))


def _annotation_text(scalar: ScalarType) -> str:
    annotations = {
        "String": "str",
        "Int": "int",
        "Boolean": "bool",
        "Decimal": "Amount",
        "Money": "Amount",
        "JSON": "Json",
    }
    return annotations.get(scalar.name, scalar.name)


def annotation(column: ColumnField) -> str:
    """A column's type as annotation text."""
    return _annotation_text(column.scalar) + (" | None" if column.nullable else "")


def groupable(entity: CatalogEntity) -> list[ColumnField]:
    """Columns that rows can be grouped by: everything that comes in classes or times."""
    return [
        column
        for column in entity.filterable.values()
        if column.name != "version" and column.scalar.name not in ("Decimal", "Money", "JSON")
    ]


def _filter_name(scalar: ScalarType) -> str:
    return "DecimalFilter" if scalar.is_money else f"{scalar.name}Filter"


def _operator_spec(scalar: ScalarType, name: str) -> FieldSpec:
    value_type = _annotation_text(scalar)
    types = {
        "in": f"list[{value_type}]",
        "notIn": f"list[{value_type}]",
        "isNull": "bool",
        "contains": "str",
        "startsWith": "str",
    }
    types |= {"withinLast": "Duration", "olderThan": "Duration"}
    return FieldSpec(name, types.get(name, value_type) + " | None", OPERATORS[name])


def shared_inputs(factory: TypeFactory) -> None:
    """The inputs that no single row type owns."""
    for scalar in (scalars.ID, *dict.fromkeys(scalars.BY_PYTHON_TYPE.values())):
        if scalar.operators and not scalar.is_money:
            specs = [_operator_spec(scalar, operator) for operator in scalar.operators]
            factory.input(f"{scalar.name}Filter", f"Conditions on {with_article(scalar.name)}; all must hold.", specs)
    factory.input("JSONFilter", "Conditions on what stands at a path of a JSON value; all must hold.", JSON_OPERATORS)
    factory.enum("SortDirection", "Which end comes first.", [("ASC", "Least first."), ("DESC", "Greatest first.")])
    factory.enum(
        "TimeBucket", "Length of the spans that times are grouped in.", [(b, f"One {b.lower()}.") for b in TIME_BUCKETS]
    )
    factory.enum("AggregateFunction", "A figure over the rows of a list.", list(AGGREGATE_FUNCTIONS.items()))
    factory.enum("GroupOrder", "The order of groups.", [("KEY", "By their keys."), ("COUNT", "Largest first.")])


def enum(factory: TypeFactory, enum_class: type[Enum], description: str) -> None:
    """The enum type of a closed set, described by its docstring or else as given."""
    doc = (enum_class.__doc__ or "").strip()
    text = doc if doc and "\n" not in doc else description
    factory.value_enum(
        enum_class.__name__, text, [(member.value, str(getattr(member, "description", ""))) for member in enum_class]
    )


def _enums(factory: TypeFactory, entity: CatalogEntity) -> None:
    for column in entity.columns.values():
        enum_class = column.scalar.annotation
        if isinstance(enum_class, type) and issubclass(enum_class, Enum) and enum_class.__name__ not in factory.types:
            enum(factory, enum_class, str(column.column.comment))
            specs = [_operator_spec(column.scalar, operator) for operator in column.scalar.operators]
            factory.input(
                f"{enum_class.__name__}Filter",
                f"Conditions on {with_article(enum_class.__name__)}; all must hold.",
                specs,
            )


def _filter_specs(entity: CatalogEntity, catalog: Catalog) -> Iterator[FieldSpec]:
    yield FieldSpec("and", f"list[{entity.name}Filter] | None", "All of these must hold.")
    yield FieldSpec("or", f"list[{entity.name}Filter] | None", "One of these must hold.")
    yield FieldSpec("not", f"{entity.name}Filter | None", "This must not hold.")
    yield FieldSpec("id", "IDFilter | None", "Its id.")
    for column in entity.filterable.values():
        yield FieldSpec(column.name, f"{_filter_name(column.scalar)} | None", str(column.column.comment))
    for name, link in entity.links.items():
        if isinstance(link, ToOne):
            yield FieldSpec(name, f"{link.target.__name__}Filter | None", f"{link.description} It must be there.")
        elif isinstance(link, ToMany):
            yield FieldSpec(name, f"{link.target.__name__}ListFilter | None", link.description)


def _list_filter(factory: TypeFactory, entity: CatalogEntity) -> None:
    numbers = [column for column in entity.aggregable if column.scalar.is_number]
    ranges = [column for column in entity.aggregable if column.name != "version"]
    currency = (
        [FieldSpec("currency", "str | None", "The currency, needed where money is compared.")]
        if entity.currency
        else []
    )
    for suffix, columns in (("Sum", numbers), ("Range", ranges)):
        if columns:
            factory.input(
                f"{entity.name}{suffix}Filter",
                f"Conditions on figures over {entity.name} rows.",
                [
                    *(
                        FieldSpec(
                            c.name,
                            ("DecimalFilter" if c.scalar.is_number else f"{c.scalar.name}Filter") + " | None",
                            str(c.column.comment),
                        )
                        for c in columns
                    ),
                    *currency,
                ],
            )
    sums = [(n, "Sum", t) for n, t in (("sum", "Their sums; 0 without rows."), ("avg", "Their averages.")) if numbers]
    aggregates = [*sums, ("min", "Range", "Their least values."), ("max", "Range", "Their greatest values.")]
    factory.input(
        f"{entity.name}ListFilter",
        f"Conditions on a list of {entity.name} rows; all must hold.",
        [
            FieldSpec("some", f"{entity.name}Filter | None", "At least one row meets it."),
            FieldSpec("none", f"{entity.name}Filter | None", "No row meets it."),
            FieldSpec("every", f"{entity.name}Filter | None", "No row fails it."),
            FieldSpec(
                "where", f"{entity.name}Filter | None", "The rows that count and the figures below are taken over."
            ),
            FieldSpec("count", "IntFilter | None", "How many they are."),
            *(FieldSpec(name, f"{entity.name}{suffix}Filter | None", text) for name, suffix, text in aggregates),
        ],
    )


def _order_inputs(factory: TypeFactory, entity: CatalogEntity, catalog: Catalog) -> None:
    values = [(key.name, str(key.column.comment)) for key in entity.sort_keys.values()]
    factory.enum(f"{entity.name}SortField", f"What {entity.name} rows can be sorted by.", values)
    factory.enum(
        f"{entity.name}AggregateField",
        f"What figures over {entity.name} rows are taken of.",
        [(c.column.name.upper(), str(c.column.comment)) for c in entity.aggregable],
    )
    factory.input(
        f"{entity.name}ListOrderBy",
        f"A figure over a list of {entity.name} rows, to sort its owners by.",
        [
            FieldSpec("by", "AggregateFunction", "The figure."),
            FieldSpec("field", f"{entity.name}AggregateField | None", "What it is taken of; for COUNT, nothing."),
            FieldSpec("where", f"{entity.name}Filter | None", "The rows that it is taken over."),
            *([FieldSpec("currency", "str | None", "The currency, needed for money.")] if entity.currency else []),
        ],
    )
    lists = [
        FieldSpec(name, f"{link.target.__name__}ListOrderBy | None", f"A figure over: {link.description}")
        for name, link in entity.links.items()
        if isinstance(link, ToMany)
    ]
    factory.input(
        f"{entity.name}OrderBy",
        "One sort key: a field, or a figure over a list.",
        [
            FieldSpec("field", f"{entity.name}SortField | None", "The field to sort by."),
            *lists,
            FieldSpec("direction", "SortDirection | None", "ASC when left out."),
        ],
    )


def for_entity(factory: TypeFactory, entity: CatalogEntity, catalog: Catalog) -> None:
    """The inputs of one row type."""
    _enums(factory, entity)
    factory.input(
        f"{entity.name}Filter",
        f"Conditions on {entity.name} rows; all must hold.",
        list(_filter_specs(entity, catalog)),
    )
    _list_filter(factory, entity)
    _order_inputs(factory, entity, catalog)
    factory.enum(
        f"{entity.name}GroupField",
        f"What {entity.name} rows can be grouped by.",
        [(field.column.name.upper(), str(field.column.comment)) for field in groupable(entity)],
    )
    factory.input(
        f"{entity.name}GroupBy",
        "One part of a group's key.",
        [
            FieldSpec("field", f"{entity.name}GroupField", "The field."),
            FieldSpec("bucket", "TimeBucket | None", "For times: the span they are grouped in."),
            FieldSpec("timezone", "str | None", "The IANA time zone in which spans begin; UTC when left out."),
        ],
    )
    for lookup in entity.declaration.lookups:
        specs = []
        for name, (column, required) in lookup.arguments.items():
            type_name = column.type.enum_class.__name__ if hasattr(column.type, "enum_class") else "str"
            specs.append(FieldSpec(name, type_name + ("" if required else " | None"), str(column.comment)))
        factory.input(f"{entity.name}By{lookup.name.capitalize()}", lookup.description, specs)


def group_arguments(entity: CatalogEntity) -> tuple[FieldSpec, ...]:
    """The arguments of a grouped root."""
    search = (FieldSpec("search", "str | None", "Only rows that this finds."),) if entity.declaration.search else ()
    return (
        FieldSpec("by", f"list[{entity.name}GroupBy]", "The parts of the groups' keys, at most 4."),
        FieldSpec("filter", f"{entity.name}Filter | None", "Only rows that meet it."),
        *search,
        FieldSpec("orderBy", "GroupOrder | None", "The order of the groups; KEY when left out."),
        FieldSpec(
            "first",
            "int | None",
            "How many groups, at most 100; 20 when left out. Groups have no pages: narrow the filter instead.",
        ),
    )
