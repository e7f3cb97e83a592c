"""Plans stored filters: when they are written, when a hub starts, and to read the rows that they match.

A stored filter reads every row and column, whoever wrote it. It holds no variables but those of the viewer."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from graphql import OperationDefinitionNode, VariableDefinitionNode, get_variable_values, parse

from hub.db.pool import Connection
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.members import plan_members
from hub.engine.plan.row_filters import RightArgument, plan_row_filter
from hub.engine.sql.members import MembersStatement, compile_members
from hub.engine.sql.row_filters import compile_rows
from hub.errors import BadInput
from hub.model import exact_json
from hub.rights import rights_of
from hub.viewer import ADMIN

_INVALID_FILTER = re.compile(
    r"Variable '\$filter' has invalid value(?: at (?P<path>[^\s:]+))?: (?P<fault>.*)", re.DOTALL
)


class StoredFilterPlanner:
    """Plans the stored filters of one schema; `schema` gives it when the first filter needs it."""

    def __init__(self, schema: Callable[[], Schema]) -> None:
        self._build = schema
        self._statement = lru_cache(maxsize=1_000)(self._compile)

    def check(self, entity: str, value: Any, argument: str, *, timed: bool = False) -> None:
        """Raises BadInput, with the path in the filter, for one that the rows of a type cannot be filtered by.

        Only if it is `timed`, the filter may compare with the time."""
        schema = self._build()
        known = schema.catalog.entities.get(entity)
        if known is None:
            raise BadInput(
                f"{argument}: there is no type {entity[:63]!r} any more.", code="FILTER_INVALID", argument=argument
            )
        variables = {"filter": value}
        result = get_variable_values(schema.core, [_filter_variable(entity)], variables, max_errors=1)
        if isinstance(result, list):
            matched = _INVALID_FILTER.match(result[0].message)
            path, fault = (matched["path"] or "", matched["fault"]) if matched else ("", result[0].message)
            raise BadInput(f"{argument}{path}: {fault}", code="FILTER_INVALID", argument=f"{argument}{path}")
        try:
            plan_row_filter(schema, known, exact_json.dumps(value), timed=timed)
        except BadInput as error:
            path_in_filter = argument + (error.argument or "filter").removeprefix("filter")
            message = error.message.removeprefix(error.argument or "").removeprefix(": ")
            raise BadInput(f"{path_in_filter}: {message}", code=error.code, argument=path_in_filter) from None

    async def matches(self, tx: Connection, entity: str, value: Any, key: UUID) -> bool:
        """Whether the row of this key matches a filter; it does not match one that cannot be planned."""
        return bool(await self.matching(tx, entity, value, [key]))

    async def matching(self, tx: Connection, entity: str, value: Any, keys: Sequence[UUID]) -> Sequence[UUID]:
        """Those of the rows of these keys that match a filter, in their order; none for one that cannot be planned."""
        statement = self._statement(entity, exact_json.dumps(value, sort_keys=True))
        if statement is None:
            return ()
        matched_keys = {row["id"] for row in await tx.fetch(statement.text, *statement.bind(ADMIN, len(keys), keys))}
        return [key for key in keys if key in matched_keys]

    def condition(
        self, entity: str, value: Any, row: sa.FromClause, prefix: str
    ) -> tuple[sa.ColumnElement[bool], dict[str, Callable[[], Any]]]:
        """The condition that a row matches a filter, and what fills its parameters; raises BadInput for a broken one."""
        schema = self._build()
        self.check(entity, value, "match")
        members = plan_members(schema, schema.catalog.entities[entity], exact_json.dumps(value), prefix=prefix)
        matches = compile_rows(members.where, row)
        arguments: dict[str, Callable[[], Any]] = {}
        for parameter in members.parameters:
            assert isinstance(parameter.source, RightArgument)
            arguments[parameter.name] = partial(parameter.source.read_viewer, ADMIN)
        return sa.true() if matches is None else matches, arguments

    def _compile(self, entity: str, text: str) -> MembersStatement | None:
        schema = self._build()
        known = schema.catalog.entities.get(entity)
        try:
            members = None if known is None else plan_members(schema, known, text, by_keys=True)
        except BadInput:
            return None
        return None if members is None else compile_members(members, rights_of("unrestricted"))


@lru_cache(maxsize=256)
def _filter_variable(entity: str) -> VariableDefinitionNode:
    (operation,) = parse(f"query ($filter: {entity}Filter!) {{ __typename }}", no_location=True).definitions
    assert isinstance(operation, OperationDefinitionNode)
    return (operation.variable_definitions or ())[0]
