"""How far back a customer's own key may date what it reports. Staff and systems may report at any later time."""

from datetime import datetime, timedelta

from hub.errors import BadInput
from hub.model.exact_json import timestamp_text
from hub.viewer import Viewer


def require_recent(
    viewer: Viewer, argument: str, moment: datetime | None, now: datetime, backdating: timedelta
) -> None:
    """Raises BadInput if the viewer is bound to a customer and the time is more than `backdating` ago."""
    if viewer.binding == "customer" and moment is not None and moment < now - backdating:
        message = f"{argument}: a key of a customer may go back {backdating.total_seconds() / 3600:g} hours; give a later moment."
        raise BadInput(message, argument=argument, extensions={"earliest": timestamp_text(now - backdating)})
