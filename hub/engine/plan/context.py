"""The workbench of one planning: slots as they are made, arguments as they are read, faults with their place.

filters.py, pages.py and planner.py draw on it; it knows no field."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, Row, a
from hub.engine.catalog.scalars import Wire
from hub.engine.plan.arguments import Leaf, Reader, plain
from hub.engine.plan.predicates import Run, Slot
from hub.errors import BadInput, HubError, LimitExceeded

Convert = Callable[[Any], Any]
Place = tuple[tuple[str | int, ...], tuple[tuple[int, int], ...]]  # path in the response, lines and columns in the text
AHEAD = timedelta(minutes=1)  # by which the clock of the database may be ahead of the hub's
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it, not the six characters behind a backslash


def refuse(code: str, argument: str, fault: str) -> NoReturn:
    """Raises BadInput that names the argument, its fault and the remedy."""
    raise BadInput(f"{argument}: {fault}", code=code, argument=argument)


def storable(value: Any, argument: str) -> Any:
    """A text that Postgres can hold; raises VALUE_INVALID for the two kinds that it cannot."""
    if isinstance(value, str):
        if "\0" in value:
            refuse("VALUE_INVALID", argument, "the text holds a NUL character; remove it.")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                refuse("VALUE_INVALID", argument, "the text holds half a surrogate pair; send valid Unicode.")
    return value


def json_text(value: Any, argument: str) -> str:
    """A JSON value that Postgres can hold, as text; raises VALUE_INVALID for any other."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        refuse("VALUE_INVALID", argument, "a number in it is too large; give it as a text.")
    except TypeError:
        refuse("VALUE_INVALID", argument, "a variable in it is absent or no JSON; give it, and declare it as JSON.")
    if NUL.search(text):
        refuse("VALUE_INVALID", argument, "a text in it holds a NUL character; remove it.")
    return text


def _located(value: Callable[[Run], Any], place: Place) -> Callable[[Run], Any]:
    def found(run: Run) -> Any:
        try:
            return value(run)
        except HubError as fault:
            if fault.path is None:
                fault.path, fault.locations = place
            raise

    return found


