"""Compiles the row filters of roles, wherever rows are limited to a viewer's (see hub/model/scopes.py)."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from hub.engine.plan.filters import ALWAYS_TRUE
from hub.engine.plan.predicates import Predicate
from hub.engine.plan.row_filters import RightArgument, RightsFilters
from hub.engine.sql.conditions import condition
from hub.engine.sql.expressions import AliasGenerator, SelectSource
from hub.model import registry
from hub.rights import UNLIMITED_RIGHTS, AccessRule, Rights, Verb
from hub.viewer import Viewer


class RowFilterCompiler:
    """Compiles the row filters of roles; `filters` gives those of a viewer's rights, planned."""

    def __init__(self, filters: Callable[[Rights], RightsFilters]) -> None:
        self._filters = filters

    def predicate(
        self, table: sa.Table, row: sa.FromClause, rights: Rights, verb: Verb
    ) -> sa.ColumnElement[bool] | None:
        """The condition that the roles grant the row; None for all rows."""
        entity = registry.registered(table).__name__
        return compile_rows(self._filters(rights).rows(entity, verb), row)

    def granted(self, rules: Sequence[AccessRule], row: sa.FromClause, rights: Rights) -> sa.ColumnElement[bool] | None:
        """The condition that one of the rules grants the row; None for all rows."""
        return compile_rows(self._filters(rights).any_of(rules), row)

    def tables(self, names: frozenset[str], rights: Rights) -> frozenset[str]:
        """The tables that the filters of the rows of these tables read beside them."""
        filters = self._filters(rights)
        entities = [entity.name for entity in filters.schema.catalog.entities.values() if entity.table.name in names]
        return frozenset[str]().union(*(filters.tables(entity) for entity in entities))

    def argument(self, name: str, viewer: Viewer) -> Any:
        """The value of a parameter that a predicate of the viewer's rights names."""
        source = self._filters(viewer.rights).parameters[name].source
        assert isinstance(source, RightArgument)
        return source.read_viewer(viewer)


def compile_rows(predicate: Predicate, row: sa.FromClause) -> sa.ColumnElement[bool] | None:
    """The condition of a row filter; None where it always holds. Its aliases are unlike those of every statement."""
    if predicate == ALWAYS_TRUE:
        return None
    return condition(SelectSource(AliasGenerator(UNLIMITED_RIGHTS, "r$"), row, grouped=False), predicate)
