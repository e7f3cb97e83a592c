"""Control messages of a change stream: ready, progress and gap. A message type that is not selected is not sent."""

from collections.abc import Mapping

import orjson

from hub.engine.plan.nodes import MessageFields

SelectedMessages = Mapping[str, MessageFields]


def ready(selected: SelectedMessages, cursor: str) -> list[bytes]:
    """StreamReady: the stream has sent every change up to `cursor`."""
    return _message(selected, "StreamReady", {"cursor": cursor})


def progress(selected: SelectedMessages, cursor: str) -> list[bytes]:
    """StreamProgress: no further change up to `cursor` matches the stream."""
    return _message(selected, "StreamProgress", {"cursor": cursor})


def gap(selected: SelectedMessages, from_cursor: str | None, to_cursor: str, reason: str) -> list[bytes]:
    """StreamGap: changes between the two cursors are missing. Equal cursors mean that the stream ends without a loss."""
    return _message(selected, "StreamGap", {"from": from_cursor, "to": to_cursor, "reason": reason})


def _message(selected: SelectedMessages, type_name: str, values: Mapping[str, str | None]) -> list[bytes]:
    fields = selected.get(type_name, ())
    if not fields:
        return []
    return [orjson.dumps({key: type_name if name == "__typename" else values[name] for key, name in fields})]
