"""Collects the fields of selection sets as the GraphQL specification says: fragments, @include, @skip, merged fields.

It also reads their arguments and notes their path and source location for error messages."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLObjectType,
    SelectionSetNode,
    VariableNode,
)

from hub.engine.document.limits import node_locations
from hub.engine.graphql_types.history_types import ORIGIN_FIELD_NAMES
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.arguments import ArgumentTree
from hub.engine.plan.context import PlanningContext
from hub.errors import Forbidden, HubError

SelectionSets = Sequence[SelectionSetNode | None]
CollectedFields = dict[str, list[FieldNode]]
HIDDEN_PREFIX = "$"  # prefix of the keys of hidden columns; no GraphQL name begins so
TYPENAME_KEY = HIDDEN_PREFIX + "type"


class FieldCollector:
    """Collects the fields of one operation for one plan; `planning` takes the parameters of that plan."""

    def __init__(
        self, schema: Schema, planning: PlanningContext, fragments: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> None:
        self.schema = schema
        self.planning = planning
        self._fragments = fragments
        self._variables = variables
        self._path: list[str] = []

    def independent(self) -> "FieldCollector":
        """A collector of the same operation for a plan of its own."""
        return FieldCollector(self.schema, self.planning.child(), self._fragments, self._variables)

    @contextmanager
    def field_context(self, key: str, node: FieldNode) -> Iterator[None]:
        """Records the path and the location of a field for errors that are raised inside the block."""
        self._path.append(key)
        previous, self.planning.source_location = (
            self.planning.source_location,
            (tuple(self._path), node_locations(node)),
        )
        try:
            yield
        except HubError as error:
            if error.path is None:
                error.path, error.locations = tuple(self._path), node_locations(node)
            raise
        finally:
            self._path.pop()
            self.planning.source_location = previous

    def require_selectable(self, node: FieldNode) -> None:
        """Raises FORBIDDEN for the origin of a change, if the key is bound to a customer."""
        name = node.name.value
        if self.planning.rights.binding == "customer" and name in ORIGIN_FIELD_NAMES:
            error = Forbidden(f"{name}: a key that is bound to a customer may not read it; leave it out.")
            error.path, error.locations = (*self._path, (node.alias or node.name).value), node_locations(node)
            raise error

    def arguments(self, node: FieldNode, type_name: str) -> dict[str, ArgumentTree]:
        """The arguments of a field."""
        type_ = cast(GraphQLObjectType, self.schema.core.type_map[type_name])
        return self.planning.reader.arguments(node, type_.fields[node.name.value].args)

    def fields(self, selection_sets: SelectionSets, type_name: str) -> CollectedFields:
        """The fields that are selected on a concrete type, by response key, in order."""
        collected: CollectedFields = {}
        for selection_set in selection_sets:
            self._collect(selection_set, type_name, collected, set())
        return collected

    def _collect(
        self,
        selection_set: SelectionSetNode | None,
        type_name: str,
        collected: CollectedFields,
        visited_fragments: set[str],
    ) -> None:
        for node in selection_set.selections if selection_set else ():
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                collected.setdefault((node.alias or node.name).value, []).append(node)
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in visited_fragments:
                    continue
                visited_fragments.add(node.name.value)
                fragment = self._fragments[node.name.value]
            condition = fragment.type_condition
            if condition is None or self._applies(condition.name.value, type_name):
                self._collect(fragment.selection_set, type_name, collected, visited_fragments)

    def _applies(self, condition: str, type_name: str) -> bool:
        if condition == type_name:
            return True
        type_ = self.schema.core.type_map[condition]
        concrete = cast(GraphQLObjectType, self.schema.core.type_map[type_name])
        return isinstance(type_, GraphQLAbstractType) and self.schema.core.is_sub_type(type_, concrete)

    def _included(self, node: Any) -> bool:
        for directive in node.directives or ():
            if directive.name.value in ("include", "skip"):
                condition = directive.arguments[0].value
                value = (
                    self._variables[condition.name.value] if isinstance(condition, VariableNode) else condition.value
                )
                if bool(value) is (directive.name.value == "skip"):
                    return False
        return True
