"""Builds the GraphQL schema of a catalog: objects, connections, aggregates, groups and root fields.

inputs.py adds the input types; type_factory.py creates single types."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import strawberry
from graphql import GraphQLObjectType, GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import (
    HISTORY,
    Catalog,
    CatalogEntity,
    ColumnField,
    camel_case,
    upper_snake,
    with_article,
)
from hub.engine.graphql_types import history_types, inputs, subscription_types
from hub.engine.graphql_types.group_filters import check_group_filters
from hub.engine.graphql_types.mutation_root import mutation_fields
from hub.engine.graphql_types.mutation_types import MutationField, derive_mutations
from hub.engine.graphql_types.resolver_types import resolver_fields
from hub.engine.graphql_types.root_groups import build_root_groups, root_field
from hub.engine.graphql_types.subscription_types import StreamRoot
from hub.engine.graphql_types.type_factory import FieldSpec, TypeFactory
from hub.model.commands import Command
from hub.model.declarations import LinkGroup, Lookup, MergedConnection, ToMany, ToOne, UnionLink
from hub.model.root_groups import RootGroup
from hub.model.scalars import Json

RootCategory = Literal["one", "list", "groups", "node", "node_as_of", "nodes", "lookup", "changes", "viewer"]

AS_OF_ARGUMENT = FieldSpec(
    "asOf",
    "DateTime | None",
    "Returns the row's own fields as of this time, if the key may see both the current and the past row. Links cannot be"
    " selected with it. The change log covers the days of HUB_CHANGE_RETENTION.",
)

AT_ARGUMENT = FieldSpec("at", "DateTime", "The time of the row's fields, within the days of HUB_CHANGE_RETENTION.")
NODE_AS_OF_DESCRIPTION = (
    "The row with this id, of any type, as it was at a time, if the key may see both the current and the past row. Links"
    " cannot be selected."
)


@dataclass(frozen=True, slots=True)
class RootField:
    """A root field of the query type, for the planner."""

    category: RootCategory
    entity: CatalogEntity | None = None
    lookup: Lookup | None = None
    group: RootGroup | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The finished schema: Strawberry's for Python resolvers, graphql-core's for validation, and the root fields."""

    strawberry: strawberry.Schema
    core: GraphQLSchema
    catalog: Catalog
    roots: dict[str, RootField]
    plan_relevant_enums: frozenset[str]
    mutations: Mapping[str, MutationField]
    streams: Mapping[str, StreamRoot]


def _list_arguments(entity: CatalogEntity, *, nested: bool = True) -> tuple[FieldSpec, ...]:
    search = (
        FieldSpec(
            "search", "str | None", "Words to search for; case and accents are ignored, and similar spellings match."
        ),
    )
    return (
        *inputs.page_arguments("rows", nested=nested),
        FieldSpec("filter", f"{entity.name}Filter | None", "Only rows that match this filter."),
        FieldSpec("orderBy", f"list[{entity.name}OrderBy] | None", "Sort order of the rows; the id breaks ties."),
        *(search if entity.declaration.search else ()),
    )


def _merged_arguments(link: MergedConnection) -> tuple[FieldSpec, ...]:
    return (
        *inputs.page_arguments("rows", nested=True),
        FieldSpec("types", f"list[{link.interface.name}Type] | None", "Only entries of these types."),
        FieldSpec("since", "DateTime | None", "Only entries at or after this time."),
        FieldSpec("until", "DateTime | None", "Only entries before this time."),
    )


