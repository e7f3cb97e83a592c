"""Which GraphQL types and roots a catalog gives rise to: objects, connections, statistics, groups.

Everything is derived from the declarations; inputs are in inputs.py, single types are made in build.py."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import strawberry
from graphql import GraphQLObjectType, GraphQLSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import HISTORY, Catalog, Column, Row, a, camel, shout
from hub.engine.graphql_types import history_types, inputs, subscription_types
from hub.engine.graphql_types.command_signatures import Input
from hub.engine.graphql_types.mutation_types import Mutation, Mutations, derived
from hub.engine.graphql_types.subscription_types import StreamRoot
from hub.engine.graphql_types.type_factory import Names, Slot
from hub.model.commands import Verb
from hub.model.declarations import FoundBy, Many, Merged, One, OneOf

RootKind = Literal["one", "list", "groups", "node", "nodes", "found_by", "changes"]

PAGE = (
    Slot("first", "int | None", "How many rows from the start, at most 100; 20 when neither first nor last is given."),
    Slot("after", "Cursor | None", "Only rows behind this cursor."),
    Slot("last", "int | None", "How many rows from the end, at most 100."),
    Slot("before", "Cursor | None", "Only rows ahead of this cursor."),
)


AS_OF = Slot(
    "asOf",
    "DateTime | None",
    "The row's own fields as they were at this moment, if the key may see the row today and what it was then. Links cannot be"
    " asked for beside it. How far back the past is known is the hub's HUB_CHANGE_RETENTION.",
)
POLICIES = {
    "REJECT_ALL": "Nothing is written; the error lists the rows.",
    "REJECT_FAILED_ROWS": "The others are written; each row's result says what became of it.",
}
ROW_ERROR = (
    ("code", "str", "The stable code, as in the errors of an answer."),
    ("message", "str", "The argument, the fault and the remedy."),
    ("argument", "str | None", "Path of the argument at fault."),
    ("currentVersion", "int | None", "After a conflict, the row's version."),
    ("current", "Json | None", "After a conflict, what the fields at fault hold."),
)
COUNTS = (("succeeded", "int", "How many rows were written."), ("failed", "int", "How many rows were refused."))
REPLAY = (
    "Makes the operation happen once: for 48 hours the same key and body get the same answer. At most 255 characters."
)


@dataclass(frozen=True, slots=True)
class Root:
    """What a root field of the query type means to the planner."""

    kind: RootKind
    row: Row | None = None
    found_by: FoundBy | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """The finished schema: Strawberry's (introspection, Python roots), graphql-core's (validation), and the roots' meaning."""

    strawberry: strawberry.Schema
    core: GraphQLSchema
    catalog: Catalog
    roots: dict[str, Root]
    steering: frozenset[str]
    mutations: Mapping[str, Mutation]
    streams: Mapping[str, StreamRoot]


def _list_arguments(row: Row) -> tuple[Slot, ...]:
    search = (Slot("search", "str | None", "Words to find, whatever their case and accents; close spellings count."),)
    return (
        *PAGE,
        Slot("filter", f"{row.name}Filter | None", "Only rows that meet it."),
        Slot("orderBy", f"list[{row.name}OrderBy] | None", "The order of the rows; ties are broken by id."),
        *(search if row.declaration.search else ()),
    )


def _merged_arguments(link: Merged) -> tuple[Slot, ...]:
    return (
        *PAGE,
        Slot("types", f"list[{link.interface.name}Type] | None", "Only entries of these types."),
        Slot("since", "DateTime | None", "Only entries at or after this moment."),
        Slot("until", "DateTime | None", "Only entries before this moment."),
    )


