"""Builds the input types of a catalog: filters, sort orders, groupings.

plan/filters.py and plan/list_nodes.py plan them."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, CatalogEntity, ColumnField, with_article
from hub.engine.catalog.page_sizes import NESTED_PAGE, ROOT_PAGE
from hub.engine.catalog.scalars import ScalarType
from hub.engine.graphql_types.type_factory import FieldSpec, TypeFactory
from hub.model.declarations import ToMany, ToOne

TIME_BUCKETS = ("HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
AGGREGATE_FUNCTIONS = {
    "COUNT": "Number of rows.",
    "SUM": "Sum; null without rows, as in SQL.",
    "AVG": "Average.",
    "MIN": "Least value.",
    "MAX": "Greatest value.",
}
OPERATORS = {
    "eq": "Equal to this value.",
    "ne": "Not equal to this value; also matches null.",
    "in": "Equal to one of these values.",
    "notIn": "Equal to none of these values; also matches null.",
    "lt": "Less or earlier than this value.",
    "lte": "Less, earlier, or equal to this value.",
    "gt": "Greater or later than this value.",
    "gte": "Greater, later, or equal to this value.",
    "contains": "Contains this text; case and accents are ignored.",
    "startsWith": "Begins with this text; case and accents are ignored.",
    "has": "Has this element.",
    "isEmpty": "True matches a list without elements, false matches one with any.",
    "withinLast": "At most this long ago, and not in the future.",
    "olderThan": "More than this long ago.",
    "isNull": "True matches null, false matches any value.",
}
FIELD_OPERATORS = {
    "eq": "Equal to this field.",
    "ne": "Not equal to this field; also matches if one of them is null.",
    "lt": "Less or earlier than this field.",
    "lte": "Less, earlier, or equal to this field.",
    "gt": "Greater or later than this field.",
    "gte": "Greater, later, or equal to this field.",
}
COMPARE, UNDER, HOLDS = "compare", "under", "holds"  # parts of a filter beside the fields
JSON_OPERATORS = (
    FieldSpec("path", "list[str]", "Keys from the outermost inwards; a number selects a list element."),
    FieldSpec("eq", "Json | None", "Equal to this JSON value."),
    FieldSpec("ne", "Json | None", "Not equal to this JSON value; also matches a missing value."),
    FieldSpec("in", "list[Json] | None", "Equal to one of these JSON values."),
    FieldSpec("lt", "Amount | None", "A number less than this."),
    FieldSpec("lte", "Amount | None", "A number less than or equal to this."),
    FieldSpec("gt", "Amount | None", "A number greater than this."),
    FieldSpec("gte", "Amount | None", "A number greater than or equal to this."),
    FieldSpec("contains", "str | None", "A text that contains this one; case and accents are ignored."),
    FieldSpec("isNull", "bool | None", "True matches a missing value or null, false matches any other."),
)


def non_null_annotation(column: ColumnField) -> str:
    """Returns a column's type as annotation text, without null."""
    return _annotation_text(column.scalar)


def annotation_of(python_type: Any) -> str:
    """Returns a Python type as annotation text; raises TypeError if it has no scalar type."""
    return _annotation_text(scalars.scalar_of(python_type))


def _annotation_text(scalar: ScalarType) -> str:
    annotations = {
        "String": "str",
        "Int": "int",
        "Boolean": "bool",
        "Decimal": "Amount",
        "Money": "Amount",
        "JSON": "Json",
        "StringList": "list[str]",
        "UnindexedStringList": "list[str]",
    }
    return annotations.get(scalar.name, scalar.name)


def annotation(column: ColumnField) -> str:
    """Returns a column's type as annotation text."""
    return _annotation_text(column.scalar) + (" | None" if column.nullable else "")


def groupable(entity: CatalogEntity) -> list[ColumnField]:
    """Returns the columns that rows can be grouped by: all except decimals, money, JSON, lists and the version."""
    return [
        column
        for column in entity.filterable.values()
        if column.name != "version" and column.scalar.name not in ("Decimal", "Money", "JSON")
        if not column.scalar.is_list
    ]


def _filter_name(scalar: ScalarType) -> str:
    return "DecimalFilter" if scalar.is_money else f"{scalar.name}Filter"


