"""Checks of input values for the schema and the planner: only values that Postgres can store are accepted."""

import re
from enum import Enum
from typing import Any, NoReturn

from hub.errors import BadInput
from hub.model import exact_json

NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # the JSON escape of NUL, not preceded by an escaped backslash


def bad_input(code: str, argument: str, problem: str) -> NoReturn:
    """Raises BadInput with the argument in front of the problem, which states fault and remedy."""
    raise BadInput(f"{argument}: {problem}", code=code, argument=argument)


def storable_text(value: Any, argument: str) -> Any:
    """Returns the value if Postgres can store it; raises VALUE_INVALID for a NUL character and an unpaired surrogate."""
    if isinstance(value, str):
        if "\0" in value:
            bad_input("VALUE_INVALID", argument, "the text contains a NUL character; remove it.")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                bad_input("VALUE_INVALID", argument, "the text contains an unpaired surrogate; send valid Unicode.")
    return value


def json_text(value: Any, argument: str) -> str:
    """Returns a value as JSON text; raises VALUE_INVALID if it is not JSON or Postgres cannot store it."""
    try:
        text = exact_json.dumps(value)
    except ValueError:
        bad_input(
            "VALUE_INVALID",
            argument,
            "it contains a number that is too large, too small or too long; send it as a string.",
        )
    except TypeError:
        bad_input(
            "VALUE_INVALID",
            argument,
            "it uses a variable that is missing or not JSON; send the variable and declare it as JSON.",
        )
    if NUL_ESCAPE.search(text):
        bad_input("VALUE_INVALID", argument, "it contains a text with a NUL character; remove it.")
    return str(storable_text(text, argument))


def enum_value(value: Any) -> Any:
    """Returns the value of an enum member; returns other values unchanged."""
    return value.value if isinstance(value, Enum) else value
