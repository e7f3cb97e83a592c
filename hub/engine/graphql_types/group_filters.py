"""Checks the filters of groups against the input types of the finished schema."""

from typing import cast

from graphql import GraphQLInputType, GraphQLSchema, Undefined, parse_value, value_from_ast

from hub.engine.catalog.catalog import Catalog
from hub.model.declarations import InvalidDeclaration


def check_group_filters(core: GraphQLSchema, catalog: Catalog) -> None:
    """Raises InvalidDeclaration for a filter of a group that is no literal of its list's filter."""
    for entity in catalog.entities.values():
        for group in entity.groups.values():
            for name, filtered in group.lists.items():
                filter_type = core.type_map[f"{catalog.list_target(entity, filtered).name}Filter"]
                if value_from_ast(parse_value(filtered.filter), cast(GraphQLInputType, filter_type)) is Undefined:
                    raise InvalidDeclaration(f"{group.name}.{name}: {filtered.filter} is no {filter_type}")