def _operator_spec(scalar: ScalarType, name: str) -> FieldSpec:
    value_type = _annotation_text(scalar)
    types = {
        "in": f"list[{value_type}]",
        "notIn": f"list[{value_type}]",
        "isNull": "bool",
        "isEmpty": "bool",
        "contains": "str",
        "startsWith": "str",
        "has": "str",
    }
    types |= {"withinLast": "Duration", "olderThan": "Duration"}
    return FieldSpec(name, types.get(name, value_type) + " | None", OPERATORS[name])


def shared_inputs(factory: TypeFactory) -> None:
    """Adds the inputs that all entities share."""
    for scalar in (scalars.ID, *dict.fromkeys(scalars.BY_PYTHON_TYPE.values()), scalars.UNINDEXED_LIST):
        if scalar.operators and not scalar.is_money:
            specs = [_operator_spec(scalar, operator) for operator in scalar.operators]
            factory.input(f"{scalar.name}Filter", f"Conditions on {with_article(scalar.name)}; all must hold.", specs)
    factory.input("JSONFilter", "Conditions on the value at a path of a JSON value; all must hold.", JSON_OPERATORS)
    moment = FieldSpec("at", "DateTime | None", "The moment; that of the request when left out.")
    factory.input("HoldsFilter", "The row holds at a moment: it has begun and not ended.", (moment,))
    factory.enum("SortDirection", "Direction of a sort order.", [("ASC", "Ascending."), ("DESC", "Descending.")])
    factory.enum(
        "TimeBucket",
        "Length of the intervals that times are grouped by.",
        [(b, f"One {b.lower()}.") for b in TIME_BUCKETS],
    )
    factory.enum("AggregateFunction", "Aggregate over the rows of a list.", list(AGGREGATE_FUNCTIONS.items()))


def enum(factory: TypeFactory, enum_class: type[Enum], description: str) -> None:
    """Adds the type of an enum class; `description` applies if the class has no one-line docstring."""
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
    yield FieldSpec("and", f"list[{entity.name}Filter] | None", "All of these conditions must hold.")
    yield FieldSpec("or", f"list[{entity.name}Filter] | None", "At least one of these conditions must hold.")
    yield FieldSpec("not", f"{entity.name}Filter | None", "This condition must not hold.")
    me = "" if entity.declaration.me is None else f' "ME" stands for the {entity.name} who asks.'
    yield FieldSpec("id", "IDFilter | None", f"The row's id.{me}")
    for column in entity.filterable.values():
        filter_type = _filter_name(column.scalar)
        annotation_text = "list[JSONFilter]" if column.scalar is scalars.JSON else filter_type
        yield FieldSpec(column.name, f"{annotation_text} | None", str(column.column.comment))
    if entity.declaration.tree is not None:
        text = f"The {entity.name} with this id, and all below it in the tree; none if it is hidden."
        yield FieldSpec(UNDER, "ID | None", text)
    if entity.declaration.lasting:
        yield FieldSpec(HOLDS, "HoldsFilter | None", "The row holds: it has begun and not ended.")
    if comparable_fields(entity):
        text = "Conditions that compare fields of the row with each other; all must hold."
        yield FieldSpec(COMPARE, f"{entity.name}Comparison | None", text)
    for name, link in entity.links.items():
        if isinstance(link, ToOne):
            yield FieldSpec(
                name, f"{link.target.__name__}Filter | None", f"{link.description} It must exist and match."
            )
        elif isinstance(link, ToMany):
            yield FieldSpec(name, f"{link.target.__name__}ListFilter | None", link.description)


def comparable_fields(entity: CatalogEntity) -> dict[str, list[ColumnField]]:
    """Returns the filterable columns that may be compared with each other, by the name of their type."""
    fields: dict[str, list[ColumnField]] = {}
    for column in entity.filterable.values():
        if column.scalar.operators and not column.scalar.is_list and column.name != "version":
            fields.setdefault(column.scalar.name, []).append(column)
    return {name: columns for name, columns in fields.items() if len(columns) > 1}


