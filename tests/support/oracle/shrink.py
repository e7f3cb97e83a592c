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

_DROPPED = ("field", "inline_fragment", "fragment_spread", "argument", "object_field", "directive")


class _Names(Visitor):
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


def smaller(step: Step) -> Iterator[Step]:
    """All documents that lack one thing, the largest things first."""
    document = parse(step.query, no_location=True)
    nodes: list[Node] = []

    class _Collect(Visitor):
        def enter(self, node: Node, *_: Any) -> None:
            if node.kind in _DROPPED:
                nodes.append(node)

    visit(document, _Collect())
    for dropped in nodes:
        reduced = _without(document, dropped)
        if reduced is not None:
            text = print_ast(reduced)
            names = _names(reduced)
            yield Step(
                text, {name: value for name, value in step.variables.items() if name in names.variables}, step.name
            )


def _names(document: DocumentNode) -> _Names:
    names = _Names()
    visit(document, names)
    return names


def _without(document: DocumentNode, dropped: Node) -> DocumentNode | None:
    """The document without a node, and without what nothing uses any more; None when a selection would be empty."""
    empty = False

    class _Drop(Visitor):
        def enter(self, node: Node, *_: Any) -> Any:
            return REMOVE if node is dropped else None

        def leave_selection_set(self, node: Any, *_: Any) -> None:
            nonlocal empty
            empty = empty or not node.selections

    reduced = visit(document, _Drop())
    return None if empty else _swept(reduced)


def _swept(document: DocumentNode) -> DocumentNode:
    """Without unused fragments and variables."""
    while True:
        names = _names(document)
        kept = [
            each
            for each in document.definitions
            if not isinstance(each, FragmentDefinitionNode) or each.name.value in names.spreads
        ]
        if len(kept) == len(document.definitions):
            break
        document = DocumentNode(definitions=tuple(kept))
    return DocumentNode(definitions=tuple(_declaring(each, names.variables) for each in document.definitions))


def _declaring(definition: Any, used: set[str]) -> Any:
    if not isinstance(definition, OperationDefinitionNode):
        return definition
    kept = tuple(each for each in definition.variable_definitions or () if each.variable.name.value in used)
    return OperationDefinitionNode(
        operation=definition.operation,
        name=definition.name,
        variable_definitions=kept,
        directives=definition.directives,
        selection_set=definition.selection_set,
    )
