"""Introspection: the parts of an operation that read the schema and not the database. graphql-core executes them."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    execute,
)

from hub.db.fair_queue import Flow
from hub.engine.document.documents import Operation
from hub.engine.document.variables import recoercible_definitions
from hub.engine.planning_turns import PlanningTurns


class Introspection:
    """Answers introspection over the schemas of operations."""

    def __init__(self, planning: PlanningTurns) -> None:
        self._planning = planning

    async def response_body(self, operation: Operation, variables: Mapping[str, Any], flow: Flow) -> bytes:
        """The response to an operation that only reads the schema; cached with it when no variable can change it.

        A large schema takes long to describe, so it waits for the flow's turn."""

        def find() -> bytes | None:
            cached = operation.cache.get("introspection")
            return cached if isinstance(cached, bytes) else None

        def store(body: bytes) -> None:
            if not operation.variables:
                operation.cache["introspection"] = body

        def create() -> bytes:
            return orjson.dumps(self._execute(operation, operation.node, variables).formatted)

        cached = find()
        return cached if cached is not None else await self._planning.create(flow, find, create, store)

    async def root_values(
        self, operation: Operation, variables: Mapping[str, Any], response_keys: tuple[str, ...], flow: Flow
    ) -> ExecutionResult:
        """The values of the root fields that read no stored rows, in an operation with other root fields too."""
        return await self._planning.create(
            flow, lambda: None, lambda: self._root_values(operation, variables, response_keys), lambda _: None
        )

    def _root_values(
        self, operation: Operation, variables: Mapping[str, Any], response_keys: tuple[str, ...]
    ) -> ExecutionResult:
        requested_fields = [
            node
            for node in _root_fields(operation.node.selection_set, operation)
            if (node.alias or node.name).value in response_keys
        ]
        node = OperationDefinitionNode(
            operation=operation.node.operation,
            name=operation.node.name,
            variable_definitions=recoercible_definitions(operation),  # these root fields can use no others
            directives=operation.node.directives,
            selection_set=SelectionSetNode(selections=tuple(requested_fields)),
        )
        return self._execute(operation, node, variables)

    def _execute(
        self, operation: Operation, node: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> ExecutionResult:
        document = DocumentNode(definitions=(node, *operation.fragments.values()))
        result = execute(operation.schema, document, variable_values=dict(variables))
        assert isinstance(result, ExecutionResult)
        return result


def _root_fields(selection_set: SelectionSetNode, operation: Operation) -> Iterable[FieldNode]:
    """The root fields of an operation, also those inside fragments."""
    for node in selection_set.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from _root_fields(operation.fragments[node.name.value].selection_set, operation)
        elif isinstance(node, InlineFragmentNode):
            yield from _root_fields(node.selection_set, operation)
