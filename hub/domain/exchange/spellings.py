"""Other spellings of what names a customer: lines that were refused, and inputs of jobs, have it as somebody wrote it.

Names have other spaces, cases and accents there, telephone numbers other signs between their digits, or no country."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hub.db.change_log import LONG_STATEMENT_SECONDS
from hub.db.pool import Connection
from hub.domain.work.report_erasure import CustomerMarks
from hub.model.validators import national_digits

SIGNS = re.compile(r"[ ()./-]+")  # between the digits of a number, in folded text
_FOLD = "select array_agg(distinct btrim(hub_fold(text))) from unnest($1::text[]) as named (text)"
# Rows of a query, which has the columns `key` and `text`, that may name the customer; the text is folded.
_NAMING = r"""
select key, folded from (select key, hub_fold(text) as folded from ({query}) as texts) as rows
where exists (select from unnest($1::text[]) as named (text) where position(named.text in folded) > 0)
    or exists (
        select from unnest($2::text[]) as numbers (digits)
        where position(digits in regexp_replace(folded, '[ ()./-]+', '', 'g')) > 0
    )
"""


@dataclass(frozen=True)
class Spellings:
    """What names a customer, folded as the search folds it; and its telephone numbers, as they are dialled in their country."""

    marks: CustomerMarks
    numbers: tuple[str, ...]

    @cached_property
    def _number_pattern(self) -> re.Pattern[str] | None:
        return re.compile(f"(?:{'|'.join(self.numbers)})(?![0-9])") if self.numbers else None

    def _names(self, folded: str) -> bool:
        """Whether a folded text names the customer."""
        if self.marks.erased(folded) != folded:
            return True
        return self._number_pattern is not None and self._number_pattern.search(SIGNS.sub("", folded)) is not None

    async def find(self, tx: Connection, query: str) -> list[Any]:
        """The keys of a query's rows whose texts name the customer. The query has the columns `key` and `text`."""
        statement = _NAMING.format(query=query)
        rows = await tx.fetch(statement, list(self.marks.texts), list(self.numbers), timeout=LONG_STATEMENT_SECONDS)
        return [row["key"] for row in rows if self._names(row["folded"])]


async def spellings_of(tx: Connection, marks: CustomerMarks) -> Spellings:
    """The spellings of what names a customer."""
    folded = await tx.fetchval(_FOLD, marks.stored_texts) or []
    numbers = {digits for text in marks.texts if (digits := national_digits(text)) is not None}
    return Spellings(CustomerMarks(marks.keys, tuple(text for text in folded if text)), tuple(sorted(numbers)))
