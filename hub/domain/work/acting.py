"""Acting people: what only a member of staff does, and no system."""

from uuid import UUID

from hub.errors import Forbidden
from hub.viewer import Viewer


def acting_person(viewer: Viewer) -> UUID:
    """The member of staff behind the viewer's key; raises Forbidden PERSON_NEEDED for a key without one."""
    if viewer.staff_id is None:
        raise person_needed()
    return viewer.staff_id


def person_needed() -> Forbidden:
    """The error for a key without a member of staff, or whose member of staff was just deleted."""
    message = "A person does this, and no member of staff is behind this key; use a key of one."
    return Forbidden(message, code="PERSON_NEEDED")
