"""The part of an operation's variables that its plan depends on: structure, what steers, how many words are searched for."""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import FieldNode, VariableNode, Visitor, visit

from hub.engine.document.documents import Operation
from hub.engine.plan.arguments import shape_of
from hub.engine.plan.pagination import words


def shape(operation: Operation, variables: Mapping[str, Any], steering: frozenset[str]) -> Iterable[object]:
    """What of the variables is part of a plan's key, hashable, in the order in which the operation declares them."""
    searched, commanding = _marks(operation)
    for variable in operation.variables:
        name = variable.name
        if name in commanding:
            continue
        if name not in variables:
            yield ...  # which equals no shape of any value
        elif name in searched and isinstance(variables[name], str):
            yield len(words(variables[name]))
        else:
            yield shape_of(variables[name], variable.type, steering)


def _marks(operation: Operation) -> tuple[frozenset[str], frozenset[str]]:
    """The variables that stand as `search` arguments, and those that only a mutation's commands read."""
    marks = operation.plans.get("marks")
    if marks is None:
        marks = operation.plans["marks"] = (_searched(operation), _commanding(operation))
    assert isinstance(marks, tuple)
    return marks


class _Variables(Visitor):
    """Collects the variables used below a node."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.found.add(node.name.value)


def _searched(operation: Operation) -> frozenset[str]:
    found: set[str] = set()

    class Arguments(Visitor):
        def enter_argument(self, node: Any, *_: Any) -> None:
            if node.name.value == "search" and isinstance(node.value, VariableNode):
                found.add(node.value.name.value)

    for tree in (operation.node, *operation.fragments.values()):
        visit(tree, Arguments())
    return frozenset(found)


def _commanding(operation: Operation) -> frozenset[str]:
    """Variables that stand in arguments of a mutation's own root fields and nowhere else: no plan depends on them.

    Roots within fragments count as selections, which is never wrong, only less shared."""
    if operation.kind != "mutation":
        return frozenset()
    commands, rest = _Variables(), _Variables()
    for node in operation.node.selection_set.selections:
        if isinstance(node, FieldNode):
            for argument in node.arguments or ():
                visit(argument, commands)
            for part in (*(node.directives or ()), *([node.selection_set] if node.selection_set else [])):
                visit(part, rest)
        else:
            visit(node, rest)
    for fragment in operation.fragments.values():
        visit(fragment, rest)
    return frozenset(commands.found - rest.found)
