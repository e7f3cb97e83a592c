"""Parameters of a plan, as data: the name and type in the statement, where the value comes from, how it is encoded.

A plan holds no values. Its parameters read them from an ExecutionContext, so that one plan serves every execution."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from graphql import Undefined, ValueNode, value_from_ast

from hub.db.audit_buffer import ObservedReads
from hub.db.meter import WorkMeter
from hub.errors import HubError
from hub.model.scopes import viewer_argument
from hub.viewer import Viewer

# Request times for probes. Equal probes of one time do not prove two parameters equal: a duration before the request
# and a timestamp in the document may coincide at one time, but not at two.
PROBE_TIMES = (datetime(9999, 12, 31, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
NO_OUTCOME: Mapping[str, Any] = MappingProxyType({})
NO_REDIRECTS: Mapping[UUID, UUID] = MappingProxyType({})

ResponsePath = tuple[str | int, ...]
SourceLocation = tuple[ResponsePath, tuple[tuple[int, int], ...]]  # path in the response, lines and columns in the text


class ExecutionContext(NamedTuple):
    """The values that a plan runs with: coerced variables, the request time, the viewer, the secret that signs cursors.

    `keys` are the rows that a resolver named; `outcome` is a command's result; `positions` and `cursors` belong to the
    changes to render. `previous_cursor_placeholder` stands for a cursor that only the sender knows. `meter` measures the
    database time of an operation that somebody pays for. `reads` collects for the audit log what a mutation reads.
    `redirects` are former keys of rows that the operation names, with the keys that they lead to."""

    variables: Mapping[str, Any]
    now: datetime
    viewer: Viewer
    secret: bytes
    keys: Sequence[UUID] = ()
    outcome: Mapping[str, Any] = NO_OUTCOME
    positions: Sequence[int] = ()
    cursors: Sequence[str] = ()
    previous_cursor_placeholder: str = ""
    meter: WorkMeter | None = None
    reads: ObservedReads | None = None
    redirects: Mapping[UUID, UUID] = NO_REDIRECTS


# -- where values come from ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VariablePath:
    """A variable, or a part of its value."""

    name: str
    keys: ResponsePath = ()

    def read(self, variables: Mapping[str, Any]) -> Any:
        """The value."""
        value = variables[self.name]
        for key in self.keys:
            value = value[key]
        return value

    def part(self, key: str | int) -> "VariablePath":
        """The path of a field or an item of the value."""
        return VariablePath(self.name, (*self.keys, key))


@dataclass(frozen=True, slots=True)
class ConstantValue:
    """A literal of the document."""

    value: Any

    def read(self, variables: Mapping[str, Any]) -> Any:
        """The value."""
        return self.value


@dataclass(frozen=True, slots=True)
class ListSource:
    """A list literal of the document; items may be variables."""

    items: "tuple[ArgumentSource, ...]"

    def read(self, variables: Mapping[str, Any]) -> Any:
        """The list."""
        return [item.read(variables) for item in self.items]


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """Several values under their names."""

    fields: "tuple[tuple[str, ArgumentSource], ...]"

    def read(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The values by name."""
        return {name: source.read(variables) for name, source in self.fields}


@dataclass(frozen=True, slots=True)
class JsonLiteral:
    """A JSON literal of the document; variables may stand in it."""

    node: ValueNode = field(repr=False)
    type: Any

    def read(self, variables: Mapping[str, Any]) -> Any:
        """The value; variables that were not sent are absent from objects and null in lists."""
        return _without_absent(value_from_ast(self.node, self.type, dict(variables)))


def _without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_absent(part) for name, part in value.items() if part is not Undefined}
    if isinstance(value, list):
        return [None if part is Undefined else _without_absent(part) for part in value]
    return value


ArgumentSource = VariablePath | ConstantValue | ListSource | ObjectSource | JsonLiteral


@dataclass(frozen=True, slots=True)
class Runtime:
    """An attribute of the execution context, such as `now`; of the viewer, if `viewer` is set."""

    attribute: str
    viewer: bool = False

    def read(self, context: ExecutionContext) -> Any:
        """The value."""
        return getattr(context.viewer if self.viewer else context, self.attribute)


@dataclass(frozen=True, slots=True)
class ViewerArgument(Runtime):
    """A parameter of the visibility predicates; hub.model.scopes says what the viewer gives for it."""

    def read(self, context: ExecutionContext) -> Any:
        """The value."""
        return viewer_argument(self.attribute, context.viewer)


# -- parameters ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Codec:
    """Turns a value into the argument of a statement; this one leaves it as it is."""

    def encode(self, value: Any, context: ExecutionContext) -> Any:
        """The argument; raises BadInput for a value that does not fit."""
        return value


AS_IS = Codec()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the statement: its name and type there, the source of its value, and the codec that encodes it.

    `location` is that of the field whose argument it is, for error messages. `names_rows`: its values are ids of rows;
    `names_past`: former ones name what was of those rows, beside what they lead to."""

    name: str
    type: sa.types.TypeEngine[Any] = field(compare=False)
    source: ArgumentSource | Runtime = field(compare=False)
    codec: Codec = field(default=AS_IS, compare=False)
    location: SourceLocation | None = field(default=None, compare=False, repr=False)
    names_rows: bool = field(default=False, compare=False, repr=False)
    names_past: bool = field(default=False, compare=False, repr=False)

    def evaluate(self, context: ExecutionContext) -> Any:
        """The argument of one execution; raises BadInput, with the field's location, for a value that does not fit."""
        try:
            source = self.source
            value = source.read(context) if isinstance(source, Runtime) else source.read(context.variables)
            if self.codec is not AS_IS:
                value = self.codec.encode(value, context)
            if not (self.names_rows and context.redirects):
                return value
            current = _current(value, context.redirects)
            return list(dict.fromkeys((*value, *current))) if self.names_past else current
        except HubError as error:
            if error.path is None and self.location is not None:
                error.path, error.locations = self.location
            raise


def _current(value: Any, redirects: Mapping[UUID, UUID]) -> Any:
    """A key, or a list of keys, with the ones that former keys lead to."""
    return [redirects.get(key, key) for key in value] if isinstance(value, list) else redirects.get(value, value)


@dataclass(frozen=True, slots=True)
class ExpressionSelection:
    """A number that SQL computes from the row and the time of the request."""

    expression: Callable[..., Any]
    now: Parameter


@dataclass(frozen=True, slots=True)
class ConditionSelection:
    """Whether a condition of the row and the viewer's rights holds."""

    condition: Callable[..., Any]
