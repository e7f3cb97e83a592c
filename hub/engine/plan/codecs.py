"""Codecs of values in arguments: ids, JSON, texts, lists, times, time zones, page sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import CatalogEntity, with_article
from hub.engine.catalog.input_values import bad_input, enum_value, json_text, storable_text
from hub.engine.plan.parameters import Codec, ExecutionContext
from hub.errors import LimitExceeded
from hub.model.normal_forms import NormalForm, RowNormalForm
from hub.model.unicode_text import visible

NOT_IANA = frozenset(
    {"localtime", "posix", "posixrules", "right"}
)  # names and folders that Linux adds to the IANA database

ME = "ME"  # stands for the viewer's own row where a filter takes an id
SOUGHT = ""  # no column bears this name
CLOCK_TOLERANCE = timedelta(minutes=1)  # by which the clock of the database may be ahead of the hub's


@dataclass(frozen=True, slots=True)
class ValueCodec(Codec):
    """A codec that needs the value alone, so that literals are encoded once, when the operation is planned."""

    argument: str

    def convert(self, value: Any) -> Any:
        """The argument; raises BadInput for a value that does not fit."""
        return value

    def encode(self, value: Any, context: ExecutionContext) -> Any:
        """The argument; raises BadInput for a value that does not fit."""
        return self.convert(value)


@dataclass(frozen=True, slots=True)
class TextCodec(ValueCodec):
    """Texts and enum values; other values stay as they are."""

    def convert(self, value: Any) -> Any:
        """The text; raises VALUE_INVALID for one that Postgres cannot hold."""
        return storable_text(enum_value(value), self.argument)


@dataclass(frozen=True, slots=True)
class NormalFormCodec(ValueCodec):
    """Texts of a column, in the form that writes store."""

    normal_form: NormalForm = field(compare=False, repr=False)

    def convert(self, value: Any) -> str:
        """The normal form; raises VALUE_INVALID for what is no code where the column's type lists its values."""
        try:
            return self.normal_form.convert(storable_text(value, self.argument))
        except ValueError as fault:
            bad_input("VALUE_INVALID", self.argument, f"{fault}.")


@dataclass(frozen=True, slots=True)
class PatternCodec(ValueCodec):
    """Parts of texts: without what nobody sees."""

    def convert(self, value: Any) -> str:
        """The text; raises VALUE_INVALID for one that Postgres cannot hold."""
        return visible(storable_text(value, self.argument))


@dataclass(frozen=True, slots=True)
class SpellingsCodec(Codec):
    """Texts of a column whose normal form depends on its row: all forms that writes may have stored.

    The value is an object: the texts under SOUGHT, beside the columns whose values the filter fixes."""

    argument: str
    normal_form: RowNormalForm = field(compare=False, repr=False)

    def encode(self, value: Mapping[str, Any], context: ExecutionContext) -> list[str]:
        """The forms; raises VALUE_INVALID for a text that Postgres cannot hold."""
        known = {name: storable_text(enum_value(part), self.argument) for name, part in value.items()}
        texts = known.pop(SOUGHT)
        spellings: set[str] = set()
        try:
            for text in texts if isinstance(texts, list) else [texts]:
                spellings |= self.normal_form.spellings(storable_text(text, self.argument), known)
        except ValueError as fault:
            bad_input("VALUE_INVALID", self.argument, f"{fault}.")
        return sorted(spellings)


@dataclass(frozen=True, slots=True)
class JsonCodec(ValueCodec):
    """JSON values, as text."""

    def convert(self, value: Any) -> str:
        """The JSON text; raises VALUE_INVALID for a value that Postgres cannot hold."""
        return json_text(value, self.argument)


@dataclass(frozen=True, slots=True)
class IdCodec(ValueCodec):
    """Ids of one type, or with no prefix of any type, as keys."""

    prefix: str | None
    entities: Mapping[str, CatalogEntity] = field(compare=False, repr=False)

    def convert(self, value: str) -> UUID:
        """The key; raises ID_MALFORMED, and ID_WRONG_TYPE for the id of another type."""
        actual_prefix, key = scalars.decode_id(value, self.argument)
        if self.prefix is not None and actual_prefix != self.prefix:
            expected = self.entities[self.prefix].name
            entity = self.entities.get(actual_prefix)
            actual = entity.name if entity else "no type"
            problem = f"{value} is the id of {actual}; give the id of {with_article(expected)}, {self.prefix}_…"
            bad_input("ID_WRONG_TYPE", self.argument, problem)
        return key


