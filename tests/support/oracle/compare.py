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
from oracle.executor import ExpectedResponse, Oracle
from oracle.lists import CURSOR_PREFIX
from oracle.script import GeneratedOperation, Step
from oracle.shrink import smaller_steps
from oracle.values import same_json

# An engine's answer to one step: the parsed body of its response.
ExecuteStep = Callable[[Step, Viewer, datetime], Awaitable[dict[str, Any]]]
MAX_SHRINK_ATTEMPTS = 400


def parse_body(body: bytes) -> dict[str, Any]:
    """A response's JSON with exact numbers."""
    response: dict[str, Any] = json.loads(body, parse_float=Decimal)
    return response


@dataclass(slots=True)
class Difference:
    """An operation whose answers differ, at one step."""

    operation: GeneratedOperation
    viewer: Viewer
    step: Step
    reason: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        return "\n".join(
            (
                f"operation {self.operation.label} for {self.viewer}: {self.reason}",
                f"--- document\n{self.step.query}",
                f"--- variables {json.dumps(self.step.variables, ensure_ascii=False, default=str)} name {self.step.name}",
                f"--- oracle\n{_pretty_json(self.expected)}",
                f"--- engine\n{_pretty_json(self.actual)}",
            )
        )


def _pretty_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return text if len(text) < 6_000 else text[:6_000] + "…"


@dataclass(slots=True)
class ComparisonSummary:
    """A run: its operations, how many of them read tables with rows, how many found something, and each feature's count."""

    operations: int = 0
    reading_rows: int = 0
    non_empty: int = 0
    features: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def record(self, operation: GeneratedOperation, non_empty: bool) -> None:
        self.operations += 1
        if not operation.reads_rows:
            return
        self.reading_rows += 1
        self.non_empty += non_empty
        for feature in operation.features:
            self.features[feature] = self.features.get(feature, 0) + 1


class EngineComparison:
    """The oracle and an engine side by side."""

    def __init__(self, oracle: Oracle, execute_step: ExecuteStep, now: datetime) -> None:
        self.oracle = oracle
        self.execute_step = execute_step
        self.now = now

    async def run(
        self, operations: Iterable[GeneratedOperation], viewer: Viewer, *, max_differences: int = 3, shrink: bool = True
    ) -> ComparisonSummary:
        """Compares operation by operation, until so many differ."""
        summary = ComparisonSummary()
        for operation in operations:
            difference, non_empty = await self.compare(operation, viewer)
            summary.record(operation, non_empty)
            if difference is not None:
                summary.differences.append(await self._shrink(difference) if shrink else difference)
                if len(summary.differences) >= max_differences:
                    break
        return summary

    async def compare(self, operation: GeneratedOperation, viewer: Viewer) -> tuple[Difference | None, bool]:
        """The first difference, if there is one, and whether the oracle found something at every root."""
        expected: list[Any] = []
        actual: list[Any] = []
        non_empty = False
        for step in operation.steps:
            oracle_step, engine_step = step.resolve(expected), step.resolve(actual)
            expected_response = self.oracle.answer(
                oracle_step.query, oracle_step.variables, viewer, self.now, oracle_step.name
            )
            response = await self.execute_step(engine_step, viewer, self.now)
            non_empty = non_empty or expected_response.non_empty
            reason = response_difference(expected_response, response)
            if reason is not None:
                expected_result = (
                    expected_response.data
                    if not expected_response.errors
                    else {"errors": expected_response.errors, "data": expected_response.data}
                )
                return Difference(operation, viewer, engine_step, reason, expected_result, response), non_empty
            expected.append(expected_response.data)
            actual.append(response.get("data"))
        return None, non_empty

    async def _shrink(self, difference: Difference) -> Difference:
        """The same difference in a smaller document, where the step stands alone."""
        if len(difference.operation.steps) > 1:
            return difference
        attempts, progress = 0, True
        while progress and attempts < MAX_SHRINK_ATTEMPTS:
            progress = False
            for step in smaller_steps(difference.step):
                attempts += 1
                operation = GeneratedOperation(difference.operation.label, (step,))
                try:
                    smaller_difference, _ = await self.compare(operation, difference.viewer)
                except Exception:  # a document that cannot be run says nothing
                    continue
                if smaller_difference is not None and _same_failure(smaller_difference, difference):
                    difference, progress = smaller_difference, True
                    break
                if attempts >= MAX_SHRINK_ATTEMPTS:
                    break
        return difference


def _same_failure(one: Difference, other: Difference) -> bool:
    """Whether a smaller document fails in the same manner, not because cutting broke it."""
    return ("errors" in one.actual) is ("errors" in other.actual) and one.reason.split(":")[0] == other.reason.split(
        ":"
    )[0]


def response_difference(expected_response: ExpectedResponse, response: dict[str, Any]) -> str | None:
    """Why the answers are not the same; None when they are."""
    errors = response.get("errors") or []
    if expected_response.errors or errors:
        return _error_difference(expected_response, errors)
    return next(value_differences(expected_response.data, response.get("data"), ""), None)


def _error_difference(expected_response: ExpectedResponse, errors: Sequence[dict[str, Any]]) -> str | None:
    codes = [(error.get("extensions", {}).get("code"), error.get("path")) for error in errors]
    if not expected_response.errors or not errors:
        return f"errors: expected {expected_response.errors}, got {errors}"
    expected = {code for code, _ in expected_response.errors}
    roots = {root for _, root in expected_response.errors}
    for code, path in codes:
        if code not in expected:
            return f"errors: expected {sorted(expected)}, got {codes}"
        if path and path[0] not in roots and "" not in roots:
            return f"errors: expected at {sorted(roots)}, got {path}"
    return None


def value_differences(expected: Any, actual: Any, path: str) -> Iterator[str]:
    """Each place where two answers differ."""
    if isinstance(expected, dict) and isinstance(actual, dict) and not isinstance(expected, JsonObject):
        if list(expected) != list(actual):
            yield f"keys: at {path or 'the top'}: expected {list(expected)}, got {list(actual)}"
            return
        for key, value in expected.items():
            yield from value_differences(value, actual[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"length: at {path}: expected {len(expected)}, got {len(actual)}"
        for index, (one, other) in enumerate(zip(expected, actual, strict=False)):
            yield from value_differences(one, other, f"{path}[{index}]")
    elif isinstance(expected, str) and expected.startswith(CURSOR_PREFIX):
        if not isinstance(actual, str) or not actual:
            yield f"cursor: at {path}: got {actual!r}"
    elif not same_json(expected, actual):
        yield f"value: at {path}: expected {expected!r}, got {actual!r}"
