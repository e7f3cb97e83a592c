"""Which GraphQL inputs a catalog gives rise to: filters, orders, groupings. What they mean is where.py's and the planner's."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, Column, Row, a
from hub.engine.catalog.scalars import Wire
from hub.engine.graphql_types.type_factory import Names, Slot
from hub.model.declarations import Many, One

BUCKETS = ("HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
FUNCTIONS = {
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
    Slot("path", "list[str]", "Keys from the outside in; a number picks from a list."),
    Slot("eq", "Json | None", "Equal to this JSON value."),
    Slot("ne", "Json | None", "Not equal to it; also met when nothing is there."),
    Slot("in", "list[Json] | None", "Equal to one of them."),
    Slot("lt", "Amount | None", "A number less than this."),
    Slot("lte", "Amount | None", "A number not greater than this."),
    Slot("gt", "Amount | None", "A number greater than this."),
    Slot("gte", "Amount | None", "A number not less than this."),
    Slot("contains", "str | None", "A text that holds this one, whatever its case and accents."),
    Slot("isNull", "bool | None", "Whether nothing, or null, is there."),
)


def plain(column: Column) -> str:
    """A column's type as annotation text, without null."""
    return _plain(column.wire)


def plain_of(of: Any) -> str:
    """A Python type as annotation text; raises TypeError for one that has no wire."""
    return _plain(scalars.wire_of(of))


def _plain(kind: Wire) -> str:
    text = {"String": "str", "Int": "int", "Boolean": "bool", "Decimal": "Amount", "Money": "Amount", "JSON": "Json"}
    return text.get(kind.name, kind.name)


def annotation(column: Column) -> str:
    """A column's type as annotation text."""
    return _plain(column.wire) + (" | None" if column.nullable else "")


def groupable(row: Row) -> list[Column]:
    """Columns that rows can be grouped by: everything that comes in classes or times."""
    return [
        each
        for each in row.filterable.values()
        if each.name != "version" and each.wire.name not in ("Decimal", "Money", "JSON")
    ]


def _filter_name(kind: Wire) -> str:
    return "DecimalFilter" if kind.money else f"{kind.name}Filter"


def _operator(kind: Wire, name: str) -> Slot:
    of = _plain(kind)
    types = {"in": f"list[{of}]", "notIn": f"list[{of}]", "isNull": "bool", "contains": "str", "startsWith": "str"}
    types |= {"withinLast": "Duration", "olderThan": "Duration"}
    return Slot(name, types.get(name, of) + " | None", OPERATORS[name])


def shared(names: Names) -> None:
    """The inputs that no single row type owns."""
    for kind in (scalars.ID, *dict.fromkeys(scalars.PLAIN.values())):
        if kind.operators and not kind.money:
            slots = [_operator(kind, each) for each in kind.operators]
            names.input(f"{kind.name}Filter", f"Conditions on {a(kind.name)}; all must hold.", slots)
    names.input("JSONFilter", "Conditions on what stands at a path of a JSON value; all must hold.", JSON_OPERATORS)
    names.enum("SortDirection", "Which end comes first.", [("ASC", "Least first."), ("DESC", "Greatest first.")])
    names.enum(
        "TimeBucket", "Length of the spans that times are grouped in.", [(b, f"One {b.lower()}.") for b in BUCKETS]
    )
    names.enum("AggregateFunction", "A figure over the rows of a list.", list(FUNCTIONS.items()))
    names.enum("GroupOrder", "The order of groups.", [("KEY", "By their keys."), ("COUNT", "Largest first.")])


def choices(names: Names, of: type[Enum], description: str) -> None:
    """The enum type of a closed set, described by its docstring or else as given."""
    doc = (of.__doc__ or "").strip()
    told = doc if doc and "\n" not in doc else description
    names.choices(of.__name__, told, [(each.value, str(getattr(each, "description", ""))) for each in of])


def _enums(names: Names, row: Row) -> None:
    for column in row.columns.values():
        of = column.wire.annotation
        if isinstance(of, type) and issubclass(of, Enum) and of.__name__ not in names.known:
            choices(names, of, str(column.column.comment))
            slots = [_operator(column.wire, each) for each in column.wire.operators]
            names.input(f"{of.__name__}Filter", f"Conditions on {a(of.__name__)}; all must hold.", slots)


def _filter_slots(row: Row, catalog: Catalog) -> Iterator[Slot]:
    yield Slot("and", f"list[{row.name}Filter] | None", "All of these must hold.")
    yield Slot("or", f"list[{row.name}Filter] | None", "One of these must hold.")
    yield Slot("not", f"{row.name}Filter | None", "This must not hold.")
    yield Slot("id", "IDFilter | None", "Its id.")
    for column in row.filterable.values():
        yield Slot(column.name, f"{_filter_name(column.wire)} | None", str(column.column.comment))
    for name, link in row.links.items():
        if isinstance(link, One):
            yield Slot(name, f"{catalog.addresses[link.target]}Filter | None", f"{link.description} It must be there.")
        elif isinstance(link, Many):
            yield Slot(name, f"{catalog.addresses[link.target]}ListFilter | None", link.description)


