"""The part of an operation's variables that its plan depends on: structure, plan-relevant values, the number of search words."""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import FieldNode, VariableNode, Visitor, visit

from hub.engine.document.documents import Operation
from hub.engine.plan.arguments import plan_key_part
from hub.engine.plan.pagination import search_words

NO_ROLES: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())


def plan_cache_key(
    operation: Operation, variables: Mapping[str, Any], plan_relevant_enums: frozenset[str]
) -> Iterable[object]:
    """The variables' part of a plan's cache key: hashable values in the order in which the operation declares the variables."""
    search_variables, command_only = variable_roles(operation)
    for variable in operation.variables:
        name = variable.name
        if name in command_only:
            continue
        if name not in variables:
            yield ...  # unlike the key of any value
        elif variable.is_text and name not in search_variables:
            yield variables[name] is not None or None
        elif name in search_variables and isinstance(variables[name], str):
            yield len(search_words(variables[name]))
        else:
            yield plan_key_part(variables[name], variable.type, plan_relevant_enums)


def variable_roles(operation: Operation) -> tuple[frozenset[str], frozenset[str]]:
    """The variables that are `search` arguments, and those that only a mutation's commands read.

    The first call visits the whole operation, so it belongs to the check of its document."""
    if not operation.variables:
        return NO_ROLES
    roles = operation.cache.get("variable_roles")
    if roles is None:
        roles = operation.cache["variable_roles"] = (_search_variables(operation), _command_only(operation))
    assert isinstance(roles, tuple)
    return roles


class _VariableCollector(Visitor):
    """Collects the variables used below a node."""

    def __init__(self) -> None:
        super().__init__()
        self.variable_names: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.variable_names.add(node.name.value)


class _SearchCollector(Visitor):
    """Collects the variables that are `search` arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.variable_names: set[str] = set()

    def enter_argument(self, node: Any, *_: Any) -> None:
        if node.name.value == "search" and isinstance(node.value, VariableNode):
            self.variable_names.add(node.value.name.value)


def _search_variables(operation: Operation) -> frozenset[str]:
    collector = _SearchCollector()
    for tree in (operation.node, *operation.fragments.values()):
        visit(tree, collector)
    return frozenset(collector.variable_names)


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
