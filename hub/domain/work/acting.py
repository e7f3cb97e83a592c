"""Acting people: what only a member of staff does, and no system."""

from uuid import UUID

from hub.errors import Forbidden
from hub.viewer import Viewer


def acting_person(viewer: Viewer) -> UUID:
    """The member of staff behind the viewer's key; raises Forbidden PERSON_NEEDED for a key without one."""
    if viewer.staff_id is None:
        message = "A person does this, and no member of staff is behind this key; use a key of one."
        raise Forbidden(message, code="PERSON_NEEDED")
    return viewer.staff_id
