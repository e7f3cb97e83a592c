"""The graph: joins the declarations and the rules of the domain, and builds the catalog and the GraphQL schema from them."""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from hub import domain, schema
from hub.engine.catalog.catalog import build_catalog
from hub.engine.graphql_types.schema_builder import Schema, build_schema
from hub.model.commands import Command, registered_commands
from hub.model.declare import Declaration, declare
from hub.model.moves import move_commands


@cache
def _load_rules() -> tuple[str, ...]:
    """Imports every module of the domain's contexts, which registers its rules and commands; returns their names."""
    packages = [name for context in schema.CONTEXTS if find_spec(name := f"{domain.__name__}.{context}") is not None]
    modules = [
        f"{package}.{m.name}" for package in packages for m in pkgutil.iter_modules(import_module(package).__path__)
    ]
    for module in modules:
        import_module(module)
    return tuple(modules)


@cache
def declarations() -> tuple[Declaration, ...]:
    """Every entity as the engine reads it; raises InvalidDeclaration for one that lacks a rule."""
    _load_rules()
    return declare(schema.entities())


def commands() -> list[Command]:
    """The moves of workflows, and the commands that the domain registers."""
    modules = _load_rules()
    registered = [command for command in registered_commands() if command.function.__module__ in modules]
    registered.sort(key=lambda command: modules.index(command.function.__module__))
    return [*move_commands(schema.entities()), *registered]


@cache
def build() -> Schema:
    """The checked catalog and its GraphQL schema; raises InvalidDeclaration when a declaration cannot stand."""
    return build_schema(build_catalog(declarations()), commands())
