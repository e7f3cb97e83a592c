"""Segments of segments: which segments a filter names, how deep they nest, and that none contains itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from hub.errors import BadInput

LIST, MEMBERSHIPS = "segments", "segmentMemberships"
QUANTIFIERS = ("some", "none", "every", "where")
MAX_DEPTH = 5  # of segments in segments
_UNREAD = ("eq", "ne", "in", "notIn", "contains")  # values, which may be JSON that looks like a filter

References = Mapping[str, frozenset[str]]  # by the code of a segment, the codes that its filter names


def referenced_codes(value: Any, argument: str) -> frozenset[str]:
    """The codes of the segments that a filter of customers names; raises BadInput for those that it does not name by code."""
    return frozenset(_codes(value, argument))


def _codes(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _codes(item, f"{path}[{index}]")
    if not isinstance(value, Mapping):
        return
    for name, part in value.items():
        if name == MEMBERSHIPS:
            raise _invalid(f"{path}.{name}", f"a segment looks at current members alone; filter by `{LIST}`")
        if name == LIST and isinstance(part, Mapping):
            yield from _named(part, f"{path}.{name}")
        elif name not in _UNREAD:
            yield from _codes(part, f"{path}.{name}")


def _named(conditions: Mapping[str, Any], path: str) -> Iterator[str]:
    """The codes in the conditions of one list of segments."""
    filters = {name: part for name, part in conditions.items() if name in QUANTIFIERS and part is not None}
    if not filters:
        raise _invalid(path, 'name the segments by their codes: {some: {code: {eq: "vip"}}}')
    for name, part in filters.items():
        code = part.get("code") if isinstance(part, Mapping) and part.keys() == {"code"} else None
        if not isinstance(code, Mapping) or not code or not code.keys() <= {"eq", "in"}:
            raise _invalid(f"{path}.{name}", 'name the segments by their codes alone: {code: {eq: "vip"}}, or `in`')
        for named in code.values():
            yield from named if isinstance(named, list) else [str(named)]


def check_nesting(code: str, references: References) -> None:
    """Raises BadInput if a segment contains itself, or if segments nest too deep; `code` is the one that changes."""
    depths: dict[str, int] = {}
    for other in sorted(references):
        if _depth(other, references, depths, (other,)) > MAX_DEPTH:
            fault = f"segments would nest more than {MAX_DEPTH} deep in {other}"
            raise _invalid("filter", f"{fault}; name fewer segments in {code}")


def _depth(code: str, references: References, depths: dict[str, int], path: tuple[str, ...]) -> int:
    """How many segments stand above one another in a segment, with itself."""
    if code not in depths:
        below = 0
        for other in sorted(references.get(code, ())):
            if other in path:
                cycle = " → ".join((*path[path.index(other) :], other))
                raise _invalid("filter", f"segments would contain themselves: {cycle}; leave one of them out")
            below = max(below, _depth(other, references, depths, (*path, other)))
        depths[code] = below + 1
    return depths[code]


def in_order(references: References) -> list[str]:
    """The codes so that every segment comes after those that its filter names."""
    depths: dict[str, int] = {}
    return sorted(references, key=lambda code: (_depth(code, references, depths, (code,)), code))


def _invalid(argument: str, fault: str) -> BadInput:
    return BadInput(f"{argument}: {fault}.", argument=argument, code="SEGMENT_INVALID")
