"""The move mutation of a workflow column: `orderStatusMove(input: {id, status})`, and the field `allowedMoves`."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.errors import CODES, BadInput, Forbidden
from hub.model.commands import Command
from hub.model.declarations import FieldResolver
from hub.model.definition import snake_case
from hub.model.entity import Entity
from hub.model.rows import insert_row, lock_row, update_row
from hub.model.rules import Write
from hub.model.validators import check_values, single_line
from hub.model.workflows import Move, Workflow, faults_of
from hub.rights import Verb
from hub.viewer import Viewer

MoveFunction = Callable[..., Any]


def move_commands(entities: Sequence[type[Entity]]) -> Iterator[Command]:
    """The move mutation of every workflow column; raises TypeError for a workflow that cannot stand."""
    histories = dict(_histories(entities))
    for entity in entities:
        for column, workflow in entity.definition.workflow_columns.items():
            if "moves_of" in entity.definition.options:
                continue  # columns of a history hold states, and nobody moves them
            history = histories.get(entity.c[column])
            faults = faults_of(workflow)
            if workflow.has_history is (history is None):
                faults.append(
                    f"{workflow.__name__}: history=True needs an entity that declares moves_of, and vice versa"
                )
            if history is None and any(step.reason for state in workflow for step in state.state.moves):
                faults.append(f"{workflow.__name__}: reason=True needs history=True, which stores the reason")
            if faults:
                raise TypeError("; ".join(faults))
            yield _move_command(entity, column, workflow, history)


def _histories(entities: Sequence[type[Entity]]) -> Iterator[tuple[sa.Column[Any], type[Entity]]]:
    """The entities that hold the history of a workflow, by its column."""
    for entity in entities:
        if "moves_of" in entity.definition.options:
            yield entity.definition.options["moves_of"], entity


def _move_command(entity: type[Entity], column: str, workflow: type[Workflow], history: type[Entity] | None) -> Command:
    definition = entity.definition
    title = column.replace("_", " ").title().replace(" ", "")
    name = definition.name[0].lower() + definition.name[1:]
    function = _WorkflowMove(entity, column, workflow, history).function(f"{definition.name}{title}MovePayload")
    return Command(f"{name}{title}Move", function, f"{definition.plural}{title}Move", secret=False)


class _WorkflowMove:
    """Moves one row of an entity to another state."""

    def __init__(
        self, entity: type[Entity], column: str, workflow: type[Workflow], history: type[Entity] | None
    ) -> None:
        self._entity = entity
        self._column = column
        self._workflow = workflow
        self._history = history
        self._moves = [step for member in workflow for step in member.state.moves if not step.by_hub]
        self._noun = snake_case(entity.__name__).replace("_", " ")

    def function(self, payload_name: str) -> MoveFunction:
        """The command, with the signature that its input and payload follow from."""
        fields: list[tuple[str, Any]] = [
            (snake_case(self._entity.__name__), Annotated[UUID, self._entity, f"The {self._noun} as it is now."])
        ]
        if self._history is not None:
            fields.append(("move", Annotated[UUID, self._history, "The move."]))
        payload = cast(Callable[..., Any], NamedTuple)(payload_name, fields)

        async def move(tx: Connection, viewer: Viewer, *, id: UUID, now: datetime, **arguments: Any) -> Any:
            return payload(*await self._run(tx, viewer, id, arguments, now))

        move.__doc__ = (
            f"Moves {_article(self._noun)} to another {self._column}; `allowedMoves` lists those that may follow."
        )
        cast(Any, move).__signature__ = inspect.Signature(list(self._parameters()), return_annotation=payload)
        return move

    def _parameters(self) -> Iterator[inspect.Parameter]:
        def parameter(name: str, annotation: Any, *, required: bool = True) -> inspect.Parameter:
            default = inspect.Parameter.empty if required else None
            return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

        comment = str(self._entity.c[self._column].comment)
        yield parameter("id", Annotated[UUID, self._entity, f"The {self._noun}."])
        yield parameter(self._column, Annotated[self._workflow, comment])
        if any(step.reason for step in self._moves):
            always = all(step.reason for step in self._moves)
            text = "Reason for the move, in one line; it is stored."
            yield parameter("reason", Annotated[str if always else str | None, text], required=always)
        for name in dict.fromkeys(name for step in self._moves for name in step.takes):
            annotation, text = self._entity.definition.annotations[name], str(self._entity.c[name].comment)
            yield parameter(name, Annotated[annotation | None, text], required=False)
        yield parameter("now", datetime)

    async def _run(
        self, tx: Connection, viewer: Viewer, key: UUID, arguments: dict[str, Any], now: datetime
    ) -> tuple[UUID, ...]:
        entity, column = self._entity, self._column
        entity.require(viewer, "update")
        if not viewer.may_write(entity.__name__, Verb.UPDATE, column):
            raise Forbidden(f"{column}: this key may not move it; use a key that may.", argument=column)
        arguments = check_values(arguments, {"reason": single_line})
        row = await lock_row(tx, viewer, entity, key, "id")
        current, target = self._workflow(row[column]), self._workflow(arguments[column])
        step = self._require_move(current, target)
        values = self._values(step, target, arguments, row, now)
        guard = entity.rules.guards.get((column, target.value))
        if step.guarded and guard is not None:
            guard(Write("update", values, dict(row), viewer, now))
        moves = []
        if self._history is not None:
            moved = {"customer_id": row.get("customer_id", key), "moved_at": now}
            states = {f"from_{column}": current, f"to_{column}": target, "reason": arguments.get("reason")}
            moves.append(await insert_row(tx, viewer, self._history, moved | states, now))
        await update_row(tx, viewer, entity, key, values, now, fields=(column,))
        return (key, *moves)

    def _require_move(self, current: Workflow, target: Workflow) -> Move:
        """The move between two states; raises BadInput when there is none."""
        moves = {state: step for state, step in current.moves().items() if not step.by_hub}
        if target in moves:
            return moves[target]
        column, own_code = self._column, f"{self._column.upper()}_MOVE_INVALID"
        code = own_code if own_code in CODES else "STATUS_MOVE_INVALID"
        if target is current:
            message = f"{column}: the {self._noun} is {current} already; name another {column}."
        else:
            remedy = f"it may become {' or '.join(moves)}" if moves else "it stays so"
            message = f"{column}: {_article(self._noun)} that is {current} does not become {target}; {remedy}."
        raise BadInput(message, code=code, argument=column)

    def _values(
        self, step: Move, target: Workflow, arguments: dict[str, Any], row: Any, now: datetime
    ) -> dict[str, Any]:
        """The columns that a move writes; raises BadInput for one that it needs and does not have."""
        supplied = {name: arguments[name] for name in step.takes if arguments.get(name) is not None}
        if step.reason and arguments.get("reason") is None:
            raise BadInput("reason: this move needs one; give it.", code="ARGUMENT_MISSING", argument="reason")
        for name in step.needs:
            if supplied.get(name, row[name]) is None:
                raise BadInput(f"{name}: this move needs it; set it first.", code="ARGUMENT_MISSING", argument=name)
        values: dict[str, Any] = {self._column: target, **supplied}
        if step.counts is not None:
            values[step.counts] = row[step.counts] + 1
        stamped = target.state.stamps
        if stamped is not None and row[stamped] is None:
            values[stamped] = now
        return values


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def allowed_moves(entity: type[Entity]) -> dict[str, FieldResolver]:
    """The fields that list the states which may follow: `allowedMoves`, or one per column where there are several."""
    columns = {} if "moves_of" in entity.definition.options else entity.definition.workflow_columns
    names = {column: "allowed_moves" if len(columns) == 1 else f"allowed_{column}_moves" for column in columns}
    return {names[column]: _resolver(column, workflow) for column, workflow in columns.items()}


def _resolver(column: str, workflow: type[Workflow]) -> FieldResolver:
    def resolve(self: object, **state: str) -> list[str]:
        return [target.value for target, step in workflow(state[column]).moves().items() if not step.by_hub]

    resolve.__doc__ = f"The values of `{column}` that a move may lead to now, in the order of the workflow."
    parameters = [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter(column, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=str),
    ]
    annotation = f"list[{workflow.__name__}]"
    cast(Any, resolve).__signature__ = inspect.Signature(parameters, return_annotation=annotation)
    resolve.__annotations__ = {column: str, "return": annotation}
    return FieldResolver(resolve, (column,), None)
