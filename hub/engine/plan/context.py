"""The workbench of one planning: parameters as they are made, arguments as they are read, faults with their place.

filters.py, pagination.py and operations.py draw on it; it knows no field."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, CatalogEntity, with_article
from hub.engine.catalog.input_values import bad_input, enum_value, json_text, storable_text
from hub.engine.catalog.scalars import ScalarType
from hub.engine.plan.arguments import ArgumentReader, ArgumentValue
from hub.engine.plan.predicates import ExecutionContext, Parameter
from hub.errors import HubError, LimitExceeded

Converter = Callable[[Any], Any]
SourceLocation = tuple[
    tuple[str | int, ...], tuple[tuple[int, int], ...]
]  # path in the response, lines and columns in the text
CLOCK_TOLERANCE = timedelta(minutes=1)  # by which the clock of the database may be ahead of the hub's


def _with_location(
    evaluate: Callable[[ExecutionContext], Any], source_location: SourceLocation
) -> Callable[[ExecutionContext], Any]:
    def located(context: ExecutionContext) -> Any:
        try:
            return evaluate(context)
        except HubError as error:
            if error.path is None:
                error.path, error.locations = source_location
            raise

    return located


@dataclass(slots=True)
class PlanningContext:
    """One planning."""

    catalog: Catalog
    reader: ArgumentReader
    page_limit: int
    parameters: list[Parameter] = field(default_factory=list)
    condition_count: int = 0
    aggregate_count: int = 0
    source_location: SourceLocation | None = None
    time_dependent: bool = False  # the answer may become another one by time alone
    uses_search: bool = False  # the best way to run the plan depends on the searched words
    as_of: bool = False  # what is planned is read as it was, so nothing can be reached from it
    below_image: bool = False  # what is planned stands below an image of the log, which the viewer may not see any more

    def child(self) -> "PlanningContext":
        """A fresh bench for a plan beside this one."""
        return PlanningContext(
            self.catalog,
            self.reader,
            self.page_limit,
            source_location=self.source_location,
            below_image=self.below_image,
        )

    @contextmanager
    def in_the_past(self, *, enabled: bool = True) -> Iterator[None]:
        """What is planned inside is read as it was."""
        previous, self.as_of = self.as_of, enabled
        try:
            yield
        finally:
            self.as_of = previous

    def past_timestamp_parameter(self, value: ArgumentValue, argument: str) -> Parameter:
        """A parameter for a moment that has passed."""

        def evaluate(context: ExecutionContext) -> datetime:
            timestamp: datetime = value.source(context.variables)
            if timestamp > context.now + CLOCK_TOLERANCE:
                bad_input(
                    "VALUE_INVALID",
                    argument,
                    f"{timestamp.isoformat()} has not come yet; name a moment that has passed.",
                )
            return timestamp

        return self.parameter(scalars.DATETIME.sql_type, evaluate)

    def text_parameter(self, evaluate: Callable[[ExecutionContext], Any], argument: str) -> Parameter:
        """A parameter for a text that is made of several values."""
        return self.parameter(sa.Text(), lambda context: storable_text(enum_value(evaluate(context)), argument))

    def parameter(self, sql_type: sa.types.TypeEngine[Any], evaluate: Callable[[ExecutionContext], Any]) -> Parameter:
        """A new parameter of the statement; a fault in its value is told with the field's place."""
        parameter = Parameter(
            f"p{len(self.parameters)}",
            sql_type,
            _with_location(evaluate, self.source_location) if self.source_location else evaluate,
        )
        self.parameters.append(parameter)
        return parameter

    def value_parameter(
        self, scalar: ScalarType, value: ArgumentValue, argument: str, *, prefix: str | None = None
    ) -> Parameter:
        """A parameter for one value of a kind; ids are checked against the prefix."""
        convert = self._converter(scalar, argument, prefix)
        return self._converted_parameter(scalar.sql_type, value, convert)

    def list_parameter(
        self, scalar: ScalarType, value: ArgumentValue, argument: str, *, prefix: str | None = None
    ) -> Parameter:
        """A parameter for a list of values of a kind."""
        convert = self._converter(scalar, argument, prefix)
        return self._converted_parameter(ARRAY(scalar.sql_type), value, lambda items: [convert(item) for item in items])

    def _converted_parameter(
        self, sql_type: sa.types.TypeEngine[Any], value: ArgumentValue, convert: Converter
    ) -> Parameter:
        source = value.source
        if value.constant:
            constant = convert(source({}))
            return self.parameter(sql_type, lambda context: constant)
        return self.parameter(sql_type, lambda context: convert(source(context.variables)))

    def _converter(self, scalar: ScalarType, argument: str, prefix: str | None) -> Converter:
        if scalar.name == "ID":
            return lambda value: self._decode_key(value, argument, prefix)
        if scalar.name == "JSON":
            return lambda value: json_text(value, argument)
        return lambda value: storable_text(enum_value(value), argument)

    def _decode_key(self, value: str, argument: str, prefix: str | None) -> UUID:
        actual_prefix, key = scalars.decode_id(value, argument)
        if prefix is not None and actual_prefix != prefix:
            expected = self.catalog.prefixes[prefix].name
            entity = self.catalog.prefixes.get(actual_prefix)
            actual = entity.name if entity else "no type"
            problem = f"{value} is the id of {actual}; give the id of {with_article(expected)}, {prefix}_…"
            bad_input("ID_WRONG_TYPE", argument, problem)
        return key

    def timezone_parameter(self, value: ArgumentValue, argument: str) -> Parameter:
        """A parameter for the name of a time zone; Postgres alone would also take rules like `ABC5`."""

        def evaluate(context: ExecutionContext) -> str:
            name = cast(str, storable_text(value.source(context.variables), argument))
            try:
                return ZoneInfo(name).key
            except (KeyError, ValueError, OSError):
                bad_input(
                    "TIMEZONE_UNKNOWN", argument, f"{name[:60]!r} is no IANA time zone; give a name like Europe/Berlin."
                )

        return self.parameter(sa.Text(), evaluate)

    def key_parameter(self, value: ArgumentValue, entity: CatalogEntity, argument: str) -> Parameter:
        """A parameter for the key of a row."""
        return self.value_parameter(scalars.ID, value, argument, prefix=entity.declaration.prefix)

    def relative_time_parameter(self, value: ArgumentValue, argument: str) -> Parameter:
        """A parameter for the moment that lies a duration before the request."""
        self.time_dependent = True

        def evaluate(context: ExecutionContext) -> Any:
            length: timedelta = value.source(context.variables)
            try:
                return context.now - length
            except OverflowError:
                bad_input(
                    "VALUE_INVALID", argument, "the duration reaches back before the calendar; give a shorter one."
                )

        return self.parameter(scalars.DATETIME.sql_type, evaluate)

    def page_size(self, value: ArgumentValue, argument: str) -> int | Parameter:
        """How many rows: a number when it is written in the document, else a parameter."""
        if value.constant:
            return self._checked_page_size(value.source({}), argument)
        return self.parameter(
            sa.Integer(), lambda context: self._checked_page_size(value.source(context.variables), argument)
        )

    def _checked_page_size(self, number: int, argument: str) -> int:
        if number < 0:
            bad_input("PAGE_ARGUMENTS", argument, f"{number} rows cannot be given; ask for 0 or more.")
        if number > self.page_limit:
            raise LimitExceeded(
                f"{argument}: {number} rows are more than a page holds; ask for at most {self.page_limit} and page on.",
                code="PAGE_LIMIT",
                argument=argument,
            )
        return number


def required_value(value: object, argument: str, code: str = "VALUE_INVALID") -> ArgumentValue:
    """The argument as a value; raises when null stands there."""
    if not isinstance(value, ArgumentValue):
        bad_input(code, argument, "null is no value here; leave it out, or use isNull.")
    return value


def object_items(value: object) -> Sequence[dict[str, Any]]:
    """The argument as a list of objects; nulls in it are left out."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
