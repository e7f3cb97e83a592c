"""Smaller documents out of one: each lacks a selection, an argument, a key of a filter or a directive."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    DocumentNode,
    FragmentSpreadNode,
    Node,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    visit,
)
from graphql.language.ast import FragmentDefinitionNode
from graphql.language.visitor import REMOVE

from oracle.script import Step

_REMOVABLE_KINDS = ("field", "inline_fragment", "fragment_spread", "argument", "object_field", "directive")


class _UsedNames(Visitor):
    """What a document still uses."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()
        self.spreads: set[str] = set()

    def enter_variable(self, node: VariableNode, _key: Any, parent: Any, *_: Any) -> None:
        if getattr(parent, "kind", "") != "variable_definition":
            self.variables.add(node.name.value)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        self.spreads.add(node.name.value)


def smaller_steps(step: Step) -> Iterator[Step]:
    """All documents that lack one thing, the largest things first."""
    document = parse(step.query, no_location=True)
    nodes: list[Node] = []

    class _NodeCollector(Visitor):
        def enter(self, node: Node, *_: Any) -> None:
            if node.kind in _REMOVABLE_KINDS:
                nodes.append(node)

    visit(document, _NodeCollector())
    for removed in nodes:
        reduced = _without(document, removed)
        if reduced is not None:
            text = print_ast(reduced)
            names = _names(reduced)
            yield Step(
                text, {name: value for name, value in step.variables.items() if name in names.variables}, step.name
            )


def _names(document: DocumentNode) -> _UsedNames:
    names = _UsedNames()
    visit(document, names)
    return names


def _without(document: DocumentNode, removed: Node) -> DocumentNode | None:
    """The document without a node, and without what nothing uses any more; None when a selection would be empty."""
    empty = False

    class _NodeRemover(Visitor):
        def enter(self, node: Node, *_: Any) -> Any:
            return REMOVE if node is removed else None

        def leave_selection_set(self, node: Any, *_: Any) -> None:
            nonlocal empty
            empty = empty or not node.selections

    reduced = visit(document, _NodeRemover())
    return None if empty else _without_unused(reduced)


def _without_unused(document: DocumentNode) -> DocumentNode:
    """Without unused fragments and variables."""
    while True:
        names = _names(document)
        remaining = [
            definition
            for definition in document.definitions
            if not isinstance(definition, FragmentDefinitionNode) or definition.name.value in names.spreads
        ]
        if len(remaining) == len(document.definitions):
            break
        document = DocumentNode(definitions=tuple(remaining))
    return DocumentNode(
        definitions=tuple(_without_unused_variables(definition, names.variables) for definition in document.definitions)
    )


def _without_unused_variables(definition: Any, used: set[str]) -> Any:
    if not isinstance(definition, OperationDefinitionNode):
        return definition
    variables = tuple(
        variable for variable in definition.variable_definitions or () if variable.variable.name.value in used
    )
    return OperationDefinitionNode(
        operation=definition.operation,
        name=definition.name,
        variable_definitions=variables,
        directives=definition.directives,
        selection_set=definition.selection_set,
    )