def _fields(row: Row, catalog: Catalog) -> Iterator[Slot]:
    yield Slot("id", "ID", f"Unique in the whole graph, `{row.declaration.prefix}_` and 32 hex digits.")
    for column in row.columns.values():
        yield Slot(column.name, inputs.annotation(column), str(column.column.comment))
    for name in row.declaration.implements:
        yield Slot(catalog.interfaces[name].field, "DateTime", catalog.interfaces[name].field_description)
    for name, link in row.links.items():
        match link:
            case One():
                empty = " | None" if catalog.nullable(row, link) else ""
                yield Slot(name, catalog.addresses[link.target] + empty, link.description)
            case Many():
                target = catalog.target(link.target)
                yield Slot(name, f"{target.name}Connection", link.description, _list_arguments(target))
            case OneOf():
                yield Slot(name, f"{link.union} | None", link.description)
            case Merged():
                yield Slot(name, f"{link.interface.name}Connection", link.description, _merged_arguments(link))
    yield history_types.history(row)


def _resolved(row: Row, catalog: Catalog, names: Names) -> list[StrawberryField]:
    made = []
    for name, how in row.resolved.items():
        resolver: StrawberryResolver[Any] = StrawberryResolver(how.resolver)
        field = strawberry.field(resolver=resolver, name=name, description=str(how.resolver.__doc__).strip())
        returned = f"list[{catalog.addresses[how.keys]}]" if how.keys else how.resolver.__annotations__["return"]
        field.type_annotation = names.annotation(returned)
        field.arguments = [each for each in field.arguments if each.python_name not in how.needs]
        made.append(field)
    return made


def _connection(names: Names, row_name: str, extra: Sequence[Slot]) -> None:
    names.output(
        f"{row_name}Edge",
        f"One entry of {a(row_name)} list and its place in it.",
        [Slot("cursor", "Cursor", "The entry's place in this list."), Slot("node", row_name, "The entry itself.")],
    )
    names.output(
        f"{row_name}Connection",
        f"A page of {a(row_name)} list.",
        [
            Slot("edges", f"list[{row_name}Edge]", "The entries with their cursors."),
            Slot("nodes", f"list[{row_name}]", "The entries alone."),
            Slot("pageInfo", "PageInfo", "Whether there is more, and where."),
            Slot("totalCount", "int", "How many entries the whole filtered list has."),
            *extra,
        ],
    )


def _figure(column: Column, *, extreme: bool) -> str:
    if column.wire.money:
        return "list[Money]"
    return inputs.plain(column) + " | None" if extreme else "Amount | None"  # a sum outgrows its terms' type


def _statistics(names: Names, row: Row) -> None:
    numbers = [each for each in row.aggregable if each.wire.number]
    slots = [Slot("count", "int", "How many rows.")]
    parts = [("sum", "Sums", numbers), ("avg", "Averages", numbers), ("min", "Extremes", [*row.aggregable])]
    for name, suffix, columns in parts:
        if columns:
            names.output(
                f"{row.name}{suffix}",
                f"{suffix} over {row.name} rows; money is listed by currency.",
                [Slot(each.name, _figure(each, extreme=name == "min"), str(each.column.comment)) for each in columns],
            )
            slots.append(
                Slot(name, f"{row.name}{suffix}", {"sum": "Sums.", "avg": "Averages.", "min": "Least values."}[name])
            )
    slots.append(Slot("max", f"{row.name}Extremes", "Greatest values."))
    names.output(f"{row.name}Stats", f"Figures over a whole set of {row.name} rows.", slots)


def _groups(names: Names, row: Row) -> None:
    keys = inputs.groupable(row)
    names.output(
        f"{row.name}GroupKey",
        "What the rows of a group have in common; a field that was not grouped by is null.",
        [Slot(each.name, inputs.plain(each) + " | None", str(each.column.comment)) for each in keys],
    )
    names.output(
        f"{row.name}Group",
        f"{row.name} rows that have the same key.",
        [
            Slot("key", f"{row.name}GroupKey", "What they have in common."),
            Slot("stats", f"{row.name}Stats", "Figures over the group."),
        ],
    )
    names.output(
        f"{row.name}Groups",
        f"{row.name} rows in groups.",
        [
            Slot("nodes", f"list[{row.name}Group]", "The groups."),
            Slot("totalCount", "int", "How many groups there are in all."),
        ],
    )


