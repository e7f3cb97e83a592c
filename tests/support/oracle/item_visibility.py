"""Who sees work, by plain walks: items and their steps are seen by who sees what they are about, and by who works on them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from hub.viewer import Viewer

ItemRecord = dict[str, Any]


def item_tests(
    items: Sequence[ItemRecord],
    steps: Sequence[ItemRecord],
    viewer: Viewer,
    units: Collection[UUID],
    sees_subject: Callable[[ItemRecord], bool],
) -> dict[str, Callable[[ItemRecord], bool]]:
    """By the name of a scope, whether a viewer sees a row; `units` are those that it sees."""
    by_id = {item["id"]: item for item in items}
    steps_by_item = defaultdict(list)
    for step in steps:
        steps_by_item[step["item_id"]].append(step)

    def is_self(key: UUID | None) -> bool:
        return viewer.staff_id is not None and key == viewer.staff_id

    def works_on(step: ItemRecord) -> bool:
        in_unit = viewer.unit_path is not None and step["working_unit_id"] in units
        return is_self(step["addressee_id"]) or is_self(step["decided_by_id"]) or in_unit

    def sees_item(item: ItemRecord) -> bool:
        works = any(works_on(step) for step in steps_by_item[item["id"]])
        return viewer.customer_id is None and (sees_subject(item) or is_self(item["opened_by_id"]) or works)

    def sees_step(step: ItemRecord) -> bool:
        item = by_id.get(step["item_id"])  # gone, for an image of a step
        opened = item is not None and is_self(item["opened_by_id"])
        return viewer.customer_id is None and (sees_subject(step) or works_on(step) or opened)

    return {
        "work_item": sees_item,
        "work_step": sees_step,
        "work_item_part": lambda part: part["item_id"] in by_id and sees_item(by_id[part["item_id"]]),
    }
