"""How much of its tables Postgres reads for a page, estimated from a plan that EXPLAIN prints as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

BLOCKING = frozenset({"Sort", "Incremental Sort", "Hash", "Materialize", "Memoize", "BitmapAnd", "BitmapOr"})
SCANS = frozenset({"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Tid Scan", "Sample Scan"})
COST_OF_ENTRY = 4.0  # of one entry of an index and its row, at most: a page read at random

PlanNode = Mapping[str, Any]


def entries_read(plan: PlanNode, sizes: Mapping[str, float]) -> float:
    """The entries of tables and indexes that a plan reads, by the planner's estimates. `sizes` are the rows of tables."""
    return sum(_entries(plan, sizes, 1.0, 1.0))


def steps_of(node: PlanNode) -> Iterator[str]:
    """The scans of a plan, as a person reads them, with their conditions."""
    if node["Node Type"] in SCANS or node["Node Type"] == "Bitmap Index Scan":
        index = f" using {node['Index Name']}" if "Index Name" in node else ""
        relation = f" on {node['Relation Name']}" if "Relation Name" in node else ""
        conditions = [f"; {name}: {node[name]}" for name in ("Index Cond", "Filter") if name in node]
        yield f"{node['Node Type']}{index}{relation}{''.join(conditions)}"
    for child in node.get("Plans", ()):
        yield from steps_of(child)


def _entries(node: PlanNode, sizes: Mapping[str, float], fraction: float, loops: float) -> Iterator[float]:
    """What a node and those below it read: `fraction` of their rows is asked for, so many times."""
    node_type = node["Node Type"]
    if node_type in SCANS:
        yield _scanned(node, sizes, fraction) * loops
    children = [child for child in node.get("Plans", ()) if child["Node Type"] != "Bitmap Index Scan"]
    outer_rows = 1.0
    for child in children:
        relationship = child.get("Parent Relationship")
        if relationship == "InitPlan":
            yield from _entries(child, sizes, 1.0, 1.0)
        elif relationship == "SubPlan":
            # It runs for each row of the node; where it answers the client, that is one row.
            yield from _entries(child, sizes, 1.0, loops * max(1.0, node["Plan Rows"] * fraction))
        elif relationship == "Inner" and node_type == "Nested Loop":
            yield from _entries(child, sizes, 1.0, loops * max(1.0, outer_rows))
        else:
            part = _fraction(node, child, fraction)
            outer_rows = child["Plan Rows"] * part
            yield from _entries(child, sizes, part, loops)


def _fraction(node: PlanNode, child: PlanNode, fraction: float) -> float:
    """The part of a child's rows that a node asks for, when `fraction` of its own is asked for."""
    node_type = node["Node Type"]
    if node_type in BLOCKING or (node_type == "Aggregate" and node.get("Strategy") in ("Hashed", "Plain")):
        return 1.0
    if node_type == "Limit":
        return float(min(1.0, node["Plan Rows"] / max(1.0, child["Plan Rows"])))
    return fraction


def _scanned(node: PlanNode, sizes: Mapping[str, float], fraction: float) -> float:
    """The entries that a scan reads until it has `fraction` of its rows."""
    rows = max(1.0, float(node["Plan Rows"]))
    has_condition = "Index Cond" in node or node["Node Type"] in ("Bitmap Heap Scan", "Tid Scan")
    if not has_condition:
        size = max(rows, sizes.get(node["Relation Name"], 0.0))
        return size * fraction
    if "Filter" not in node:
        return rows * fraction
    # The condition's own rows are not in the plan. Its cost says how many there are at least.
    return max(rows, float(node["Total Cost"] - node["Startup Cost"]) / COST_OF_ENTRY) * fraction
