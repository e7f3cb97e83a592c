"""Names the list that makes an operation expensive, for the error of an operation that costs too much."""

from collections.abc import Iterator, Mapping
from math import prod

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from hub.engine.catalog.page_sizes import NESTED_PAGE, ROOT_PAGE
from hub.engine.document.cost import CostModel, ObjectOrInterface, is_list
from hub.engine.document.limits import node_locations
from hub.errors import LimitExceeded

# The response keys on the way to a list, the rows of each list on that way, and the list's field.
ListOnPath = tuple[tuple[str, ...], tuple[int, ...], FieldNode]


def cost_error(
    model: CostModel,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    values: Mapping[str, object],
    requested: int,
    allowed: int,
) -> LimitExceeded:
    """The error of an operation that could touch `requested` rows with these values of its variables."""
    lists = _Lists(model, fragments, values)
    root = model.root_type(operation.operation)
    entries = list(lists.below(operation.selection_set, root, (), ()))
    message = f"The operation could touch {requested:,} rows; {allowed:,} are allowed."
    extensions: dict[str, object] = {"requested": requested, "allowed": allowed}
    node: FieldNode | OperationDefinitionNode = operation
    if entries:
        path, sizes, node = max(entries, key=lambda entry: (prod(entry[1]), -len(entry[0])))
        extensions["list"] = ".".join(path)
        message += f" Most are in {'.'.join(path)}: {' × '.join(f'{size:,}' for size in sizes)}."
    error = LimitExceeded(
        f"{message} Ask for smaller pages (first, last) there, or for fewer lists inside lists. Without a size, a list"
        f" inside another has {NESTED_PAGE} rows, and any other list {ROOT_PAGE}.",
        code="COST_LIMIT",
        extensions=extensions,
    )
    error.locations = node_locations(node)
    return error


class _Lists:
    """Walks the lists of one operation. The limits have bounded the document with its fragments expanded."""

    def __init__(
        self, model: CostModel, fragments: Mapping[str, FragmentDefinitionNode], values: Mapping[str, object]
    ) -> None:
        self._model = model
        self._fragments = fragments
        self._values = values

    def below(
        self, node: SelectionSetNode, parent: GraphQLNamedType | None, path: tuple[str, ...], sizes: tuple[int, ...]
    ) -> Iterator[ListOnPath]:
        """The lists of a selection on `parent`, which stands at a path below lists of these sizes."""
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                if (
                    isinstance(parent, ObjectOrInterface)
                    and selection.selection_set
                    and selection.name.value in parent.fields
                ):
                    yield from self._field(selection, selection.selection_set, parent, path, sizes)
                continue
            fragment: Node = selection
            if isinstance(selection, FragmentSpreadNode):
                fragment = self._fragments[selection.name.value]
            assert isinstance(fragment, FragmentDefinitionNode | InlineFragmentNode)
            condition = fragment.type_condition
            inner = self._model.types[condition.name.value] if condition else parent
            yield from self.below(fragment.selection_set, inner, path, sizes)

    def _field(
        self,
        node: FieldNode,
        selection_set: SelectionSetNode,
        parent: ObjectOrInterface,
        path: tuple[str, ...],
        sizes: tuple[int, ...],
    ) -> Iterator[ListOnPath]:
        model, definition = self._model, parent.fields[node.name.value]
        named = get_named_type(definition.type)
        path = (*path, (node.alias or node.name).value)
        if model.is_unpaged_connection(definition, parent):
            counted = False
        else:
            counted = named in model.connections or (is_list(definition.type) and parent not in model.connections)
        if counted:
            sizes = (*sizes, model.list_size(definition, node, parent).rows(self._values))
            yield path, sizes, node
        yield from self.below(selection_set, named, path, sizes)
