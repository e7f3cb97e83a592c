"""Plans the rows that a stored filter matches: their ids, among all rows of a type or among some."""

from dataclasses import dataclass

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import Predicate
from hub.engine.plan.row_filters import plan_row_filter

PREFIX = "member$"  # of the names of parameters


@dataclass(frozen=True, slots=True)
class Members:
    """The ids of the rows of an entity that match a predicate. With `by_keys`, only rows whose keys are given."""

    entity: CatalogEntity
    where: Predicate
    parameters: tuple[Parameter, ...]
    by_keys: bool = False


def plan_members(
    schema: Schema, entity: CatalogEntity, text: str, *, by_keys: bool = False, prefix: str = PREFIX
) -> Members:
    """The plan of a stored filter, which is JSON; raises BadInput for one that cannot be planned.

    `prefix` begins the names of its parameters."""
    where, parameters, _ = plan_row_filter(schema, entity, text, prefix)
    return Members(entity, where, parameters, by_keys)
