"""The move mutation of a workflow column: `orderStatusMove(input: {id, status})`, and the field `allowedMoves`."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple, cast
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import Forbidden
from hub.model.commands import Command
from hub.model.declarations import FieldResolver
from hub.model.definition import snake_case
from hub.model.entity import Entity
from hub.model.moves import MoveRequest, WorkflowColumn, apply_move, article, possible_moves, workflow_column
from hub.model.rows import lock_row
from hub.model.validators import check_values, single_line
from hub.model.workflows import Workflow, faults_of
from hub.rights import Verb
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
    title = where.column.replace("_", " ").title().replace(" ", "")
    name = definition.name[0].lower() + definition.name[1:]
    function = _WorkflowMove(where).function(f"{definition.name}{title}MovePayload")
    return Command(f"{name}{title}Move", function, f"{definition.plural}{title}Move", secret=False)


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
        entity.require(viewer, "update")
        if not viewer.may_write(entity.__name__, Verb.UPDATE, column):
            raise Forbidden(f"{column}: this key may not move it; use a key that may.", argument=column)
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
    return {names[column]: _resolver(column, workflow) for column, workflow in columns.items()}


def _resolver(column: str, workflow: type[Workflow]) -> FieldResolver:
    def resolve(self: object, **state: str) -> list[str]:
        return [target.value for target in possible_moves(workflow(state[column]))]

    resolve.__doc__ = f"The values of `{column}` that a move may lead to now, in the order of the workflow."
    parameters = [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter(column, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=str),
    ]
    annotation = f"list[{workflow.__name__}]"
    cast(Any, resolve).__signature__ = inspect.Signature(parameters, return_annotation=annotation)
    resolve.__annotations__ = {column: str, "return": annotation}
    return FieldResolver(resolve, (column,), None)
