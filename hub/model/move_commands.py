"""The move mutation of a workflow column: `orderStatusMove(input: {id, status})`, and the field `allowedMoves`."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Annotated, Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.errors import Forbidden
from hub.model import scopes
from hub.model.commands import Command
from hub.model.declarations import FieldResolver
from hub.model.definition import snake_case
from hub.model.entity import Entity
from hub.model.moves import MoveRequest, WorkflowColumn, apply_move, article, possible_moves, workflow_column
from hub.model.rows import lock_row
from hub.model.scopes import RowPredicate
from hub.model.validators import check_values, single_line
from hub.model.workflows import Workflow, faults_of
from hub.rights import Rights, Verb
from hub.text_case import camel_case
from hub.viewer import Viewer

MoveFunction = Callable[..., Any]


def move_commands(entities: Sequence[type[Entity]]) -> Iterator[Command]:
    """The move mutation of every workflow column; raises TypeError for a workflow that cannot stand."""
    for entity in entities:
        for column, workflow in entity.definition.workflow_columns.items():
            if "moves_of" in entity.definition.options:
                continue  # columns of a history hold states, and nobody moves them
            where = workflow_column(entity, column, entities)
            faults = faults_of(workflow)
            if workflow.has_history is (where.history is None):
                faults.append(
                    f"{workflow.__name__}: history=True needs an entity that declares moves_of, and vice versa"
                )
            if where.history is None and any(step.reason for state in workflow for step in state.state.moves):
                faults.append(f"{workflow.__name__}: reason=True needs history=True, which stores the reason")
            if faults:
                raise TypeError("; ".join(faults))
            if _client_moves(workflow):
                yield _move_command(where)


def _client_moves(workflow: type[Workflow]) -> bool:
    """Whether clients move rows of the workflow; else commands of the domain do."""
    return any(not step.by_hub for member in workflow for step in member.state.moves)


def _move_command(where: WorkflowColumn) -> Command:
    definition = where.entity.definition
    title = _title(where.column)
    function = _WorkflowMove(where).function(f"{definition.name}{title}MovePayload")
    return Command(_command_name(where.entity, where.column), function, f"{definition.plural}{title}Move", secret=False)


def _title(column: str) -> str:
    return column.replace("_", " ").title().replace(" ", "")


def _command_name(entity: type[Entity], column: str) -> str:
    """`orderStatusMove`."""
    name = entity.definition.name
    return f"{name[0].lower()}{name[1:]}{_title(column)}Move"


class _WorkflowMove:
    """Moves one row of an entity to another state."""

    def __init__(self, where: WorkflowColumn) -> None:
        self._where = where
        self._moves = [step for member in where.workflow for step in member.state.moves if not step.by_hub]

    def function(self, payload_name: str) -> MoveFunction:
        """The command, with the signature that its input and payload follow from."""
        where = self._where
        fields: list[tuple[str, Any]] = [
            (snake_case(where.entity.__name__), Annotated[UUID, where.entity, f"The {where.noun} as it is now."])
        ]
        if where.history is not None:
            fields.append(("move", Annotated[UUID, where.history, "The move."]))
        payload = cast(Callable[..., Any], NamedTuple)(payload_name, fields)

        async def move(tx: Connection, viewer: Viewer, *, id: UUID, now: datetime, **arguments: Any) -> Any:
            stored = await self._run(tx, viewer, id, arguments, now)
            return payload(id) if stored is None else payload(id, stored)

        move.__doc__ = (
            f"Moves {article(where.noun)} to another {where.column}; `allowedMoves` lists those that may follow."
        )
        cast(Any, move).__signature__ = inspect.Signature(list(self._parameters()), return_annotation=payload)
        return move

    def _parameters(self) -> Iterator[inspect.Parameter]:
        def parameter(name: str, annotation: Any, *, required: bool = True) -> inspect.Parameter:
            default = inspect.Parameter.empty if required else None
            return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

        where, entity = self._where, self._where.entity
        yield parameter("id", Annotated[UUID, entity, f"The {where.noun}."])
        yield parameter(where.column, Annotated[where.workflow, str(entity.c[where.column].comment)])
        if where.is_shared or any(step.reason for step in self._moves):
            always = all(step.reason for step in self._moves)
            text = "Reason for the move, in one line; it is stored."
            yield parameter("reason", Annotated[str if always else str | None, text], required=always)
        for name in dict.fromkeys(name for step in self._moves for name in step.takes):
            annotation, text = entity.definition.annotations[name], str(entity.c[name].comment)
            yield parameter(name, Annotated[annotation | None, text], required=False)
        yield parameter("now", datetime)

    async def _run(
        self, tx: Connection, viewer: Viewer, key: UUID, arguments: dict[str, Any], now: datetime
    ) -> UUID | None:
        where = self._where
        entity, column = where.entity, where.column
        _require_mover(viewer, entity, column)
        arguments = check_values(arguments, {"reason": single_line})
        row = await lock_row(tx, viewer, entity, key, "id")
        target = where.workflow(arguments[column])
        taken = {
            name
            for state, step in where.workflow(row[column]).moves().items()
            if state is target
            for name in step.takes
        }
        columns = {name: arguments[name] for name in taken if arguments.get(name) is not None}
        request = MoveRequest(target, arguments.get("reason"), columns)
        return await apply_move(tx, viewer, viewer, where, row, request, now)


def allowed_moves(entity: type[Entity]) -> dict[str, FieldResolver]:
    """The fields that list the states which may follow: `allowedMoves`, or one per column where there are several."""
    workflows = {} if "moves_of" in entity.definition.options else entity.definition.workflow_columns
    columns = {column: workflow for column, workflow in workflows.items() if _client_moves(workflow)}
    names = {column: "allowed_moves" if len(columns) == 1 else f"allowed_{column}_moves" for column in columns}
    return {names[column]: _resolver(entity, column, workflow) for column, workflow in columns.items()}


def _resolver(entity: type[Entity], column: str, workflow: type[Workflow]) -> FieldResolver:
    command = _command_name(entity, column)

    def resolve(self: object, *, viewer: Viewer, may_write: bool = True, **values: Any) -> list[str]:
        if not _may_move(viewer.running(command), entity, column, may_write_row=may_write):
            return []
        return [target.value for target in possible_moves(workflow(values[column]))]

    resolve.__doc__ = f"The values of `{column}` that this key may move the row to now, in the order of the workflow."
    conditions: dict[str, Callable[..., Any]] = {"may_write": partial(_may_write_row, entity, column)}
    self_ = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    injected = {column: str, "viewer": Viewer, **dict.fromkeys(conditions, bool)}
    parameters = (inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=t) for n, t in injected.items())
    annotation = f"list[{workflow.__name__}]"
    cast(Any, resolve).__signature__ = inspect.Signature([self_, *parameters], return_annotation=annotation)
    resolve.__annotations__ = {**injected, "return": annotation}
    return FieldResolver(resolve, (column,), None, takes_viewer=True, conditions=tuple(conditions.items()))


def _may_write_row(entity: type[Entity], column: str, row: sa.FromClause, rights: Rights) -> RowPredicate | None:
    """The condition of rows in which the viewer's roles let it write the column; None for all rows that it sees."""
    rules = rights.granting(entity.__name__, Verb.UPDATE)
    if not rules:
        return None  # without rules, every row; without a rule that grants it, the resolver knows
    granted = scopes.granted(rules, row, rights)
    predicates = [
        p for p in (granted, *scopes.writable(entity.table, row, rights, Verb.UPDATE, (column,))) if p is not None
    ]
    return sa.and_(*predicates) if predicates else None


def _may_move(viewer: Viewer, entity: type[Entity], column: str, *, may_write_row: bool) -> bool:
    """Whether the viewer may move rows of the entity, and this one."""
    return (may_write_row or viewer.runs_freely) and _may_move_some(viewer, cast(Any, entity), column)


@lru_cache(maxsize=1024)
def _may_move_some(viewer: Viewer, entity: Any, column: str) -> bool:
    try:
        _require_mover(viewer, entity, column)
    except Forbidden:
        return False
    return True


def _require_mover(viewer: Viewer, entity: type[Entity], column: str) -> None:
    """Raises Forbidden unless the viewer may move rows of the entity."""
    entity.require(viewer, "update")
    if not viewer.may_write(entity.__name__, Verb.UPDATE, camel_case(column)):
        raise Forbidden(f"{column}: this key may not move it; use a key that may.", argument=column)
