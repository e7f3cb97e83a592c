"""Builds the fields that Python resolves, from the methods of declarations."""

from datetime import date, datetime
from enum import Enum
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.graphql_types import inputs
from hub.engine.graphql_types.type_factory import TypeFactory
from hub.model.fields import split_optional

# Types that the library would read and write in its own way.
TIMES = (datetime, date)


def resolver_fields(entity: CatalogEntity, factory: TypeFactory) -> list[StrawberryField]:
    """The fields of an entity that Python resolves; adds the enums that they return."""
    fields = []
    for name, declared_resolver in entity.resolvers.items():
        resolver: StrawberryResolver[Any] = StrawberryResolver(declared_resolver.function)
        field = strawberry.field(
            resolver=resolver, name=name, description=str(declared_resolver.function.__doc__).strip()
        )
        returned: Any = (
            f"list[{declared_resolver.returns.__name__}]"
            if declared_resolver.returns
            else declared_resolver.function.__annotations__["return"]
        )
        if isinstance(returned, type) and issubclass(returned, Enum):
            enum_class: type[Enum] = returned
            returned = enum_class.__name__
            if returned not in factory.types:
                inputs.enum(factory, enum_class, str(declared_resolver.function.__doc__).strip())
        field.type_annotation = factory.annotation(_annotation(returned))
        computed = (name for name, _ in (*declared_resolver.expressions, *declared_resolver.conditions))
        takes = {
            "now": declared_resolver.takes_now,
            "viewer": declared_resolver.takes_viewer,
            "redirects": declared_resolver.takes_redirects,
        }
        injected = (*declared_resolver.needs, *computed, *(name for name, is_taken in takes.items() if is_taken))
        field.arguments = [argument for argument in field.arguments if argument.python_name not in injected]
        for argument in field.arguments:
            if argument.type in TIMES:
                argument.type_annotation = factory.annotation(inputs.annotation_of(argument.type))
        fields.append(field)
    return fields


def _annotation(python_type: Any) -> Any:
    """The annotation of a result: for times, alone or nullable, the hub's own scalar."""
    bare_type, nullable = split_optional(python_type)
    if bare_type not in TIMES:
        return python_type
    return inputs.annotation_of(bare_type) + (" | None" if nullable else "")