def _fields(entity: CatalogEntity, catalog: Catalog) -> Iterator[FieldSpec]:
    yield FieldSpec("id", "ID", f"Unique in the whole graph, `{entity.declaration.prefix}_` and 32 hex digits.")
    for column in entity.columns.values():
        yield FieldSpec(column.name, inputs.annotation(column), str(column.column.comment))
    for name in entity.declaration.implements:
        yield FieldSpec(catalog.interfaces[name].field, "DateTime", catalog.interfaces[name].field_description)
    for name, link in entity.links.items():
        match link:
            case ToOne():
                null_suffix = " | None" if catalog.nullable(entity, link) else ""
                yield FieldSpec(name, link.target.__name__ + null_suffix, link.description)
            case ToMany():
                target = catalog.target(link.target)
                yield FieldSpec(name, f"{target.name}Connection", link.description, _list_arguments(target))
            case UnionLink():
                yield FieldSpec(name, f"{link.name} | None", link.description)
            case MergedConnection():
                yield FieldSpec(name, f"{link.interface.name}Connection", link.description, _merged_arguments(link))
    for name, group in entity.groups.items():
        yield FieldSpec(name, group.name, group.description)
    if entity.captured:
        yield history_types.history_field(entity)


def _group_fields(entity: CatalogEntity, group: LinkGroup, catalog: Catalog) -> Iterator[FieldSpec]:
    for name, filtered in group.lists.items():
        target = catalog.list_target(entity, filtered)
        yield FieldSpec(camel_case(name), f"{target.name}Connection", filtered.description, _list_arguments(target))


def _connection(factory: TypeFactory, type_name: str, extra: Sequence[FieldSpec]) -> None:
    factory.output(
        f"{type_name}Edge",
        f"One entry of {with_article(type_name)} list, with its cursor.",
        [
            FieldSpec("cursor", "Cursor", "The entry's position in this list."),
            FieldSpec("node", type_name, "The entry."),
        ],
    )
    factory.output(
        f"{type_name}Connection",
        f"A page of {with_article(type_name)} list.",
        [
            FieldSpec("edges", f"list[{type_name}Edge]", "Entries with their cursors."),
            FieldSpec("nodes", f"list[{type_name}]", "Entries without cursors."),
            FieldSpec("pageInfo", "PageInfo", "The page's position in its list."),
            FieldSpec("totalCount", "int", "Number of entries of the whole filtered list."),
            *extra,
        ],
    )


def _aggregate_annotation(column: ColumnField, *, extreme: bool) -> str:
    if column.scalar.is_money:
        return "list[Money]"
    return (
        inputs.non_null_annotation(column) + " | None" if extreme else "Amount | None"
    )  # a sum can exceed the range of its column's type


def _statistics(factory: TypeFactory, entity: CatalogEntity) -> None:
    numbers = [column for column in entity.aggregable if column.scalar.is_number]
    specs = [FieldSpec("count", "int", "Number of rows.")]
    parts = [("sum", "Sums", numbers), ("avg", "Averages", numbers), ("min", "Extremes", [*entity.aggregable])]
    for name, suffix, columns in parts:
        if columns:
            factory.output(
                f"{entity.name}{suffix}",
                f"{suffix} over {entity.name} rows; null if there are none. Money is listed by currency.",
                [
                    FieldSpec(
                        column.name, _aggregate_annotation(column, extreme=name == "min"), str(column.column.comment)
                    )
                    for column in columns
                ],
            )
            specs.append(
                FieldSpec(
                    name,
                    f"{entity.name}{suffix}",
                    {"sum": "Sums; null without rows.", "avg": "Averages.", "min": "Least values."}[name],
                )
            )
    specs.append(FieldSpec("max", f"{entity.name}Extremes", "Greatest values."))
    factory.output(f"{entity.name}Stats", f"Aggregates over a set of {entity.name} rows.", specs)


def _groups(factory: TypeFactory, entity: CatalogEntity, catalog: Catalog) -> None:
    keys = inputs.groupable(entity)
    factory.output(
        f"{entity.name}GroupKey",
        "The key of a group; a field that is not part of it is null.",
        [
            FieldSpec("id", "ID | None", "The row's id."),
            *(
                FieldSpec(column.name, inputs.non_null_annotation(column) + " | None", str(column.column.comment))
                for column in keys
            ),
            *(
                FieldSpec(name, f"{catalog.target(link.target).name}GroupKey | None", link.description)
                for name, link in inputs.group_links(entity)
            ),
        ],
    )
    factory.output(
        f"{entity.name}Group",
        f"{entity.name} rows with the same key.",
        [
            FieldSpec("key", f"{entity.name}GroupKey", "The key that the rows share."),
            FieldSpec("stats", f"{entity.name}Stats", "Aggregates over the group."),
        ],
    )
    _connection(factory, f"{entity.name}Group", ())


