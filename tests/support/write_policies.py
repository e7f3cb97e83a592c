"""Row-level security for writes: which rows Postgres itself lets a viewer insert, change and delete. For tests alone.

`install_write_policies` narrows what `row_security.install_policies` has installed."""

import asyncpg
import sqlalchemy as sa
from row_security import policy_function, row_exists, shown_to, viewer_name

from hub import graph
from hub.engine.sql.expressions import AliasGenerator
from hub.engine.sql.history import row_image
from hub.model import scopes
from hub.model.columns import readable_columns
from hub.rights import Verb
from hub.runtime_login import RUNTIME_ROLE
from hub.viewer import Viewer

PAIRS = 40  # columns of one jsonb_build_object, which takes 100 arguments


async def install_write_policies(connection: asyncpg.Connection, viewer: Viewer) -> None:
    """Lets the viewer write the rows that its rights name for each verb, as they are before and after; all else is refused.

    A new row is in no table yet, so that its condition reads the values of the row."""
    name = viewer_name(viewer)
    for declaration in graph.declarations():
        table = declaration.table
        old, new = _Conditions(name, table.name, "row_key uuid"), _Conditions(name, f"{table.name}_new", "image$ jsonb")
        key = {verb: old.function(_by_key(table, viewer, verb)) for verb in Verb}
        row = {verb: new.function(_by_values(table, viewer, verb)) for verb in Verb}
        values = _values(table)
        commands = {
            "select": f"using ({shown_to(name, f'({key[Verb.READ]}(id) or {row[Verb.READ]}({values}))')})",
            "insert": f"with check ({shown_to(name, f'{row[Verb.CREATE]}({values})')})",
            "update": f"using ({shown_to(name, f'{key[Verb.UPDATE]}(id)')})"
            f" with check ({shown_to(name, f'{row[Verb.UPDATE]}({values})')})",
            "delete": f"using ({shown_to(name, f'{key[Verb.DELETE]}(id)')})",
        }
        policies = "".join(
            f"; drop policy if exists {name}_{command} on {table.name}"
            f"; create policy {name}_{command} on {table.name} for {command} to {RUNTIME_ROLE} {condition}"
            for command, condition in commands.items()
        )
        functions = ";".join((*old.definitions.values(), *new.definitions.values()))
        await connection.execute(f"{functions}; drop policy if exists {name} on {table.name} {policies}")


class _Conditions:
    """Functions of conditions on rows of one table: one for each text, whichever verbs it is for."""

    def __init__(self, viewer: str, table: str, argument: str) -> None:
        self._prefix = f"rls_{viewer}_{table}"
        self._argument = argument
        self._names: dict[str, str] = {}
        self.definitions: dict[str, str] = {}

    def function(self, condition: str) -> str:
        """The name of the function of a condition."""
        if condition not in self._names:
            self._names[condition] = name = f"{self._prefix}_{len(self._names)}"
            self.definitions[name] = policy_function(name, self._argument, condition)
        return self._names[condition]


def _by_key(table: sa.Table, viewer: Viewer, verb: Verb) -> str:
    condition = scopes.visible(table, table, viewer.rights, verb)
    return row_exists(table, viewer, table.c.id == sa.literal_column("row_key"), condition)


def _by_values(table: sa.Table, viewer: Viewer, verb: Verb) -> str:
    image = row_image(AliasGenerator(viewer.rights), table, sa.literal_column("image$"))
    return row_exists(image, viewer, scopes.visible(table, image, viewer.rights, verb))


def _values(table: sa.Table) -> str:
    """The row as JSON, of the columns that the role which serves may read."""
    names = [column.name for column in readable_columns(table) if column.name != "search_text"]
    parts = (names[start : start + PAIRS] for start in range(0, len(names), PAIRS))
    objects = (", ".join(f"""'{name}', {table.name}."{name}\"""" for name in part) for part in parts)
    return " || ".join(f"jsonb_build_object({pairs})" for pairs in objects)
