"""Plans the payloads of mutations: which rows and values of a command's outcome are selected, alone or for each of many."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.graphql_types.mutation_types import Gives, Mutation
from hub.engine.plan.nodes import ById, Chosen, Constant, Payload, Results, Splice, Told
from hub.engine.plan.predicates import Run, Slot
from hub.engine.plan.selections import Selections, Sets

Tell = Callable[[Mapping[str, Any]], Any]
COUNTS = ("succeeded", "failed")


def json_value(value: Any) -> str:
    """What a command gave, as JSON text."""
    return orjson.dumps(value, default=str).decode()


def payload(select: Selections, mutation: Mutation, sets: Sets) -> tuple[Payload, Splice | None]:
    """The payload of a mutation; the draft of `select` is the payload's alone."""
    gives = {each.name: each for each in mutation.gives}
    fields: list[tuple[str, Constant | Told | ById | Results]] = []
    deeper: list[tuple[str, Splice]] = []
    for key, nodes in select.fields(sets, mutation.payload).items():
        name = nodes[0].name.value
        inner = [node.selection_set for node in nodes]
        splice = None
        part: Constant | Told | ById | Results
        with select.at(key, nodes[0]):
            if name == "__typename":
                part = Constant(mutation.payload)
            elif mutation.many and name == "results":
                part, splice = _results(select, mutation, inner)
            elif mutation.many:
                part = Told(_told(select, name))
            elif gives[name].row is None:
                part = Told(_told(select, gives[name].key))
            else:
                part, splice = _row(select, gives[name], inner)
        fields.append((key, part))
        if splice is not None:
            deeper.append((key, splice))
    return Payload(tuple(fields)), Splice(deeper=tuple(deeper)) if deeper else None


def _told(select: Selections, name: str) -> Slot:
    return select.draft.slot(sa.Text(), lambda run: json_value(run.outcome[name]))


def _row(select: Selections, gives: Gives, sets: Sets) -> tuple[ById, Splice | None]:
    assert gives.row is not None
    key = select.draft.slot(sa.Uuid(), lambda run: run.outcome[gives.key])
    shape, splice = select.shape(gives.row, sets)
    return ById(gives.row, key, shape), splice


def _results(select: Selections, mutation: Mutation, sets: Sets) -> tuple[Results, Splice | None]:
    gives = {each.name: each for each in mutation.gives}
    keys: list[Slot] = []
    fields: list[tuple[str, Constant | Chosen | None]] = []
    told: list[tuple[str, Tell]] = []
    deeper: list[tuple[str, Splice]] = []
    for key, nodes in select.fields(sets, mutation.result).items():
        name = nodes[0].name.value
        inner = [node.selection_set for node in nodes]
        with select.at(key, nodes[0]):
            if name == "__typename":
                fields.append((key, Constant(mutation.result)))
            elif name == "error":
                told.append((key, _error(select, inner)))
                fields.append((key, None))
            elif gives[name].row is None:
                told.append((key, _given(gives[name].key)))
                fields.append((key, None))
            else:
                chosen, splice = _chosen(select, gives[name], inner, keys)
                fields.append((key, chosen))
                if splice is not None:
                    deeper.append((key, splice))

    def objects(run: Run) -> list[str]:
        return [json_value({key: tell(result) for key, tell in told}) for result in run.outcome["results"]]

    slot = select.draft.slot(ARRAY(sa.Text()), objects)
    if not keys:  # `unnest` of the objects alone would do; one way for both is simpler
        keys.append(_keys(select, ""))
    return Results(tuple(keys), slot, tuple(fields)), Splice(deeper=tuple(deeper)) if deeper else None


def _given(key: str) -> Tell:
    return lambda result: result.get(key)


def _keys(select: Selections, key: str) -> Slot:
    return select.draft.slot(ARRAY(sa.Uuid()), lambda run: [result.get(key) for result in run.outcome["results"]])


def _chosen(select: Selections, gives: Gives, sets: Sets, keys: list[Slot]) -> tuple[Chosen, Splice | None]:
    assert gives.row is not None
    shape, splice = select.shape(gives.row, sets)
    keys.append(_keys(select, gives.key))
    return Chosen(gives.row, len(keys) - 1, shape), splice


def _error(select: Selections, sets: Sets) -> Tell:
    wanted: Sequence[tuple[str, str]] = [
        (key, nodes[0].name.value) for key, nodes in select.fields(sets, "RowError").items()
    ]

    def tell(result: Mapping[str, Any]) -> Any:
        error = result.get("error")
        return error and {key: "RowError" if name == "__typename" else error.get(name) for key, name in wanted}

    return tell