def _shared(factory: TypeFactory, catalog: Catalog) -> None:
    shared = {"DateTime": scalars.DateTime, "Date": scalars.Date, "Amount": scalars.Amount, "Json": Json}
    factory.types.update(shared, ID=strawberry.ID, Cursor=scalars.Cursor, Duration=scalars.Duration)
    factory.interface("Node", "An object with an id.", [FieldSpec("id", "ID", "Unique in the whole graph.")])
    factory.output(
        "Money",
        "An amount in a currency.",
        [FieldSpec("amount", "Amount", "The amount."), FieldSpec("currency", "str", "ISO 4217 code.")],
    )
    factory.output(
        "PageInfo",
        "The position of a page in its list.",
        [
            FieldSpec("hasNextPage", "bool", "Whether entries follow."),
            FieldSpec("hasPreviousPage", "bool", "Whether entries precede."),
            FieldSpec("startCursor", "Cursor | None", "Cursor of the first entry."),
            FieldSpec("endCursor", "Cursor | None", "Cursor of the last entry."),
        ],
    )
    for interface in catalog.interfaces.values():
        factory.interface(
            interface.name,
            interface.description,
            [
                FieldSpec("id", "ID", "Unique in the whole graph."),
                FieldSpec(interface.field, "DateTime", interface.field_description),
            ],
        )


def _objects(factory: TypeFactory, catalog: Catalog) -> None:
    for entity in catalog.entities.values():
        inputs.for_entity(factory, entity, catalog)
        _statistics(factory, entity)
        _groups(factory, entity, catalog)
        factory.output(
            entity.name,
            entity.declaration.description,
            list(_fields(entity, catalog)),
            implements=("Node", *entity.declaration.implements),
            resolved=resolver_fields(entity, factory),
        )
        _connection(
            factory,
            entity.name,
            [FieldSpec("stats", f"{entity.name}Stats", "Aggregates over the whole filtered list.")],
        )
        if entity.captured:
            revision = history_types.revision_type_name(entity)
            factory.output(revision, f"A change to one {entity.name} row.", history_types.revision_fields(entity))
            _connection(factory, revision, ())
        for link in entity.links.values():
            if isinstance(link, UnionLink):
                factory.union(link.name, link.description, [target.__name__ for target in link.targets])
        for group in entity.groups.values():
            factory.output(group.name, group.description, list(_group_fields(entity, group, catalog)))
    for interface in catalog.interfaces.values():
        _connection(factory, interface.name, ())
        values = [
            (upper_snake(entity.name), entity.declaration.description)
            for entity in catalog.implementing(interface.name)
        ]
        factory.enum(f"{interface.name}Type", f"The types that implement {interface.name}.", values)