@dataclass(slots=True)
class Draft:
    """One planning."""

    catalog: Catalog
    read: Reader
    page_limit: int
    slots: list[Slot] = field(default_factory=list)
    conditions: int = 0
    figures: int = 0
    place: Place | None = None
    timed: bool = False  # the answer may become another one by time alone
    past: bool = False  # what is planned is read as it was, so nothing can be reached from it
    imaged: bool = False  # what is planned stands below an image of the log, which the viewer may not see any more

    def anew(self) -> "Draft":
        """A fresh bench for a plan beside this one."""
        return Draft(self.catalog, self.read, self.page_limit, place=self.place, imaged=self.imaged)

    @contextmanager
    def looking_back(self, *, back: bool = True) -> Iterator[None]:
        """What is planned inside is read as it was."""
        around, self.past = self.past, back
        try:
            yield
        finally:
            self.past = around

    def passed(self, leaf: Leaf, argument: str) -> Slot:
        """A parameter for a moment that has passed."""

        def moment(run: Run) -> datetime:
            found: datetime = leaf.fetch(run.variables)
            if found > run.at + AHEAD:
                refuse(
                    "VALUE_INVALID", argument, f"{found.isoformat()} has not come yet; name a moment that has passed."
                )
            return found

        return self.slot(scalars.DATETIME.type, moment)

    def text(self, value: Callable[[Run], Any], argument: str) -> Slot:
        """A parameter for a text that is made of several values."""
        return self.slot(sa.Text(), lambda run: storable(plain(value(run)), argument))

    def slot(self, of: sa.types.TypeEngine[Any], value: Callable[[Run], Any]) -> Slot:
        """A new parameter of the statement; a fault in its value is told with the field's place."""
        made = Slot(f"p{len(self.slots)}", of, _located(value, self.place) if self.place else value)
        self.slots.append(made)
        return made

    def value(self, kind: Wire, leaf: Leaf, argument: str, *, prefix: str | None = None) -> Slot:
        """A parameter for one value of a kind; ids are checked against the prefix."""
        convert = self._converter(kind, argument, prefix)
        return self._value(kind.type, leaf, convert)

    def values(self, kind: Wire, leaf: Leaf, argument: str, *, prefix: str | None = None) -> Slot:
        """A parameter for a list of values of a kind."""
        convert = self._converter(kind, argument, prefix)
        return self._value(ARRAY(kind.type), leaf, lambda items: [convert(each) for each in items])

    def _value(self, of: sa.types.TypeEngine[Any], leaf: Leaf, convert: Convert) -> Slot:
        fetch = leaf.fetch
        if leaf.constant:
            constant = convert(fetch({}))
            return self.slot(of, lambda run: constant)
        return self.slot(of, lambda run: convert(fetch(run.variables)))

    def _converter(self, kind: Wire, argument: str, prefix: str | None) -> Convert:
        if kind.name == "ID":
            return lambda value: self._key(value, argument, prefix)
        if kind.name == "JSON":
            return lambda value: json_text(value, argument)
        return lambda value: storable(plain(value), argument)

    def _key(self, value: str, argument: str, prefix: str | None) -> UUID:
        found, key = scalars.parse_id(value, argument)
        if prefix is not None and found != prefix:
            wanted = self.catalog.prefixes[prefix].name
            row = self.catalog.prefixes.get(found)
            fault = f"{value} is the id of {row.name if row else 'no type'}; give the id of {a(wanted)}, {prefix}_…"
            refuse("ID_WRONG_TYPE", argument, fault)
        return key

    def zone(self, leaf: Leaf, argument: str) -> Slot:
        """A parameter for the name of a time zone; Postgres alone would also take rules like `ABC5`."""

        def known(run: Run) -> str:
            name = cast(str, storable(leaf.fetch(run.variables), argument))
            try:
                return ZoneInfo(name).key
            except (KeyError, ValueError, OSError):
                refuse(
                    "TIMEZONE_UNKNOWN", argument, f"{name[:60]!r} is no IANA time zone; give a name like Europe/Berlin."
                )

        return self.slot(sa.Text(), known)

    def key(self, leaf: Leaf, row: Row, argument: str) -> Slot:
        """A parameter for the key of a row."""
        return self.value(scalars.ID, leaf, argument, prefix=row.declaration.prefix)

    def moment(self, leaf: Leaf, argument: str) -> Slot:
        """A parameter for the moment that lies a duration before the request."""
        self.timed = True

        def ago(run: Run) -> Any:
            length: timedelta = leaf.fetch(run.variables)
            try:
                return run.at - length
            except OverflowError:
                refuse("VALUE_INVALID", argument, "the duration reaches back before the calendar; give a shorter one.")

        return self.slot(scalars.DATETIME.type, ago)

    def size(self, leaf: Leaf, argument: str) -> int | Slot:
        """How many rows: a number when it is written in the document, else a parameter."""
        if leaf.constant:
            return self._sized(leaf.fetch({}), argument)
        return self.slot(sa.Integer(), lambda run: self._sized(leaf.fetch(run.variables), argument))

    def _sized(self, number: int, argument: str) -> int:
        if number < 0:
            refuse("PAGE_ARGUMENTS", argument, f"{number} rows cannot be given; ask for 0 or more.")
        if number > self.page_limit:
            raise LimitExceeded(
                f"{argument}: {number} rows are more than a page holds; ask for at most {self.page_limit} and page on.",
                code="PAGE_LIMIT",
                argument=argument,
            )
        return number


def leaf_of(given: object, argument: str, code: str = "VALUE_INVALID") -> Leaf:
    """The given as a leaf; raises when null stands there."""
    if not isinstance(given, Leaf):
        refuse(code, argument, "null is no value here; leave it out, or use isNull.")
    return given


def objects(given: object) -> Sequence[dict[str, Any]]:
    """The given as a list of objects; nulls in it are left out."""
    items = given if isinstance(given, list) else [given]
    return [each for each in items if isinstance(each, dict)]
