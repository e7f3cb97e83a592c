"""Commands: mutations that the domain writes by hand, registered with `@command("customerAssign", bulk_name="customersAssign")`.

A command's signature is its input, its docstring the description, and the NamedTuple that it returns the payload."""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias, TypeVar
from uuid import UUID

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Awaitable[Any]]")
CommandFunction: TypeAlias = Callable[..., Awaitable[Any]]
SingleInsert: TypeAlias = Callable[[Mapping[str, Any]], bool]


class InjectedMarker:
    """Marks a parameter that is no input: the hub passes the object that bears its name."""


Injected = Annotated[T, InjectedMarker()]


def injected_parameters(function: Callable[..., Any]) -> Iterator[str]:
    """Yields the names of the injected parameters: the hub passes the object of that name."""
    for name, parameter in inspect.signature(function).parameters.items():
        notes = getattr(parameter.annotation, "__metadata__", ())
        if any(isinstance(note, InjectedMarker) for note in notes):
            yield name


@dataclass(frozen=True, slots=True)
class RowReference:
    """A parameter that names a row of any type by its id: the name of the entity, and the key."""

    entity: str
    key: UUID


def unless(*names: str) -> SingleInsert:
    """A command that is a single INSERT, unless one of these arguments is given."""
    return lambda values: all(values.get(name) is None for name in names)


@dataclass(frozen=True, slots=True)
class Command:
    """A mutation that is a function of the domain; its signature is the input, its result the payload.

    `bulk_name` names its bulk form, if there is one. A `secret` result is never stored in the clear. `single_insert` says
    for which arguments it does nothing but insert one row, so that it can run as one statement; None: for none. `audit` is
    the kind of its entry in the audit log, where it does not follow from the tables that it writes."""

    name: str
    function: CommandFunction
    bulk_name: str | None = None
    secret: bool = False
    single_insert: SingleInsert | None = None
    audit: str | None = None


_registered: dict[str, Command] = {}


def command(
    name: str,
    *,
    bulk_name: str | None = None,
    secret: bool = False,
    single_insert: SingleInsert | None = None,
    audit: str | None = None,
) -> Callable[[F], F]:
    """Registers a mutation: `async def function(tx, viewer, *, …, now) -> NamedTuple`."""

    def register(function: F) -> F:
        _registered[name] = Command(name, function, bulk_name, secret, single_insert, audit)
        return function

    return register


def registered_commands() -> tuple[Command, ...]:
    """The commands of every module that has been imported."""
    return tuple(_registered.values())
