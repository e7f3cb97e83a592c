"""Operations as scripts: documents that are run one after the other, later ones with cursors out of earlier answers."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import DocumentNode, parse

_PLACEHOLDER = re.compile(r"@@(\d+)@@")


@lru_cache(2_000)
def parse_document(query: str) -> DocumentNode:
    """A document: who makes one asks what it costs, who answers it reads it again, and several viewers ask the same."""
    return parse(query, no_location=True)


@dataclass(frozen=True, slots=True)
class ResponseReference:
    """A value out of an earlier answer of the same side; null when there is nothing."""

    step: int
    path: tuple[str | int, ...]

    def resolve(self, answers: Sequence[Any]) -> Any:
        value = answers[self.step]
        for part in self.path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


@dataclass(frozen=True, slots=True)
class Step:
    """A document with its variables. `@@0@@` in the text stands for the first of `literals`, written as a literal."""

    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    literals: tuple[ResponseReference, ...] = ()

    def resolve(self, answers: Sequence[Any]) -> "Step":
        """The step with all that it takes from earlier answers put in."""
        query = _PLACEHOLDER.sub(lambda match: json.dumps(self.literals[int(match[1])].resolve(answers)), self.query)
        variables = {
            n: v.resolve(answers) if isinstance(v, ResponseReference) else v for n, v in self.variables.items()
        }
        return Step(query, variables, self.name)


@dataclass(frozen=True, slots=True)
class GeneratedOperation:
    """A script with its number among those of a seed, and the features that it makes use of.

    `reads_rows` is false when a root reads a table without rows, so that nobody expects an answer."""

    label: str
    steps: tuple[Step, ...]
    features: frozenset[str] = frozenset()
    reads_rows: bool = True
