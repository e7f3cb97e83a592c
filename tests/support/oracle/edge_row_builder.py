"""The builder of edge rows: random values from a seed, and rows by table in the order in which they can be stored."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from hub.model.entity import Entity
from oracle.edge_operations import TEXTS, TIMESTAMPS

EdgeRowValues = dict[str, Any]


@dataclass(slots=True)
class EdgeRowBuilder:
    """Rows to be, by table, in the order in which they can be stored."""

    rng: random.Random
    rows_by_table: dict[sa.Table, list[EdgeRowValues]] = field(default_factory=dict)

    def key(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128))

    def add(self, entity: type[Entity], /, **values: Any) -> EdgeRowValues:
        row = {"id": self.key(), **values, "created_at": self.pick(TIMESTAMPS), "updated_at": self.pick(TIMESTAMPS)}
        row["version"] = self.rng.randint(1, 3)
        self.rows_by_table.setdefault(entity.table, []).append(row)
        return row

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.rng.choice(choices)

    def maybe(self, choices: Sequence[Any]) -> Any:
        return self.pick(choices) if choices and self.rng.random() < 0.6 else None

    def text(self) -> str | None:
        text: str | None = self.maybe(TEXTS)
        return text

    def amount(self, maximum: int) -> Decimal:
        return Decimal(self.rng.choice((0, 10_000, 12_345, self.rng.randint(0, maximum)))).scaleb(-4)

    def member(self, choices: type[Enum]) -> str:
        return str(self.pick([member.value for member in choices]))
