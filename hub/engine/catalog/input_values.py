"""Input values, as the schema and the planner check them: which ones Postgres can store, and how a bad one is refused."""

import json
import re
from enum import Enum
from typing import Any, NoReturn

from hub.errors import BadInput

NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # the escape in JSON, but not after an escaped backslash


def bad_input(code: str, argument: str, problem: str) -> NoReturn:
    """Raises BadInput that names the argument, its fault and the remedy."""
    raise BadInput(f"{argument}: {problem}", code=code, argument=argument)


def storable_text(value: Any, argument: str) -> Any:
    """The value, if Postgres can store it; raises VALUE_INVALID for a NUL character and an unpaired surrogate."""
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
    """The JSON text of a value that Postgres can store; raises VALUE_INVALID."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        bad_input("VALUE_INVALID", argument, "a number in it is too large; send it as a string.")
    except TypeError:
        bad_input("VALUE_INVALID", argument, "a variable in it is absent or not JSON; send it, and declare it as JSON.")
    if NUL_ESCAPE.search(text):
        bad_input("VALUE_INVALID", argument, "a text in it contains a NUL character; remove it.")
    return text


def enum_value(value: Any) -> Any:
    """An enum's value as text; anything else as it is."""
    return value.value if isinstance(value, Enum) else value
