"""Input values, as the schema and the planner check them: which ones Postgres can store, and how a bad one is refused."""

import json
import re
from enum import Enum
from typing import Any, NoReturn

from hub.errors import BadInput

NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it, not the six characters behind a backslash


def bad_input(code: str, argument: str, problem: str) -> NoReturn:
    """Raises BadInput that names the argument, its fault and the remedy."""
    raise BadInput(f"{argument}: {problem}", code=code, argument=argument)


def storable_text(value: Any, argument: str) -> Any:
    """A text that Postgres can hold; raises VALUE_INVALID for the two kinds that it cannot."""
    if isinstance(value, str):
        if "\0" in value:
            bad_input("VALUE_INVALID", argument, "the text holds a NUL character; remove it.")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                bad_input("VALUE_INVALID", argument, "the text holds half a surrogate pair; send valid Unicode.")
    return value


def json_text(value: Any, argument: str) -> str:
    """A JSON value that Postgres can hold, as text; raises VALUE_INVALID for any other."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        bad_input("VALUE_INVALID", argument, "a number in it is too large; give it as a text.")
    except TypeError:
        bad_input("VALUE_INVALID", argument, "a variable in it is absent or no JSON; give it, and declare it as JSON.")
    if NUL_ESCAPE.search(text):
        bad_input("VALUE_INVALID", argument, "a text in it holds a NUL character; remove it.")
    return text


def enum_value(value: Any) -> Any:
    """An enum's value as text; anything else as it is."""
    return value.value if isinstance(value, Enum) else value
