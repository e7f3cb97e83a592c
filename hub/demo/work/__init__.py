"""A sample configuration of the work module: calendars, roles, a credit process, policies, codes, reports and limits.

Each JSON file here holds mutations in the order in which they run; equal input changes nothing, so it loads any number of
times. `{"$staff": "1"}` stands for the id of the member of staff with this number, `{"$unit": "eastern"}` for a unit's."""

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any, NamedTuple

FindId = Callable[[str, str], str]
REFERENCES = {"$staff", "$unit"}


class SampleMutation(NamedTuple):
    """A mutation of the sample: its name, and its input."""

    name: str
    input: Any

    @property
    def document(self) -> str:
        """The document that runs it."""
        type_name = f"{self.name[0].upper()}{self.name[1:]}Input"
        return f"mutation WorkSample($input: {type_name}!) {{ {self.name}(input: $input) {{ __typename }} }}"


def mutations() -> Iterator[SampleMutation]:
    """The mutations of all files, in the order of their names."""
    folder = files(__name__)
    for name in sorted(file.name for file in folder.iterdir() if file.name.endswith(".json")):
        for entry in json.loads(folder.joinpath(name).read_text("utf-8")):
            yield SampleMutation(entry["mutation"], entry["input"])


def references(value: Any) -> Iterator[tuple[str, str]]:
    """The references in an input: what they name, and by which text."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name in REFERENCES:
                yield name, member
            else:
                yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolved(value: Any, find_id: FindId) -> Any:
    """An input with ids in place of its references."""
    if isinstance(value, dict):
        if len(value) == 1 and (name := next(iter(value))) in REFERENCES:
            return find_id(name, value[name])
        return {name: resolved(member, find_id) for name, member in value.items()}
    return [resolved(item, find_id) for item in value] if isinstance(value, list) else value