def _comparisons(factory: TypeFactory, entity: CatalogEntity) -> None:
    """Adds the inputs that compare fields: per type an enum of its fields, and the operators that take one."""
    specs: list[FieldSpec] = []
    for name, columns in comparable_fields(entity).items():
        enum_name, comparison = f"{entity.name}{name}Field", f"{entity.name}{name}Comparison"
        values = [(column.column.name.upper(), str(column.column.comment)) for column in columns]
        factory.enum(enum_name, f"Fields of {entity.name} rows of type {name}.", values)
        operators = [op for op in ("eq", "ne", *scalars.RANGE) if op in columns[0].scalar.operators]
        factory.input(
            comparison,
            f"Compares with another field of the {entity.name} row; all must hold.",
            [FieldSpec(operator, f"{enum_name} | None", FIELD_OPERATORS[operator]) for operator in operators],
        )
        specs += [FieldSpec(column.name, f"{comparison} | None", str(column.column.comment)) for column in columns]
    if specs:
        description = f"Conditions that compare fields of {entity.name} rows with each other; all must hold."
        factory.input(f"{entity.name}Comparison", description, specs)


def _list_filter(factory: TypeFactory, entity: CatalogEntity) -> None:
    numbers = [column for column in entity.aggregable if column.scalar.is_number]
    ranges = [column for column in entity.aggregable if column.name != "version"]
    currency = (
        [FieldSpec("currency", "str | None", "Currency of the amounts; required to compare money.")]
        if entity.currency
        else []
    )
    for suffix, columns in (("Sum", numbers), ("Range", ranges)):
        if columns:
            factory.input(
                f"{entity.name}{suffix}Filter",
                f"Conditions on aggregates over {entity.name} rows; an aggregate of no rows is null.",
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
    sums = [(n, "Sum", t) for n, t in (("sum", "Sums; null without rows, as in SQL."), ("avg", "Averages.")) if numbers]
    aggregates = [*sums, ("min", "Range", "Least values."), ("max", "Range", "Greatest values.")]
    factory.input(
        f"{entity.name}ListFilter",
        f"Conditions on a list of {entity.name} rows; all must hold.",
        [
            FieldSpec("some", f"{entity.name}Filter | None", "At least one row matches."),
            FieldSpec("none", f"{entity.name}Filter | None", "No row matches."),
            FieldSpec("every", f"{entity.name}Filter | None", "Every row matches."),
            FieldSpec(
                "where", f"{entity.name}Filter | None", "Restricts the rows for `count` and the aggregates below."
            ),
            FieldSpec("count", "IntFilter | None", "Number of rows."),
            *(FieldSpec(name, f"{entity.name}{suffix}Filter | None", text) for name, suffix, text in aggregates),
        ],
    )


def _order_inputs(factory: TypeFactory, entity: CatalogEntity, catalog: Catalog) -> None:
    values = [(key.name, str(key.column.comment)) for key in entity.sort_keys.values()]
    factory.enum(f"{entity.name}SortField", f"Fields that {entity.name} rows can be sorted by.", values)
    factory.enum(
        f"{entity.name}AggregateField",
        f"Fields of {entity.name} rows that can be aggregated.",
        [(c.column.name.upper(), str(c.column.comment)) for c in entity.aggregable],
    )
    factory.input(
        f"{entity.name}ListOrderBy",
        f"Sorts by an aggregate over a list of {entity.name} rows.",
        [
            FieldSpec("by", "AggregateFunction", "The aggregate function."),
            FieldSpec("field", f"{entity.name}AggregateField | None", "The aggregated field; none for COUNT."),
            FieldSpec("where", f"{entity.name}Filter | None", "Restricts the aggregated rows."),
            *(
                [FieldSpec("currency", "str | None", "Currency of the amounts; required for money.")]
                if entity.currency
                else []
            ),
        ],
    )
    lists = [
        FieldSpec(name, f"{link.target.__name__}ListOrderBy | None", f"Sorts by an aggregate over: {link.description}")
        for name, link in entity.links.items()
        if isinstance(link, ToMany)
    ]
    factory.input(
        f"{entity.name}OrderBy",
        "One sort key: a field, or an aggregate over a list.",
        [
            FieldSpec("field", f"{entity.name}SortField | None", "The field to sort by."),
            *lists,
            FieldSpec("direction", "SortDirection | None", "Direction; ASC by default."),
        ],
    )


def group_links(entity: CatalogEntity) -> list[tuple[str, ToOne]]:
    """Returns the links behind which rows can be grouped: those to one row of one type."""
    return [(name, link) for name, link in entity.links.items() if isinstance(link, ToOne)]


def _group_inputs(factory: TypeFactory, entity: CatalogEntity, catalog: Catalog) -> None:
    fields = [(field.column.name.upper(), str(field.column.comment)) for field in groupable(entity)]
    factory.enum(
        f"{entity.name}GroupField",
        f"Fields that {entity.name} rows can be grouped by.",
        [("ID", "The row's id."), *fields],
    )
    links = [
        FieldSpec(name, f"{catalog.target(link.target).name}GroupBy | None", link.description)
        for name, link in group_links(entity)
    ]
    if links:
        factory.input(f"{entity.name}GroupByLink", "One link to the row whose field is grouped by.", links)
    followed = [FieldSpec("link", f"{entity.name}GroupByLink | None", "A field of a linked row to group by.")]
    factory.input(
        f"{entity.name}GroupBy",
        "One part of a group's key: a field, or a field of a linked row.",
        [
            FieldSpec("field", f"{entity.name}GroupField | None", "The field to group by."),
            *(followed if links else ()),
            FieldSpec("bucket", "TimeBucket | None", "Interval that times are grouped by."),
            FieldSpec("timezone", "str | None", "IANA time zone of the intervals; UTC by default."),
        ],
    )
    currency = [FieldSpec("currency", "str | None", "Currency of the amounts; required for money.")]
    factory.input(
        f"{entity.name}GroupOrderBy",
        "One sort key of groups: a part of their key, or an aggregate over their rows.",
        [
            FieldSpec("key", f"{entity.name}GroupBy | None", "A part of `by`, without bucket and time zone."),
            FieldSpec("by", "AggregateFunction | None", "The aggregate function."),
            FieldSpec("field", f"{entity.name}AggregateField | None", "The aggregated field; none for COUNT."),
            *(currency if entity.currency else ()),
            FieldSpec(
                "direction", "SortDirection | None", "Direction; ASC by default. Groups without a value come last."
            ),
        ],
    )


def for_entity(factory: TypeFactory, entity: CatalogEntity, catalog: Catalog) -> None:
    """Adds the inputs of one entity."""
    _enums(factory, entity)
    factory.input(
        f"{entity.name}Filter",
        f"Conditions on {entity.name} rows; all must hold.",
        list(_filter_specs(entity, catalog)),
    )
    _comparisons(factory, entity)
    _list_filter(factory, entity)
    _order_inputs(factory, entity, catalog)
    _group_inputs(factory, entity, catalog)
    for lookup in entity.declaration.lookups:
        specs = []
        for name, (column, required) in lookup.arguments.items():
            type_name = column.type.enum_class.__name__ if hasattr(column.type, "enum_class") else "str"
            specs.append(FieldSpec(name, type_name + ("" if required else " | None"), str(column.comment)))
        factory.input(f"{entity.name}By{lookup.name.capitalize()}", lookup.description, specs)


def page_arguments(rows: str, *, nested: bool) -> tuple[FieldSpec, ...]:
    """Returns the arguments that select a page; a list inside another row has a smaller default."""
    default = NESTED_PAGE if nested else ROOT_PAGE
    size = f"Number of {rows} from the start, at most 100; {default} if `first` and `last` are omitted."
    return (
        FieldSpec("first", "int | None", size),
        FieldSpec("after", "Cursor | None", f"Only {rows} after this cursor."),
        FieldSpec("last", "int | None", f"Number of {rows} from the end, at most 100."),
        FieldSpec("before", "Cursor | None", f"Only {rows} before this cursor."),
    )


def group_arguments(entity: CatalogEntity) -> tuple[FieldSpec, ...]:
    """Returns the arguments of a grouped root field."""
    search = (
        (FieldSpec("search", "str | None", "Only rows that match this search text."),)
        if entity.declaration.search
        else ()
    )
    return (
        FieldSpec("by", f"list[{entity.name}GroupBy]", "The parts of the groups' keys, at most 4."),
        FieldSpec("filter", f"{entity.name}Filter | None", "Only rows that match this filter."),
        *search,
        FieldSpec(
            "orderBy", f"list[{entity.name}GroupOrderBy] | None", "Sort order of the groups; the key breaks ties."
        ),
        *page_arguments("groups", nested=False),
    )
