"""Compiles the rows that a stored filter matches to one statement, which returns their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.compiler import SQLCompiler

from hub.db.sql_text import DIALECT
from hub.engine.plan.members import Members
from hub.engine.plan.row_filters import RightArgument
from hub.engine.sql.row_filters import compile_rows
from hub.model import scopes
from hub.rights import Rights
from hub.viewer import Viewer

KEYS, LIMIT = "member_keys", "member_limit"


@dataclass(frozen=True, slots=True)
class MembersStatement:
    """The text of the statement, and where its arguments come from."""

    text: str
    names: tuple[str, ...]
    arguments: dict[str, RightArgument]

    def bind(self, viewer: Viewer, limit: int, keys: Sequence[UUID] = ()) -> list[Any]:
        """The arguments for a viewer: at most `limit` ids, of rows with one of the keys."""
        own: dict[str, Any] = {KEYS: list(keys), LIMIT: limit}
        return [own[name] if name in own else self._argument(name, viewer) for name in self.names]

    def _argument(self, name: str, viewer: Viewer) -> Any:
        if name in self.arguments:
            return self.arguments[name].read_viewer(viewer)
        return scopes.viewer_argument(name, viewer)


def compile_members(members: Members, rights: Rights) -> MembersStatement:
    """The statement of the members that a viewer with these rights sees."""
    row = members.entity.table.alias("m$")
    matches, visible = compile_rows(members.where, row), scopes.visible(members.entity.table, row, rights)
    conditions = [part for part in (matches, visible) if part is not None]
    if members.by_keys:
        conditions.append(row.c.id == sa.any_(sa.bindparam(KEYS, type_=ARRAY(sa.Uuid()))))
    select = sa.select(row.c.id).where(*conditions).limit(sa.bindparam(LIMIT, type_=sa.BigInteger()))
    compiled = select.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    arguments: dict[str, RightArgument] = {}
    for parameter in members.parameters:
        assert isinstance(parameter.source, RightArgument)
        arguments[parameter.name] = parameter.source
    assert isinstance(compiled, SQLCompiler)
    return MembersStatement(str(compiled), tuple(compiled.positiontup or ()), arguments)
