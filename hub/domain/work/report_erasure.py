"""Erases a customer from reports and disclosures, which outlive it: what names it goes, the rest and the digests stay.

A report that was issued keeps the digest of what was issued."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from hub.db.change_log import LONG_STATEMENT_SECONDS
from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.privacy.erasure import erases_customer
from hub.model import exact_json, rows
from hub.model.entity import declared_entities
from hub.model.personal import PERSONAL, PersonalData
from hub.schema.customers.customers import Customer
from hub.schema.work.disclosures import Disclosure
from hub.schema.work.reports import ReportIssue
from hub.viewer import ADMIN

ERASED = "[erased]"
NAMING = (PersonalData.NAME, PersonalData.CONTACT, PersonalData.IDENTIFIER)
MIN_TEXT = 2  # characters of a text that names somebody
FREE_COLUMNS = ("facts", "sections", "note")

_ID = re.compile(r"\b[a-z]{3}_([0-9a-f]{32})\b")
_NAMING_ISSUES = """
select id, facts::text as facts, sections::text as sections, note from report_issues
where exists (
    select from unnest($1::text[]) as named (text)
    where position(lower(named.text) in lower(concat_ws(' ', facts::text, sections::text, note))) > 0
) or exists (
    select from regexp_matches(concat_ws(' ', facts::text, sections::text, note), '_([0-9a-f]{32})', 'g') as m (hex)
    where m.hex[1] = any($2::text[])
)
"""
_DISCLOSURES = "select id from disclosures where customer_id = $1"
# Moves of a disclosure outlive the customer as it does; their reasons are words of a person.
_ERASE_REASONS = """
update moves set reason = $2, version = version + 1, updated_at = $3 where row_id = any($1) and reason is not null
returning id
"""
_REDACT_REASONS = """
update change_log set before = jsonb_set(before, '{reason}', to_jsonb($2::text), false),
    after = jsonb_set(after, '{reason}', to_jsonb($2::text), false)
where table_name = 'moves' and row_id = any($1)
"""
_LET_ISSUED_CHANGE = "set local hub.erasing = 'on'"
_KEEP_ISSUED = "set local hub.erasing = 'off'"
_IMAGES = """
select id, before::text as before, after::text as after from change_log
where table_name = 'report_issues' and row_id = any($1)
"""
_REDACT_IMAGES = "update change_log set before = $2::jsonb, after = $3::jsonb where id = $1"


@dataclass(frozen=True)
class CustomerMarks:
    """What names a customer in texts and JSON: the keys of its rows in hexadecimal, and its names, numbers and addresses."""

    keys: frozenset[str]
    texts: tuple[str, ...]

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Finds the texts, longest first; None without any. Those of Latin letters and digits only as whole words."""
        longest = sorted(self.texts, key=len, reverse=True)
        return re.compile("|".join(map(_whole_words, longest)), re.IGNORECASE) if longest else None

    @property
    def stored_texts(self) -> list[str]:
        """The texts as they stand in texts and in JSON."""
        return sorted({*self.texts, *(orjson.dumps(text).decode()[1:-1] for text in self.texts)})

    def erased(self, value: Any) -> Any:
        """A JSON value without the customer: texts lose what names it, an object that has the id of a row all values."""
        if isinstance(value, str):
            return self._erased_text(value)
        if isinstance(value, list):
            return [self.erased(item) for item in value]
        if isinstance(value, dict):
            is_of_customer = any(self._is_id(member) for member in value.values())
            return {name: _blank(member) if is_of_customer else self.erased(member) for name, member in value.items()}
        return value

    def _is_id(self, value: Any) -> bool:
        matched = _ID.fullmatch(value) if isinstance(value, str) else None
        return matched is not None and matched[1] in self.keys

    def _erased_text(self, text: str) -> str:
        text = _ID.sub(lambda matched: ERASED if matched[1] in self.keys else matched[0], text)
        return text if self.pattern is None else self.pattern.sub(ERASED, text)


def _whole_words(text: str) -> str:
    """A pattern of a text. A name that ends in a Latin letter or a digit is no part of a longer word."""
    before = r"(?<![0-9A-Za-z])" if text[0].isascii() and text[0].isalnum() else ""
    after = r"(?![0-9A-Za-z])" if text[-1].isascii() and text[-1].isalnum() else ""
    return f"{before}{re.escape(text)}{after}"


