"""Which types, fields, arguments and enum values a narrowed catalog hides; the names are those that schema_builder.py gives."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.engine.catalog.catalog import HISTORY, Catalog, CatalogEntity, camel_case
from hub.engine.graphql_types import inputs
from hub.engine.graphql_types.history_types import revision_type_name
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.graphql_types.subscription_types import field_name
from hub.model.declarations import ToMany, ToOne, UnionLink
from hub.model.lasting import LASTING_COLUMNS
from hub.rights import Mask

# Fields of input types that say nothing by themselves.
IDLE_FIELDS = {
    "Filter": frozenset({"and", "or", "not"}),
    "OrderBy": frozenset({"direction"}),
    "GroupBy": frozenset({"bucket", "timezone"}),
    "SumFilter": frozenset({"currency"}),
    "RangeFilter": frozenset({"currency"}),
}


@dataclass(slots=True)
class HiddenMembers:
    """What is hidden. `nullable` fields may be null; a type with no members but `idle` ones is as good as empty."""

    types: set[str] = field(default_factory=set)
    members: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    arguments: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    nullable: dict[str, frozenset[str]] = field(default_factory=dict)
    idle: dict[str, frozenset[str]] = field(default_factory=dict)

    def keep(self, type_name: str, members: Iterable[str], remaining: Iterable[str]) -> None:
        """Hides all of these members but some."""
        self.members[type_name].update(set(members) - set(remaining))


def hidden_members(schema: Schema, catalog: Catalog) -> HiddenMembers:
    """What a catalog that narrows the schema's catalog hides."""
    hidden = HiddenMembers()
    for name, entity in schema.catalog.entities.items():
        narrowed = catalog.entities.get(name)
        hidden.idle |= {f"{name}{suffix}": fields for suffix, fields in IDLE_FIELDS.items()}
        if narrowed is None:
            _hide_entity(hidden, entity)
            _hide_rows(hidden, entity)
            continue
        if narrowed.aggregate_only:
            _hide_rows(hidden, entity)
            hidden.members[f"{name}Filter"].add("id")
            hidden.members[f"{name}GroupField"].add("ID")
            hidden.members[f"{name}Connection"].add("pageInfo")
        _hide_fields(hidden, catalog, entity, narrowed)
        nullable = {
            key for key, link in narrowed.links.items() if isinstance(link, ToOne) and catalog.nullable(narrowed, link)
        }
        hidden.nullable[name] |= nullable
        _hide_uses(hidden, entity, narrowed)
    _hide_lookups(hidden, schema, catalog)
    _hide_searches(hidden, schema, catalog)
    return hidden


def _hide_entity(hidden: HiddenMembers, entity: CatalogEntity) -> None:
    """Hides every way to the entity; members whose types are hidden go with them."""
    name = entity.name
    suffixes = ("Connection", "Filter", "ListFilter", "ListOrderBy", "OrderBy", "Stats", "Group", "GroupBy", "GroupKey")
    hidden.types.update(f"{name}{suffix}" for suffix in (*suffixes, "GroupConnection", "Comparison"))
    plural = entity.declaration.plural
    hidden.members["Query"].update((plural, f"{plural}Grouped"))
    hidden.members["Subscription"].add(f"{plural}Live")


def _hide_rows(hidden: HiddenMembers, entity: CatalogEntity) -> None:
    """Hides the rows of the entity, and conditions on single rows."""
    name, root = entity.name, entity.declaration.singular
    revision = revision_type_name(entity)
    hidden.types.update((name, f"{name}Edge", revision, f"{revision}Connection", f"{revision}Edge"))
    hidden.types.update((f"{name}ListFilter", f"{name}ListOrderBy"))
    hidden.members["Query"].update((root, f"{root}By"))
    hidden.members["Subscription"].add(f"{root}Live")
    hidden.members["EntityType"].add(entity.entity_type)
    hidden.members["ChangeFilter"].add(field_name(entity))
    for interface in entity.declaration.implements:
        hidden.members[f"{interface}Type"].add(entity.entity_type)
    for group in entity.groups.values():
        hidden.types.add(group.name)