def _roots(catalog: Catalog) -> Iterator[tuple[FieldSpec, RootField]]:
    id_argument = FieldSpec("id", "ID", "The row's id.")
    yield (
        FieldSpec("node", "Node | None", "The row with this id, of any type.", (id_argument,)),
        RootField("node"),
    )
    yield (
        FieldSpec("nodeAsOf", "Node | None", NODE_AS_OF_DESCRIPTION, (id_argument, AT_ARGUMENT)),
        RootField("node_as_of"),
    )
    ids_argument = FieldSpec("ids", "list[ID]", "At most 100 ids.")
    yield (
        FieldSpec("nodes", "list[Node | None]", "The rows with these ids, in the order of the ids.", (ids_argument,)),
        RootField("nodes"),
    )
    for entity in catalog.entities.values():
        name, plural = entity.declaration.singular, entity.declaration.plural
        one_arguments = (id_argument, AS_OF_ARGUMENT) if entity.captured else (id_argument,)
        yield (
            FieldSpec(name, f"{entity.name} | None", f"The {entity.name} with this id.", one_arguments),
            RootField("one", entity),
        )
        yield (
            FieldSpec(
                plural, f"{entity.name}Connection", f"All {entity.name} rows.", _list_arguments(entity, nested=False)
            ),
            RootField("list", entity),
        )
        yield (
            FieldSpec(
                f"{plural}Grouped",
                f"{entity.name}GroupConnection",
                f"{entity.name} rows in groups.",
                inputs.group_arguments(entity),
            ),
            RootField("groups", entity),
        )
        for lookup in entity.declaration.lookups:
            argument = FieldSpec(
                camel_case(lookup.name), f"{entity.name}By{lookup.name.capitalize()}", lookup.description
            )
            yield (
                FieldSpec(f"{name}By", f"{entity.name} | None", lookup.description, (argument,)),
                RootField("lookup", entity, lookup),
            )


def _is_live(root: RootField) -> bool:
    """Whether a live query can follow what the root returns."""
    return root.category in ("one", "list", "viewer") and (root.entity is None or root.entity.captured)


def _annotate_costs(core: GraphQLSchema, catalog: Catalog) -> None:
    """Sets the extra cost of fields, in rows: an aggregate reads a list, a group a table, a history every partition
    of the change log."""
    for type_ in core.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            for name, field in type_.fields.items():
                if type_.name.endswith("Connection") and name in ("totalCount", "stats"):
                    field.extensions["cost"] = 3
                elif type_.name == "Query" and name.endswith("Grouped"):
                    field.extensions["cost"] = 25
                elif type_.name == "Mutation":
                    field.extensions["cost"] = 10
                elif type_.name in catalog.entities and name in catalog.entities[type_.name].resolvers:
                    field.extensions["cost"] = 1
                elif type_.name in catalog.entities and name == HISTORY:
                    field.extensions["cost"] = 10


def build_schema(
    catalog: Catalog,
    commands: Sequence[Command] = (),
    root_groups: Sequence[RootGroup] = (),
    extra_roots: Sequence[type] = (),
) -> Schema:
    """Builds the schema of a catalog and its commands; `extra_roots` are Strawberry classes with more root fields."""
    factory = TypeFactory()
    _shared(factory, catalog)
    inputs.shared_inputs(factory)
    _objects(factory, catalog)
    build_root_groups(factory, catalog, root_groups, _list_arguments)
    roots = [*_roots(catalog), *((root_field(group), RootField("viewer", group=group)) for group in root_groups)]
    roots.append((subscription_types.changes_root(factory, catalog), RootField("changes")))
    live_queries = (spec for spec, root in roots if _is_live(root))
    streams = list(subscription_types.live_roots(factory, catalog, live_queries))
    factory.output("Subscription", "The subscription root.", [spec for spec, _ in streams])
    factory.output("Query", "The query root.", [spec for spec, _ in roots], bases=tuple(extra_roots))
    mutations = derive_mutations(catalog, commands)
    if mutations.by_name:
        factory.output("Mutation", "The mutation root.", mutation_fields(factory, mutations))
    schema = strawberry.Schema(
        query=factory.types["Query"],
        mutation=factory.types.get("Mutation"),
        subscription=factory.types["Subscription"],
        types=[factory.types[entity] for entity in catalog.entities],
        config=StrawberryConfig(scalar_map=scalars.SCALARS),
    )
    _annotate_costs(schema._schema, catalog)
    check_group_filters(schema._schema, catalog)
    return Schema(
        schema,
        schema._schema,
        catalog,
        {spec.name: root for spec, root in roots},
        frozenset(factory.plan_relevant_enums),
        mutations.by_name,
        {spec.name: root for spec, root in streams},
    )