def _blank(value: Any) -> Any:
    """A value of the same form without content."""
    if isinstance(value, dict):
        return {name: _blank(member) for name, member in value.items()}
    return [_blank(item) for item in value] if isinstance(value, list) else None


@erases_customer
async def begin_erasure(tx: Connection, customer_id: UUID, now: datetime) -> Callable[[], Awaitable[object]]:
    """Erases a customer from disclosures; what it returns erases it from reports."""
    marks = await find_marks(tx, customer_id)
    moves = await erase_from_disclosures(tx, customer_id, now)
    return partial(_finish_erasure, tx, marks, moves, now)


async def _finish_erasure(tx: Connection, marks: CustomerMarks, moves: list[UUID], now: datetime) -> None:
    await erase_from_reports(tx, marks, now)
    if moves:
        await tx.execute(_REDACT_REASONS, moves, ERASED, timeout=LONG_STATEMENT_SECONDS)


async def find_marks(tx: Connection, customer_id: UUID) -> CustomerMarks:
    """What names a customer, as long as its rows are there."""
    keys: set[str] = set()
    texts: set[str] = set()
    for table in {entity.table for entity in declared_entities()}:
        owner = table.c.id if table is Customer.table else table.c.get("customer_id")
        if owner is None or table is Disclosure.table:
            continue
        names = [column for column in table.c if _names(column)]
        statement = to_sql(sa.select(table.c.id, *names).where(owner == sa.bindparam("customer", type_=sa.Uuid)))
        for row in await tx.fetch(statement, customer_id, timeout=LONG_STATEMENT_SECONDS):
            keys.add(row["id"].hex)
            texts.update(row[column.name] for column in names if row[column.name])
    return CustomerMarks(frozenset(keys), tuple(sorted(text for text in texts if len(text) >= MIN_TEXT)))


def _names(column: sa.Column[Any]) -> bool:
    return column.info.get(PERSONAL) in NAMING and isinstance(column.type, sa.Text)


async def erase_from_disclosures(tx: Connection, customer_id: UUID, now: datetime) -> list[UUID]:
    """Erases who a customer is from disclosures that have to do with it, before they lose the link to it.

    Returns the keys of their moves, whose images in the log name it still."""
    keys = [row["id"] for row in await tx.fetch(_DISCLOSURES, customer_id)]
    for key in keys:
        await rows.update_row(tx, ADMIN, Disclosure, key, {"counterparty": ERASED, "matter": ERASED}, now)
    return [row["id"] for row in await tx.fetch(_ERASE_REASONS, keys, ERASED, now)] if keys else []


async def erase_from_reports(tx: Connection, marks: CustomerMarks, now: datetime) -> int:
    """Erases what names a customer from reports and from their images in the change log; returns the number of reports."""
    arguments = (marks.stored_texts, sorted(marks.keys))
    issues = await tx.fetch(_NAMING_ISSUES, *arguments, timeout=LONG_STATEMENT_SECONDS)
    await tx.execute(_LET_ISSUED_CHANGE)
    erased = []
    for issue in issues:
        before = {"facts": _read(issue["facts"]), "sections": _read(issue["sections"]), "note": issue["note"]}
        after = {name: marks.erased(value) for name, value in before.items()}
        if after != before:
            await rows.update_row(tx, ADMIN, ReportIssue, issue["id"], after, now)
            erased.append(issue["id"])
    await tx.execute(_KEEP_ISSUED)
    await _redact_images(tx, marks, erased)
    return len(erased)


async def _redact_images(tx: Connection, marks: CustomerMarks, keys: Iterable[UUID]) -> None:
    for entry in await tx.fetch(_IMAGES, list(keys), timeout=LONG_STATEMENT_SECONDS):
        images = [_redacted_image(marks, _read(entry[name])) for name in ("before", "after")]
        texts = [None if image is None else exact_json.dumps(image) for image in images]
        await tx.execute(_REDACT_IMAGES, entry["id"], *texts)


def _redacted_image(marks: CustomerMarks, image: Any) -> Any:
    if image is None:
        return None
    return {name: marks.erased(value) if name in FREE_COLUMNS else value for name, value in image.items()}


def _read(text: str | None) -> Any:
    return None if text is None else exact_json.loads(text)
