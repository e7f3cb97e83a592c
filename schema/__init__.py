"""The declarations: one package per context, one file per entity with its parts. A new context is one line in CONTEXTS."""

from functools import cache
from importlib import import_module

from hub.model import Entity

CONTEXTS = (
    "customers",
    "organisation",
    "sales",
    "engagement",
    "scoring",
    "privacy",
    "access",
    "webhooks",
)


@cache
def entities() -> tuple[type[Entity], ...]:
    """Every declared entity, in the order of the contexts and of the modules that each context lists."""
    packages = [import_module(f"{__name__}.{context}") for context in CONTEXTS]
    modules = [import_module(f"{package.__name__}.{module}") for package in packages for module in package.MODULES]
    return tuple(
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Entity) and value.__module__ == module.__name__
    )
