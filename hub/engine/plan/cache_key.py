"""The part of an operation's variables that its plan depends on: structure, plan-relevant values, the types that ids name."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graphql import FieldNode, VariableNode, Visitor, visit

from hub.engine.document.documents import Operation
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.arguments import id_prefixes, plan_key_part
from hub.engine.plan.pagination import search_words


class VariableRoles(NamedTuple):
    """The variables of an operation by what they are for."""

    searches: frozenset[str] = frozenset()  # those that are `search` arguments
    ids: frozenset[str] = frozenset()  # those that hold ids of rows of any type
    command_only: frozenset[str] = frozenset()  # those that only a mutation's commands read


NO_ROLES = VariableRoles()
NODE_ROOTS = frozenset({"node", "nodes", "nodeAsOf"})


def plan_cache_key(operation: Operation, variables: Mapping[str, Any], schema: Schema) -> Iterable[object]:
    """The variables' part of a plan's cache key: hashable values in the order in which the operation declares the variables."""
    roles = variable_roles(operation)
    for variable in operation.variables:
        name = variable.name
        if name in roles.command_only:
            continue
        if name not in variables:
            yield ...  # unlike the key of any value
        elif name in roles.searches and isinstance(variables[name], str):
            yield len(search_words(variables[name]))
        elif name in roles.ids:
            yield id_prefixes(variables[name], schema.catalog.prefixes)
        elif variable.is_text:
            yield variables[name] is not None or None
        else:
            yield plan_key_part(variables[name], variable.type, schema.plan_relevant_enums)


def variable_roles(operation: Operation) -> VariableRoles:
    """The variables by what they are for.

    The first call visits the whole operation, so it belongs to the check of its document."""
    if not operation.variables:
        return NO_ROLES
    roles = operation.cache.get("variable_roles")
    if roles is None:
        roles = operation.cache["variable_roles"] = _variable_roles(operation)
    assert isinstance(roles, VariableRoles)
    return roles


class _VariableCollector(Visitor):
    """Collects the variables used below a node."""

    def __init__(self) -> None:
        super().__init__()
        self.variable_names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.variable_names.add(node.name.value)


class _RoleCollector(Visitor):
    """Collects the variables that are `search` arguments, and those below the arguments of the roots that take any id."""

    def __init__(self) -> None:
        super().__init__()
        self.searches: set[str] = set()
        self.ids = _VariableCollector()

    def enter_argument(self, node: Any, *_: Any) -> None:
        if node.name.value == "search" and isinstance(node.value, VariableNode):
            self.searches.add(node.value.name.value)

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        if node.name.value in NODE_ROOTS:
            for argument in node.arguments or ():
                if argument.name.value in ("id", "ids"):
                    visit(argument, self.ids)


def _variable_roles(operation: Operation) -> VariableRoles:
    collector = _RoleCollector()
    for tree in (operation.node, *operation.fragments.values()):
        visit(tree, collector)
    return VariableRoles(
        frozenset(collector.searches), frozenset(collector.ids.variable_names), _command_only(operation)
    )


def _command_only(operation: Operation) -> frozenset[str]:
    """The variables that only arguments of a mutation's root fields use: no plan depends on them.

    Root fields within fragments count as selections; that costs sharing, never correctness."""
    if operation.operation_type != "mutation":
        return frozenset()
    commands, others = _VariableCollector(), _VariableCollector()
    for node in operation.node.selection_set.selections:
        if isinstance(node, FieldNode):
            for argument in node.arguments or ():
                visit(argument, commands)
            for part in (*(node.directives or ()), *([node.selection_set] if node.selection_set else [])):
                visit(part, others)
        else:
            visit(node, others)
    for fragment in operation.fragments.values():
        visit(fragment, others)
    return frozenset(commands.variable_names - others.variable_names)