def _shared(names: Names, catalog: Catalog) -> None:
    shared = {"DateTime": scalars.DateTime, "Date": scalars.Date, "Amount": scalars.Amount, "Json": scalars.Json}
    names.known.update(shared, ID=strawberry.ID, Cursor=scalars.Cursor, Duration=scalars.Duration)
    names.interface("Node", "Anything with an id.", [Slot("id", "ID", "Unique in the whole graph.")])
    names.output(
        "Money",
        "An amount in a currency.",
        [Slot("amount", "Amount", "How much."), Slot("currency", "str", "ISO 4217 code.")],
    )
    names.output(
        "PageInfo",
        "Where a page lies in its list.",
        [
            Slot("hasNextPage", "bool", "Whether entries follow."),
            Slot("hasPreviousPage", "bool", "Whether entries precede."),
            Slot("startCursor", "Cursor | None", "Cursor of the first entry."),
            Slot("endCursor", "Cursor | None", "Cursor of the last entry."),
        ],
    )
    for interface in catalog.interfaces.values():
        names.interface(
            interface.name,
            interface.description,
            [
                Slot("id", "ID", "Unique in the whole graph."),
                Slot(interface.field, "DateTime", interface.field_description),
            ],
        )


def _objects(names: Names, catalog: Catalog) -> None:
    for row in catalog.rows.values():
        inputs.of_row(names, row, catalog)
        _statistics(names, row)
        _groups(names, row)
        names.output(
            row.name,
            row.declaration.description,
            list(_fields(row, catalog)),
            implements=("Node", *row.declaration.implements),
            resolved=_resolved(row, catalog, names),
        )
        _connection(names, row.name, [Slot("stats", f"{row.name}Stats", "Figures over the whole filtered list.")])
        revision = history_types.revision_of(row)
        names.output(revision, f"A change to one {row.name} row.", history_types.revision(row))
        _connection(names, revision, ())
        for link in row.links.values():
            if isinstance(link, OneOf):
                names.union(link.union, link.description, [catalog.addresses[each] for each in link.targets])
    for interface in catalog.interfaces.values():
        _connection(names, interface.name, ())
        kinds = [(shout(row.name), row.declaration.description) for row in catalog.implementing(interface.name)]
        names.enum(f"{interface.name}Type", f"The types behind {interface.name}.", kinds)


def _roots(catalog: Catalog) -> Iterator[tuple[Slot, Root]]:
    an_id = Slot("id", "ID", "The row's id.")
    yield Slot("node", "Node | None", "The row of an id, whatever its type.", (an_id, AS_OF)), Root("node")
    many_ids = Slot("ids", "list[ID]", "At most 100 ids.")
    yield Slot("nodes", "list[Node | None]", "The rows of the ids, in their order.", (many_ids,)), Root("nodes")
    for row in catalog.rows.values():
        name, plural = row.name[0].lower() + row.name[1:], row.declaration.plural
        yield Slot(name, f"{row.name} | None", f"The {row.name} of an id.", (an_id, AS_OF)), Root("one", row)
        yield Slot(plural, f"{row.name}Connection", f"All {row.name} rows.", _list_arguments(row)), Root("list", row)
        yield (
            Slot(f"{plural}Grouped", f"{row.name}Groups", f"{row.name} rows in groups.", inputs.group_arguments(row)),
            Root("groups", row),
        )
        for found in row.declaration.found_by:
            argument = Slot(camel(found.name), f"{row.name}By{found.name.capitalize()}", found.description)
            yield Slot(f"{name}By", f"{row.name} | None", found.description, (argument,)), Root("found_by", row, found)


