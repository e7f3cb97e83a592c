"""Who sees rows of work, by the name of their scope: written a second time, by hand."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from hub.viewer import Viewer

WorkRecord = Mapping[str, Any]


def work_tests(viewer: Viewer, units: Collection[UUID], *, unbound: bool) -> dict[str, Callable[[WorkRecord], bool]]:
    """Whether a viewer sees a row; `units` are those that it sees."""
    if viewer.customer_id is not None:
        return dict.fromkeys(("unit_or_person", "issued_report", "key_or_person"), lambda record: False)

    def is_of_viewer(*people: UUID | None) -> bool:
        return viewer.staff_id is not None and viewer.staff_id in people

    def sees_issue(record: WorkRecord) -> bool:
        if is_of_viewer(record["staff_id"], record["checker_id"]):
            return True
        is_readable = record["staff_id"] is None or viewer.reads_people
        return is_readable and (unbound or record["unit_id"] in units)

    return {
        "unit_or_person": lambda record: record["unit_id"] in units or is_of_viewer(record["staff_id"]),
        "issued_report": sees_issue,
        "key_or_person": lambda record: (
            viewer.administers or record["owner"] == viewer.key_public_id or is_of_viewer(record["staff_id"])
        ),
    }
