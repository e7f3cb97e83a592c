"""The messages of a stream of changes that tell no change: ready, progress, gap. A kind that is not selected is not sent."""

from collections.abc import Mapping

import orjson

from hub.engine.plan.nodes import MessageFields

Selected = Mapping[str, MessageFields]


def ready(selected: Selected, cursor: str) -> list[bytes]:
    """Everything up to here is told."""
    return _message(selected, "StreamReady", {"cursor": cursor})


def progress(selected: Selected, cursor: str) -> list[bytes]:
    """Nothing up to here concerns the stream."""
    return _message(selected, "StreamProgress", {"cursor": cursor})


def gap(selected: Selected, told: str | None, on_from: str, reason: str) -> list[bytes]:
    """Something is missing between two cursors, or, where they are the same, the stream only ends."""
    return _message(selected, "StreamGap", {"from": told, "to": on_from, "reason": reason})


def _message(selected: Selected, kind: str, values: Mapping[str, str | None]) -> list[bytes]:
    fields = selected.get(kind, ())
    if not fields:
        return []
    return [orjson.dumps({key: kind if name == "__typename" else values[name] for key, name in fields})]