def _price(core: GraphQLSchema, catalog: Catalog) -> None:
    """What fields cost beside their rows, in rows: figures read a whole list, groups a whole table, resolvers a
    value, a history looks into each day of the log."""
    for of in core.type_map.values():
        if isinstance(of, GraphQLObjectType):
            for name, field in of.fields.items():
                if of.name.endswith("Connection") and name in ("totalCount", "stats"):
                    field.extensions["cost"] = 3
                elif of.name == "Query" and name.endswith("Grouped"):
                    field.extensions["cost"] = 25
                elif of.name == "Mutation":
                    field.extensions["cost"] = 10
                elif of.name in catalog.rows and name in catalog.rows[of.name].resolved:
                    field.extensions["cost"] = 1
                elif of.name in catalog.rows and name == HISTORY:
                    field.extensions["cost"] = 10


def _input(names: Names, made: Input) -> None:
    for each in made.fields:
        if each.inner is not None and each.inner.name not in names.known:
            _input(names, each.inner)
    slots = [Slot(f.name, f.annotation + ("" if f.required else " | None"), f.description) for f in made.fields]
    names.input(made.name, made.description, slots)


def _result(names: Names, mutation: Mutation) -> Slot:
    """The type of one row's result, and the payload's field of them all."""
    gives = [
        Slot(each.name, each.annotation.removesuffix(" | None") + " | None", each.description)
        for each in mutation.gives
    ]
    error = Slot("error", "RowError | None", "Why the row was refused; null when it was not.")
    names.output(mutation.result, f"What became of one row of {mutation.name}.", [*gives, error])
    return Slot("results", f"list[{mutation.result}]", "What became of each row, in their order.")


def _mutations(names: Names, mutations: Mutations) -> list[Slot]:
    """The types of all mutations; gives the fields of the root."""
    for name, of in mutations.choices.items():
        if name not in names.known:
            inputs.choices(names, of, "One of a closed set.")
    names.choices("ErrorPolicy", "What becomes of the others when a row of many is refused.", list(POLICIES.items()))
    names.output("RowError", "Why a row was refused.", [Slot(*each) for each in ROW_ERROR])
    slots = []
    for each in mutations.by_name.values():
        if each.input.name not in names.known:
            _input(names, each.input)
        gives = [Slot(part.name, part.annotation, part.description) for part in each.gives]
        if each.many:
            gives = [_result(names, each), *(Slot(*count) for count in COUNTS)]
        names.output(each.payload, f"What {each.name} gives.", gives)
        arguments = (
            Slot("input", each.input.name, "What to do."),
            Slot("idempotencyKey", "str | None", REPLAY),
        )
        slots.append(Slot(each.name, each.payload, each.description, arguments))
    return slots


def build(catalog: Catalog, verbs: Sequence[Verb] = (), extra_roots: Sequence[type] = ()) -> Graph:
    """The schema of a catalog and its verbs; `extra_roots` are Strawberry classes whose fields read nothing stored."""
    names = Names()
    _shared(names, catalog)
    inputs.shared(names)
    _objects(names, catalog)
    roots = [*_roots(catalog), (subscription_types.changes(names, catalog), Root("changes"))]
    kept_alive = (slot for slot, root in roots if root.kind in ("one", "list"))
    streams = list(subscription_types.live(names, catalog, kept_alive))
    names.output("Subscription", "Everything that can be watched.", [slot for slot, _ in streams])
    names.output("Query", "Everything that can be asked.", [slot for slot, _ in roots], bases=tuple(extra_roots))
    mutations = derived(catalog, verbs)
    if mutations.by_name:
        names.output("Mutation", "Everything that can be done.", _mutations(names, mutations))
    schema = strawberry.Schema(
        query=names.known["Query"],
        mutation=names.known.get("Mutation"),
        subscription=names.known["Subscription"],
        types=[names.known[row] for row in catalog.rows],
        config=StrawberryConfig(scalar_map=scalars.SCALARS),
    )
    _price(schema._schema, catalog)
    return Graph(
        schema,
        schema._schema,
        catalog,
        {slot.name: root for slot, root in roots},
        frozenset(names.steering),
        mutations.by_name,
        {slot.name: root for slot, root in streams},
    )