@dataclass(frozen=True, slots=True)
class ViewerIdCodec(IdCodec):
    """Ids of one type, among them ME: the row that the viewer is, which is known when the plan runs."""

    attribute: str

    def encode(self, value: str, context: ExecutionContext) -> UUID:
        """The key; raises PERSON_NEEDED for ME where the viewer is no such row."""
        if value != ME:
            return self.convert(value)
        key: UUID | None = getattr(context.viewer, self.attribute)
        if key is None:
            noun = self.entities[str(self.prefix)].name
            problem = (
                f"{ME} is the {noun} who asks, and none is behind this key; give an id, or ask with a person's key."
            )
            bad_input("PERSON_NEEDED", self.argument, problem)
        return key


@dataclass(frozen=True, slots=True)
class ListCodec(ValueCodec):
    """Lists whose items have one codec."""

    item: ValueCodec

    def convert(self, value: Any) -> list[Any]:
        """The items, encoded."""
        return [self.item.convert(item) for item in value]

    def encode(self, value: Any, context: ExecutionContext) -> list[Any]:
        """The items, encoded."""
        return [self.item.encode(item, context) for item in value]


@dataclass(frozen=True, slots=True)
class TimezoneCodec(ValueCodec):
    """Names of time zones. Postgres itself would also accept rules like `ABC5`."""

    def convert(self, value: Any) -> str:
        """The name; raises TIMEZONE_UNKNOWN."""
        name = cast(str, storable_text(value, self.argument))
        try:
            if name.partition("/")[0] in NOT_IANA:
                raise ValueError
            return ZoneInfo(name).key
        except (KeyError, ValueError, OSError):
            problem = f"{name[:60]!r} is no IANA time zone; give a name like Europe/Berlin."
            bad_input("TIMEZONE_UNKNOWN", self.argument, problem)


@dataclass(frozen=True, slots=True)
class PageSizeCodec(ValueCodec):
    """How many rows a page has, up to `limit`."""

    limit: int

    def convert(self, value: int) -> int:
        """The number; raises PAGE_ARGUMENTS and PAGE_LIMIT."""
        if value < 0:
            bad_input("PAGE_ARGUMENTS", self.argument, f"{value} is negative; give 0 or more.")
        if value > self.limit:
            raise LimitExceeded(
                f"{self.argument}: {value} rows are more than a page holds; give at most {self.limit}, then read the next page.",
                code="PAGE_LIMIT",
                argument=self.argument,
            )
        return value


@dataclass(frozen=True, slots=True)
class PastTimestampCodec(Codec):
    """Timestamps that are not in the future of the request, and that the change log still reaches."""

    argument: str
    retention: timedelta | None

    def encode(self, value: datetime, context: ExecutionContext) -> datetime:
        """The timestamp; raises VALUE_INVALID for one in the future and AS_OF_EXPIRED."""
        if value > context.now + CLOCK_TOLERANCE:
            problem = f"{value.isoformat()} lies in the future; give a time in the past."
            bad_input("VALUE_INVALID", self.argument, problem)
        if self.retention is not None and value < (oldest := context.now - self.retention):
            problem = f"the change log keeps {self.retention.days} days; give a time from {oldest.isoformat()} on."
            bad_input("AS_OF_EXPIRED", self.argument, problem)
        return value


@dataclass(frozen=True, slots=True)
class RelativeTimeCodec(Codec):
    """Durations, as the time that lies so long before the request."""

    argument: str

    def encode(self, value: timedelta, context: ExecutionContext) -> datetime:
        """The timestamp; raises VALUE_INVALID for a duration that is too long."""
        try:
            return context.now - value
        except OverflowError:
            problem = "the duration reaches back before the year 1; give a shorter one."
            bad_input("VALUE_INVALID", self.argument, problem)