def _hide_fields(hidden: HiddenMembers, catalog: Catalog, entity: CatalogEntity, narrowed: CatalogEntity) -> None:
    """Hides fields of the type itself, and in the lists of its groups; notes those that may be null."""
    selectable = {*narrowed.columns, *narrowed.links, *narrowed.groups, *narrowed.resolvers}
    for interface in entity.declaration.implements:
        if not narrowed.shows_interface(interface):
            hidden.members[f"{interface}Type"].add(entity.entity_type)
            hidden.members[entity.name].add(catalog.interfaces[interface].field)
    fields = {*entity.columns, *entity.links, *entity.groups, *entity.resolvers, HISTORY}
    hidden.keep(entity.name, fields, selectable | ({HISTORY} if narrowed.shows_history else set()))
    nullable = {
        name
        for name, cell in narrowed.cells.items()
        if not cell.every_row or any(mask is Mask.NULL for mask, _ in cell.masked)
    }
    hidden.nullable[entity.name] = frozenset(nullable)
    for name, group in entity.groups.items():
        lists = narrowed.groups[name].lists if name in narrowed.groups else {}
        hidden.keep(group.name, map(camel_case, group.lists), map(camel_case, lists))
    for name, link in entity.links.items():
        narrowed_link = narrowed.links.get(name)
        if isinstance(link, UnionLink) and isinstance(narrowed_link, UnionLink):
            hidden.keep(link.name, (t.__name__ for t in link.targets), (t.__name__ for t in narrowed_link.targets))


def _hide_uses(hidden: HiddenMembers, entity: CatalogEntity, narrowed: CatalogEntity) -> None:
    """Hides what cannot be filtered, sorted, aggregated and grouped by."""
    name = entity.name
    linked = {key for key, link in entity.links.items() if isinstance(link, ToOne | ToMany)}
    links = {key for key in linked if narrowed.uses_link(key)}
    used = {*narrowed.filterable, *links}
    hidden.keep(f"{name}Filter", {*entity.filterable, *linked}, used)
    parents = [key for key, link in entity.links.items() if isinstance(link, ToOne) and link.target.__name__ == name]
    if entity.declaration.tree is not None and not all(map(narrowed.uses_link, parents)):
        hidden.members[f"{name}Filter"].add(inputs.UNDER)
    if entity.declaration.lasting and not narrowed.is_usable(*LASTING_COLUMNS):
        hidden.members[f"{name}Filter"].add(inputs.HOLDS)
    for scalar, columns in inputs.comparable_fields(entity).items():
        names = {column.column.name.upper() for column in columns}
        hidden.keep(
            f"{name}{scalar}Field", names, {column.column.name.upper() for column in narrowed.filterable.values()}
        )
    hidden.keep(f"{name}Comparison", entity.filterable, narrowed.filterable)
    aggregated = [column.name for column in narrowed.aggregable]
    for suffix in ("SumFilter", "RangeFilter", "Sums", "Averages", "Extremes"):
        hidden.keep(f"{name}{suffix}", entity.columns, {*aggregated, "currency"})
    hidden.keep(
        f"{name}AggregateField",
        (column.column.name.upper() for column in entity.aggregable),
        (column.column.name.upper() for column in narrowed.aggregable),
    )
    hidden.keep(f"{name}SortField", entity.sort_keys, narrowed.sort_keys)
    grouped = inputs.groupable(narrowed)
    keys = {column.name for column in inputs.groupable(entity)}
    hidden.keep(
        f"{name}GroupField",
        (column.column.name.upper() for column in inputs.groupable(entity)),
        (column.column.name.upper() for column in grouped),
    )
    hidden.keep(f"{name}GroupKey", {*keys, *linked}, {*(column.name for column in grouped), *links})
    hidden.keep(f"{name}GroupByLink", linked, links)
    hidden.keep(f"{name}OrderBy", linked, links)


def _hide_lookups(hidden: HiddenMembers, schema: Schema, catalog: Catalog) -> None:
    """Hides lookups through columns that may not be filtered by."""
    tables: Mapping[object, CatalogEntity] = {entity.table: entity for entity in catalog.entities.values()}
    for name, root in schema.roots.items():
        if root.lookup is None:
            continue
        through = tables.get(root.lookup.table)
        columns = {column.name for column in root.lookup.compared.values()}
        if through is None or through.aggregate_only or not through.is_usable(*columns):
            hidden.members["Query"].add(name)


def _hide_searches(hidden: HiddenMembers, schema: Schema, catalog: Catalog) -> None:
    """Hides the `search` of lists whose searched columns are not all readable."""
    unsearchable = {name for name, entity in catalog.entities.items() if not entity.searchable}
    roots = {f"{schema.catalog.entities[name].declaration.plural}Live" for name in unsearchable}
    types = {f"{name}{suffix}" for name in unsearchable for suffix in ("Connection", "GroupConnection")}
    for type_name, type_ in schema.core.type_map.items():
        for name, member in getattr(type_, "fields", {}).items():
            if "search" not in getattr(member, "args", ()):
                continue
            of_type = str(member.type).strip("[]!")
            if of_type in types or (type_name == "Subscription" and name in roots):
                hidden.arguments[type_name, name] = frozenset({"search"})
