"""Builds the catalog of all declared entities, and checks their links and groups against each other."""

from collections.abc import Iterable

from hub.engine.catalog.catalog import Catalog, CatalogEntity, camel_case, catalog_entity, has_index_on
from hub.model.declarations import InvalidDeclaration, MergedConnection, ToMany, ToOne, UnionLink
from hub.model.declare import Declaration


def _check_links(entity: CatalogEntity, catalog: Catalog, errors: list[str]) -> None:
    for name, link in entity.links.items():
        if isinstance(link, ToOne | ToMany) and link.target.__name__ not in catalog.entities:
            errors.append(f"{entity.name}.{name} leads to {link.target.__name__}, which is not declared")
        elif isinstance(link, ToOne) and link.by not in entity.table.c:
            errors.append(f"{entity.name}.{name}: {entity.table.name} has no column {link.by}")
        elif isinstance(link, ToMany):
            table = catalog.target(link.target).table
            if link.by not in table.c:
                errors.append(f"{entity.name}.{name}: {table.name} has no column {link.by}")
            elif not has_index_on(table, link.by, None):
                errors.append(f"{entity.name}.{name}: no index of {table.name} begins with {link.by}")
        elif isinstance(link, MergedConnection):
            if entity.declaration.scope.customer_column != "id":
                errors.append(f"{entity.name}.{name}: only the customer entity can have a merged connection")
            for implementer in catalog.implementing(link.interface.name):
                if implementer.declaration.scope.customer_column != link.by:
                    errors.append(
                        f"{entity.name}.{name}: {implementer.name} does not refer to its customer by {link.by}"
                    )
        elif isinstance(link, UnionLink):
            errors.extend(
                f"{entity.name}.{name} leads to {target.__name__}, which is not declared"
                for target in link.targets
                if target.__name__ not in catalog.entities
            )
        if not link.description:
            errors.append(f"{entity.name}.{name} has no description")
        errors.extend(
            f"{entity.name}.{name} leads to {target}, whose changes no live query can follow"
            for target in _link_targets(link)
            if entity.captured and target in catalog.entities and not catalog.entities[target].captured
        )


def _link_targets(link: ToOne | ToMany | UnionLink | MergedConnection) -> list[str]:
    """The names of the types that a link leads to, apart from those of an interface."""
    match link:
        case ToOne() | ToMany():
            return [link.target.__name__]
        case UnionLink():
            return [target.__name__ for target in link.targets]
        case MergedConnection():
            return []


def _check_groups(entity: CatalogEntity, errors: list[str]) -> None:
    for name, group in entity.groups.items():
        if not group.description:
            errors.append(f"{entity.name}.{name} has no description")
        for list_name, filtered in group.lists.items():
            if not isinstance(entity.links.get(camel_case(filtered.link)), ToMany):
                errors.append(f"{group.name}.{list_name} filters {filtered.link}, which is no list of {entity.name}")
            if not filtered.description:
                errors.append(f"{group.name}.{list_name} has no description")


def build_catalog(declarations: Iterable[Declaration]) -> Catalog:
    """Builds the catalog of the declarations; raises InvalidDeclaration with a list of all faults."""
    errors: list[str] = []
    entities = {declaration.name: catalog_entity(declaration, errors) for declaration in declarations}
    merged_links = [
        link for entity in entities.values() for link in entity.links.values() if isinstance(link, MergedConnection)
    ]
    catalog = Catalog(
        entities,
        {link.interface.name: link.interface for link in merged_links},
        {entity.declaration.prefix: entity for entity in entities.values()},
        inside={
            name: frozenset(map(camel_case, entity.declaration.inside))
            for name, entity in entities.items()
            if entity.declaration.inside
        },
    )
    if len(catalog.prefixes) != len(entities):
        errors.append("two entities share an id prefix")
    for entity in entities.values():
        if not entity.declaration.description:
            errors.append(f"{entity.name} has no docstring")
        _check_links(entity, catalog, errors)
        _check_groups(entity, errors)
    if errors:
        raise InvalidDeclaration("The declarations are invalid:\n" + "\n".join(f"- {error}" for error in errors))
    return catalog