def _list_filter(names: Names, row: Row) -> None:
    numbers = [each for each in row.aggregable if each.wire.number]
    ranges = [each for each in row.aggregable if each.name != "version"]
    currency = [Slot("currency", "str | None", "The currency, needed where money is compared.")] if row.currency else []
    for suffix, columns in (("Sum", numbers), ("Range", ranges)):
        if columns:
            names.input(
                f"{row.name}{suffix}Filter",
                f"Conditions on figures over {row.name} rows.",
                [
                    *(
                        Slot(
                            c.name,
                            ("DecimalFilter" if c.wire.number else f"{c.wire.name}Filter") + " | None",
                            str(c.column.comment),
                        )
                        for c in columns
                    ),
                    *currency,
                ],
            )
    sums = [(n, "Sum", t) for n, t in (("sum", "Their sums; 0 without rows."), ("avg", "Their averages.")) if numbers]
    figures = [*sums, ("min", "Range", "Their least values."), ("max", "Range", "Their greatest values.")]
    names.input(
        f"{row.name}ListFilter",
        f"Conditions on a list of {row.name} rows; all must hold.",
        [
            Slot("some", f"{row.name}Filter | None", "At least one row meets it."),
            Slot("none", f"{row.name}Filter | None", "No row meets it."),
            Slot("every", f"{row.name}Filter | None", "No row fails it."),
            Slot("where", f"{row.name}Filter | None", "The rows that count and the figures below are taken over."),
            Slot("count", "IntFilter | None", "How many they are."),
            *(Slot(name, f"{row.name}{suffix}Filter | None", text) for name, suffix, text in figures),
        ],
    )


def _order(names: Names, row: Row, catalog: Catalog) -> None:
    values = [(key.name, str(key.column.comment)) for key in row.sort_keys.values()]
    names.enum(f"{row.name}SortField", f"What {row.name} rows can be sorted by.", values)
    names.enum(
        f"{row.name}AggregateField",
        f"What figures over {row.name} rows are taken of.",
        [(c.column.name.upper(), str(c.column.comment)) for c in row.aggregable],
    )
    names.input(
        f"{row.name}ListOrderBy",
        f"A figure over a list of {row.name} rows, to sort its owners by.",
        [
            Slot("by", "AggregateFunction", "The figure."),
            Slot("field", f"{row.name}AggregateField | None", "What it is taken of; for COUNT, nothing."),
            Slot("where", f"{row.name}Filter | None", "The rows that it is taken over."),
            *([Slot("currency", "str | None", "The currency, needed for money.")] if row.currency else []),
        ],
    )
    lists = [
        Slot(name, f"{catalog.addresses[link.target]}ListOrderBy | None", f"A figure over: {link.description}")
        for name, link in row.links.items()
        if isinstance(link, Many)
    ]
    names.input(
        f"{row.name}OrderBy",
        "One sort key: a field, or a figure over a list.",
        [
            Slot("field", f"{row.name}SortField | None", "The field to sort by."),
            *lists,
            Slot("direction", "SortDirection | None", "ASC when left out."),
        ],
    )


def of_row(names: Names, row: Row, catalog: Catalog) -> None:
    """The inputs of one row type."""
    _enums(names, row)
    names.input(
        f"{row.name}Filter", f"Conditions on {row.name} rows; all must hold.", list(_filter_slots(row, catalog))
    )
    _list_filter(names, row)
    _order(names, row, catalog)
    names.enum(
        f"{row.name}GroupField",
        f"What {row.name} rows can be grouped by.",
        [(each.column.name.upper(), str(each.column.comment)) for each in groupable(row)],
    )
    names.input(
        f"{row.name}GroupBy",
        "One part of a group's key.",
        [
            Slot("field", f"{row.name}GroupField", "The field."),
            Slot("bucket", "TimeBucket | None", "For times: the span they are grouped in."),
            Slot("timezone", "str | None", "The IANA time zone in which spans begin; UTC when left out."),
        ],
    )
    for found in row.declaration.found_by:
        slots = []
        for name, (column, required) in found.arguments.items():
            of = column.type.enum_class.__name__ if hasattr(column.type, "enum_class") else "str"
            slots.append(Slot(name, of + ("" if required else " | None"), str(column.comment)))
        names.input(f"{row.name}By{found.name.capitalize()}", found.description, slots)


def group_arguments(row: Row) -> tuple[Slot, ...]:
    """The arguments of a grouped root."""
    search = (Slot("search", "str | None", "Only rows that this finds."),) if row.declaration.search else ()
    return (
        Slot("by", f"list[{row.name}GroupBy]", "The parts of the groups' keys, at most 4."),
        Slot("filter", f"{row.name}Filter | None", "Only rows that meet it."),
        *search,
        Slot("orderBy", "GroupOrder | None", "The order of the groups; KEY when left out."),
        Slot(
            "first",
            "int | None",
            "How many groups, at most 100; 20 when left out. Groups have no pages: narrow the filter instead.",
        ),
    )
