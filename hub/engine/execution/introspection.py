"""Introspection: the parts of an operation that read the schema and not the database. graphql-core executes them."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    execute,
)

from hub.engine.document.documents import Operation
from hub.engine.document.variables import recoercible_definitions


class Introspection:
    """Answers introspection over one schema."""

    def __init__(self, core: GraphQLSchema) -> None:
        self._core = core
        self._lock = asyncio.Lock()

    async def response_body(self, operation: Operation, variables: Mapping[str, Any]) -> bytes:
        """The response to an operation that only reads the schema.

        It runs in a thread, one at a time: a large schema takes long to describe, and other requests need the loop."""
        async with self._lock:
            return await asyncio.to_thread(self._response_body, operation, variables)

    def _response_body(self, operation: Operation, variables: Mapping[str, Any]) -> bytes:
        """The response; it is cached with the document when no variable can change it."""
        cached = operation.cache.get("introspection")
        if isinstance(cached, bytes):
            return cached
        result = self._execute(operation, operation.node, variables)
        body = orjson.dumps(result.formatted)
        if not operation.variables:
            operation.cache["introspection"] = body
        return body

    def root_values(
        self, operation: Operation, variables: Mapping[str, Any], response_keys: tuple[str, ...]
    ) -> ExecutionResult:
        """The values of the root fields that read no stored rows, in an operation with other root fields too."""
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
        result = execute(self._core, document, variable_values=dict(variables))
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
