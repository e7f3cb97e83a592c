"""The graph: joins the declarations and the rules of the domain, and builds the catalog and the GraphQL schema from them."""

import pkgutil
from functools import cache
from importlib import import_module

from hub import domain, schema
from hub.engine.catalog.catalog import build_catalog
from hub.engine.graphql_types.schema_builder import Schema, build_schema
from hub.model.commands import Command, registered_commands
from hub.model.declare import Declaration, declare
from hub.model.moves import move_commands


@cache
def _load_rules() -> tuple[str, ...]:
    """Imports every module of hub.domain, which registers rules and commands; returns their names in the order of the schema."""
    declared = [module.partition(".")[0] for module in schema.MODULES]
    contexts = [context.name for context in pkgutil.iter_modules(domain.__path__)]
    ordered = [context for context in dict.fromkeys((*declared, *contexts)) if context in contexts]
    packages = [import_module(f"{domain.__name__}.{context}") for context in ordered]
    modules = [f"{package.__name__}.{m.name}" for package in packages for m in pkgutil.iter_modules(package.__path__)]
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
    return build_schema(build_catalog(declarations()), commands(), schema.root_groups())
