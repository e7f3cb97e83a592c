"""Builds the GraphQL types of root groups; plan/root_groups.py plans them."""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any

from hub.engine.catalog.catalog import Catalog, CatalogEntity, camel_case
from hub.engine.graphql_types import inputs
from hub.engine.graphql_types.type_factory import FieldSpec, TypeFactory
from hub.model.declarations import InvalidDeclaration
from hub.model.fields import split_optional
from hub.model.root_groups import RootGroup, ViewerList, ViewerObject
from hub.viewer import Viewer

ListArguments = Callable[[CatalogEntity], tuple[FieldSpec, ...]]


def build_root_groups(
    factory: TypeFactory, catalog: Catalog, groups: Sequence[RootGroup], list_arguments: ListArguments
) -> None:
    """Adds the types of the groups; raises InvalidDeclaration for a part that the viewer does not have.

    `list_arguments` gives the arguments of a list of an entity's rows."""
    errors: list[str] = []
    for group in groups:
        factory.output(
            group.type_name, group.description, list(_parts(factory, catalog, group, list_arguments, errors))
        )
    if errors:
        raise InvalidDeclaration("The root groups are invalid:\n" + "\n".join(f"- {error}" for error in errors))


def root_field(group: RootGroup) -> FieldSpec:
    """The field of the query type."""
    return FieldSpec(group.name, group.type_name, group.description)


def _parts(
    factory: TypeFactory, catalog: Catalog, group: RootGroup, list_arguments: ListArguments, errors: list[str]
) -> Iterator[FieldSpec]:
    for name, part in group.parts.items():
        if isinstance(part, ViewerObject):
            factory.output(part.name, part.description, list(_values(factory, part, errors)))
            yield FieldSpec(camel_case(name), part.name, part.description)
            continue
        if part.target.__name__ not in catalog.entities:
            errors.append(f"{group.type_name}.{name} leads to {part.target.__name__}, which is not declared")
            continue
        if isinstance(part, ViewerList):
            arguments = list_arguments(catalog.target(part.target))
            yield FieldSpec(camel_case(name), f"{part.target.__name__}Connection", part.description, arguments)
            continue
        _require_attribute(part.attribute or f"{name}_id", f"{group.type_name}.{name}", errors)
        yield FieldSpec(camel_case(name), f"{part.target.__name__} | None", part.description)


def _values(factory: TypeFactory, viewer_object: ViewerObject, errors: list[str]) -> Iterator[FieldSpec]:
    for name, value in viewer_object.values.items():
        _require_attribute(value.attribute or name, f"{viewer_object.name}.{name}", errors)
        bare, nullable = split_optional(value.type)
        annotation = _annotation(factory, bare, value.description)
        yield FieldSpec(camel_case(name), annotation + (" | None" if nullable else ""), value.description)


def _annotation(factory: TypeFactory, python_type: Any, description: str) -> str:
    if isinstance(python_type, type) and issubclass(python_type, Enum):
        if python_type.__name__ not in factory.types:
            inputs.enum(factory, python_type, description)
        return python_type.__name__
    return inputs.annotation_of(python_type)


def _require_attribute(attribute: str, field: str, errors: list[str]) -> None:
    if not hasattr(Viewer, attribute):
        errors.append(f"{field} reads {attribute}, which a viewer does not have")
