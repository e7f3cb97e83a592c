"""The messages of a stream of changes that tell no change: ready, progress, gap. A kind that is not selected is not sent."""

from collections.abc import Mapping

import orjson

from hub.engine.plan.nodes import MessageFields

SelectedMessages = Mapping[str, MessageFields]


def ready(selected: SelectedMessages, cursor: str) -> list[bytes]:
    """Everything up to here is told."""
    return _message(selected, "StreamReady", {"cursor": cursor})


def progress(selected: SelectedMessages, cursor: str) -> list[bytes]:
    """Nothing up to here concerns the stream."""
    return _message(selected, "StreamProgress", {"cursor": cursor})


def gap(selected: SelectedMessages, from_cursor: str | None, to_cursor: str, reason: str) -> list[bytes]:
    """Something is missing between two cursors, or, where they are the same, the stream only ends."""
    return _message(selected, "StreamGap", {"from": from_cursor, "to": to_cursor, "reason": reason})


def _message(selected: SelectedMessages, type_name: str, values: Mapping[str, str | None]) -> list[bytes]:
    fields = selected.get(type_name, ())
    if not fields:
        return []
    return [orjson.dumps({key: type_name if name == "__typename" else values[name] for key, name in fields})]
