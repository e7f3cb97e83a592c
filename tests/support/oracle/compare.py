"""Runs scripts on both sides and compares the answers.

A difference is shrunk, and told with all that is needed to see it again."""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.viewer import Viewer
from oracle.data import JsonObject
from oracle.executor import Oracle, Told
from oracle.lists import CURSOR
from oracle.script import Operation, Step
from oracle.shrink import smaller
from oracle.values import same_json

# An engine's answer to one step: the parsed body of its response.
Ask = Callable[[Step, Viewer, datetime], Awaitable[dict[str, Any]]]
MOST_SHRINKING = 400


def parsed(body: bytes) -> dict[str, Any]:
    """A response's JSON with exact numbers."""
    found: dict[str, Any] = json.loads(body, parse_float=Decimal)
    return found


@dataclass(slots=True)
class Difference:
    """An operation whose answers differ, at one step."""

    operation: Operation
    viewer: Viewer
    step: Step
    reason: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return "\n".join(
            (
                f"operation {self.operation.label} for {self.viewer}: {self.reason}",
                f"--- document\n{self.step.query}",
                f"--- variables {json.dumps(self.step.variables, ensure_ascii=False, default=str)} name {self.step.name}",
                f"--- oracle\n{_text(self.expected)}",
                f"--- engine\n{_text(self.got)}",
            )
        )


def _text(answer: Any) -> str:
    shown = json.dumps(answer, ensure_ascii=False, indent=1, default=str)
    return shown if len(shown) < 6_000 else shown[:6_000] + "…"


@dataclass(slots=True)
class Tally:
    """What a run came to: how many operations there were, how many found something, how often each feature was used."""

    operations: int = 0
    answered: int = 0
    features: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def note(self, operation: Operation, found: bool) -> None:
        self.operations += 1
        self.answered += found
        for each in operation.features:
            self.features[each] = self.features.get(each, 0) + 1


class Comparison:
    """The oracle and an engine side by side."""

    def __init__(self, oracle: Oracle, ask: Ask, at: datetime) -> None:
        self.oracle = oracle
        self.ask = ask
        self.at = at

    async def run(
        self, operations: Iterable[Operation], viewer: Viewer, *, most: int = 3, shrink: bool = True
    ) -> Tally:
        """Compares operation by operation, until so many differ."""
        tally = Tally()
        for operation in operations:
            difference, found = await self.compare(operation, viewer)
            tally.note(operation, found)
            if difference is not None:
                tally.differences.append(await self._shrunk(difference) if shrink else difference)
                if len(tally.differences) >= most:
                    break
        return tally

    async def compare(self, operation: Operation, viewer: Viewer) -> tuple[Difference | None, bool]:
        """The first difference, if there is one, and whether the oracle found something at every root."""
        expected: list[Any] = []
        got: list[Any] = []
        found = False
        for step in operation.steps:
            ours, theirs = step.filled(expected), step.filled(got)
            told = self.oracle.answer(ours.query, ours.variables, viewer, self.at, ours.name)
            answer = await self.ask(theirs, viewer, self.at)
            found = found or told.found
            reason = differs(told, answer)
            if reason is not None:
                shown = told.data if not told.errors else {"errors": told.errors, "data": told.data}
                return Difference(operation, viewer, theirs, reason, shown, answer), found
            expected.append(told.data)
            got.append(answer.get("data"))
        return None, found

    async def _shrunk(self, difference: Difference) -> Difference:
        """The same difference in a smaller document, where the step stands alone."""
        if len(difference.operation.steps) > 1:
            return difference
        tried, progress = 0, True
        while progress and tried < MOST_SHRINKING:
            progress = False
            for step in smaller(difference.step):
                tried += 1
                operation = Operation(difference.operation.label, (step,))
                try:
                    less, _ = await self.compare(operation, difference.viewer)
                except Exception:  # a document that cannot be run says nothing
                    continue
                if less is not None and _alike(less, difference):
                    difference, progress = less, True
                    break
                if tried >= MOST_SHRINKING:
                    break
        return difference


def _alike(one: Difference, other: Difference) -> bool:
    """Whether a smaller document fails in the same manner, not because cutting broke it."""
    return ("errors" in one.got) is ("errors" in other.got) and one.reason.split(":")[0] == other.reason.split(":")[0]


def differs(told: Told, answer: dict[str, Any]) -> str | None:
    """Why the answers are not the same; None when they are."""
    errors = answer.get("errors") or []
    if told.errors or errors:
        return _errors_differ(told, errors)
    return next(apart(told.data, answer.get("data"), ""), None)


def _errors_differ(told: Told, errors: Sequence[dict[str, Any]]) -> str | None:
    codes = [(each.get("extensions", {}).get("code"), each.get("path")) for each in errors]
    if not told.errors or not errors:
        return f"errors: expected {told.errors}, got {errors}"
    expected = {code for code, _ in told.errors}
    roots = {root for _, root in told.errors}
    for code, path in codes:
        if code not in expected:
            return f"errors: expected {sorted(expected)}, got {codes}"
        if path and path[0] not in roots and "" not in roots:
            return f"errors: expected at {sorted(roots)}, got {path}"
    return None


def apart(expected: Any, got: Any, place: str) -> Iterator[str]:
    """Each place where two answers differ."""
    if isinstance(expected, dict) and isinstance(got, dict) and not isinstance(expected, JsonObject):
        if list(expected) != list(got):
            yield f"keys: at {place or 'the top'}: expected {list(expected)}, got {list(got)}"
            return
        for key, value in expected.items():
            yield from apart(value, got[key], f"{place}.{key}")
    elif isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            yield f"length: at {place}: expected {len(expected)}, got {len(got)}"
        for index, (one, other) in enumerate(zip(expected, got, strict=False)):
            yield from apart(one, other, f"{place}[{index}]")
    elif isinstance(expected, str) and expected.startswith(CURSOR):
        if not isinstance(got, str) or not got:
            yield f"cursor: at {place}: got {got!r}"
    elif not same_json(expected, got):
        yield f"value: at {place}: expected {expected!r}, got {got!r}"
