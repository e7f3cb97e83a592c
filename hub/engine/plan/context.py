"""The mutable state of planning one operation: its parameters, the argument reader, and the source location for errors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Catalog, CatalogEntity, ColumnField
from hub.engine.catalog.input_values import bad_input
from hub.engine.catalog.scalars import ScalarType
from hub.engine.document.limits import Limits
from hub.engine.plan.arguments import ArgumentReader, ArgumentValue
from hub.engine.plan.codecs import (
    ME,
    SOUGHT,
    IdCodec,
    JsonCodec,
    ListCodec,
    NormalFormCodec,
    PageSizeCodec,
    PastTimestampCodec,
    PatternCodec,
    RelativeTimeCodec,
    SpellingsCodec,
    TextCodec,
    TimezoneCodec,
    ValueCodec,
    ViewerIdCodec,
)
from hub.engine.plan.parameters import (
    AS_IS,
    ArgumentSource,
    Codec,
    ConstantValue,
    ObjectSource,
    Parameter,
    Runtime,
    SourceLocation,
)
from hub.errors import LimitExceeded
from hub.model.normal_forms import NormalForm, RowNormalForm
from hub.model.unicode_text import single_line
from hub.rights import Rights


@dataclass(slots=True)
class PlanningContext:
    """The state of planning one plan."""

    catalog: Catalog
    reader: ArgumentReader
    limits: Limits
    rights: Rights
    parameters: list[Parameter] = field(default_factory=list)
    condition_count: int = 0
    aggregate_count: int = 0
    # Rows that conditions and aggregates are expected to read for each row of their list, by the declarations.
    scanned_rows: int = 0
    candidates: int = 1  # rows for which the condition that is being planned is evaluated
    source_location: SourceLocation | None = None
    time_dependent: bool = False  # the answer may change with time alone
    uses_search: bool = False  # the best way to run the plan depends on the searched words
    as_of: bool = False  # rows are read as they were, so no links can be read from them
    below_image: bool = False  # an image in the log stands above; the viewer may no longer see its row
    prefix: str = "p"  # of the names of the parameters
    by_keys: bool = (
        False  # a condition on the id alone of a linked row is one on the foreign key: no linked row is hidden
    )

    def child(self) -> "PlanningContext":
        """A new context for a separate plan of the same operation."""
        return PlanningContext(
            self.catalog,
            self.reader,
            self.limits,
            self.rights,
            source_location=self.source_location,
            below_image=self.below_image,
        )

    def scan(self, rows: int, argument: str) -> None:
        """Adds rows that are read for each candidate; raises COST_LIMIT."""
        self.scanned_rows += rows * self.candidates
        if self.scanned_rows > self.limits.cost:
            name = argument.partition(".")[0].partition("[")[0]
            message = (
                f"{name}: its conditions could read {self.scanned_rows:,} rows for each row of the list;"
                f" {self.limits.cost:,} are allowed. Use fewer lists inside lists."
            )
            extensions = {"requested": self.scanned_rows, "allowed": self.limits.cost}
            raise LimitExceeded(message, code="COST_LIMIT", argument=name, extensions=extensions)

    @contextmanager
    def multiplied_by(self, rows: int, argument: str) -> Iterator[None]:
        """Conditions that are planned inside the block are evaluated for so many rows of each candidate."""
        self.scan(rows, argument)
        previous, self.candidates = self.candidates, self.candidates * rows
        try:
            yield
        finally:
            self.candidates = previous

    @contextmanager
    def in_the_past(self, *, enabled: bool = True) -> Iterator[None]:
        """Rows that are planned inside the block are read as they were."""
        previous, self.as_of = self.as_of, enabled
        try:
            yield
        finally:
            self.as_of = previous

    def parameter(
        self,
        sql_type: sa.types.TypeEngine[Any],
        source: ArgumentSource | Runtime,
        codec: Codec = AS_IS,
        *,
        names_rows: bool = False,
        names_past: bool = False,
    ) -> Parameter:
        """A new parameter of the statement."""
        name = f"{self.prefix}{len(self.parameters)}"
        parameter = Parameter(name, sql_type, source, codec, self.source_location, names_rows, names_past)
        self.parameters.append(parameter)
        return parameter

    def value_parameter(
        self,
        scalar: ScalarType,
        value: ArgumentValue,
        argument: str,
        *,
        prefix: str | None = None,
        column: ColumnField | None = None,
        me: str | None = None,
    ) -> Parameter:
        """A parameter for one value of a scalar type; ids are checked against the prefix, texts of a column normalised.

        `me` is the viewer's attribute that an id may name as ME."""
        return self._encoded_parameter(scalar.sql_type, value, self._codec(scalar, argument, prefix, column, me))

    def list_parameter(
        self,
        scalar: ScalarType,
        value: ArgumentValue,
        argument: str,
        *,
        prefix: str | None = None,
        column: ColumnField | None = None,
        me: str | None = None,
    ) -> Parameter:
        """A parameter for a list of values of a scalar type."""
        codec = ListCodec(argument, self._codec(scalar, argument, prefix, column, me))
        return self._encoded_parameter(ARRAY(scalar.sql_type), value, codec)

    def pattern_parameter(self, value: ArgumentValue, argument: str) -> Parameter:
        """A parameter for a part of a text."""
        return self._encoded_parameter(sa.Text(), value, PatternCodec(argument))

    def spellings_parameter(
        self, value: ArgumentValue, known: Mapping[str, ArgumentSource], normal_form: RowNormalForm, argument: str
    ) -> Parameter:
        """A parameter for all forms in which a row may hold a text, or one of several; `known` are columns' values."""
        source = ObjectSource(((SOUGHT, value.source), *known.items()))
        return self.parameter(ARRAY(sa.Text()), source, SpellingsCodec(argument, normal_form))

    def key_parameter(self, value: ArgumentValue, entity: CatalogEntity, argument: str) -> Parameter:
        """A parameter for the key of a row."""
        return self.value_parameter(scalars.ID, value, argument, prefix=entity.declaration.prefix)

    def timezone_parameter(self, value: ArgumentValue, argument: str) -> Parameter:
        """A parameter for the name of a time zone."""
        return self.parameter(sa.Text(), value.source, TimezoneCodec(argument))

    def past_timestamp_parameter(self, value: ArgumentValue, argument: str) -> Parameter:
        """A parameter for a timestamp that has passed."""
        codec = PastTimestampCodec(argument, self.limits.change_retention)
        return self.parameter(scalars.DATETIME.sql_type, value.source, codec)

    def relative_time_parameter(self, value: ArgumentValue, argument: str) -> Parameter:
        """A parameter for the time that lies a duration before the request."""
        self.time_dependent = True
        return self.parameter(scalars.DATETIME.sql_type, value.source, RelativeTimeCodec(argument))

    def page_size(self, value: ArgumentValue, argument: str) -> int | Parameter:
        """How many rows: a number when it is a literal of the document, else a parameter."""
        codec = PageSizeCodec(argument, self.limits.page)
        if isinstance(value.source, ConstantValue):
            return codec.convert(value.source.value)
        return self.parameter(sa.Integer(), value.source, codec)

    def _encoded_parameter(
        self, sql_type: sa.types.TypeEngine[Any], value: ArgumentValue, codec: ValueCodec
    ) -> Parameter:
        names_rows = isinstance(codec.item if isinstance(codec, ListCodec) else codec, IdCodec)
        if isinstance(value.source, ConstantValue) and not (
            isinstance(codec, ViewerIdCodec) and value.source.value == ME
        ):
            constant = ConstantValue(codec.convert(value.source.value))
            return self.parameter(sql_type, constant, names_rows=names_rows)
        return self.parameter(sql_type, value.source, codec, names_rows=names_rows)

    def _codec(
        self, scalar: ScalarType, argument: str, prefix: str | None, column: ColumnField | None, me: str | None
    ) -> ValueCodec:
        if column is not None and column.normal_form is not None:
            normal_form = column.normal_form
            line = NormalForm(single_line, is_code=False)  # comparisons of order know no row
            return NormalFormCodec(argument, normal_form if isinstance(normal_form, NormalForm) else line)
        if scalar.name == "ID":
            if me is not None:
                return ViewerIdCodec(argument, prefix, self.catalog.prefixes, me)
            return IdCodec(argument, prefix, self.catalog.prefixes)
        return JsonCodec(argument) if scalar.name == "JSON" else TextCodec(argument)


def required_value(value: object, argument: str, code: str = "VALUE_INVALID") -> ArgumentValue:
    """The argument as a value; raises BadInput when it is null."""
    if not isinstance(value, ArgumentValue):
        bad_input(code, argument, "null is not allowed here; leave it out, or use isNull.")
    return value


def object_items(value: object) -> Sequence[dict[str, Any]]:
    """The argument as a list of objects, without its nulls."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
