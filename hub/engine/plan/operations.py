"""Plans operations: a document's selections over the catalog become a Plan. No SQL, no values, no database.

objects.py plans what stands below a root; here are the roots, and the plan as a whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from graphql import FieldNode
from sqlalchemy.dialects.postgresql import ARRAY

from hub.engine.catalog import scalars
from hub.engine.catalog.catalog import Row
from hub.engine.graphql_types.mutation_types import Mutation
from hub.engine.graphql_types.schema_builder import Graph, Root
from hub.engine.plan.arguments import Given, Leaf, Reader, plain
from hub.engine.plan.changes import changes
from hub.engine.plan.context import Draft, leaf_of, objects, refuse
from hub.engine.plan.filters import predicate
from hub.engine.plan.nodes import (
    ById,
    ByIds,
    ByOther,
    Constant,
    Frame,
    GroupKey,
    GroupKeyFields,
    GroupNodes,
    Groups,
    Null,
    Plan,
    RootNode,
    Splice,
    Stats,
    Total,
)
from hub.engine.plan.pagination import page, search
from hub.engine.plan.payloads import payload
from hub.engine.plan.predicates import Run, Slot
from hub.engine.plan.selections import Selections
from hub.errors import BadInput
from hub.model.declarations import FoundBy
from hub.viewer import Binding

MOST_GROUP_KEYS = 4
MOST_IDS = 100


@dataclass(frozen=True, slots=True)
class Told:
    """A root that tells changes: its response key, the plan of its messages, where it begins, how many it tells."""

    key: str
    plan: Plan
    after: Callable[[Run], str] | None
    size: Callable[[Run], int]


@dataclass(frozen=True, slots=True)
class Live:
    """A root that is kept alive: its response key, and the plan of its frames; `timed`: time alone may change them."""

    key: str
    plan: Plan
    timed: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """An operation's plan, the response keys of roots that Python answers, and the roots that tell changes."""

    plan: Plan
    python: tuple[str, ...]
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """A root of a mutation: its response key, its field, and the plan that reads its payload; none for `__typename`."""

    key: str
    node: FieldNode
    mutation: Mutation | None = None
    plan: Plan | None = None


class Planner:
    """Plans one operation for given variables and a binding; the outcome serves all values of the same shape."""

    def __init__(
        self, graph: Graph, variables: Mapping[str, Any], fragments: Mapping[str, Any], page_limit: int
    ) -> None:
        reader = Reader(graph.steering, variables)
        self.graph = graph
        self.draft = Draft(graph.catalog, reader, page_limit)
        self.select = Selections(graph, self.draft, fragments, variables)

    def plan(self, selection_set: Any, binding: Binding) -> Planned:
        """The plan of an operation's selection set; raises BadInput with the path of the field."""
        roots: list[tuple[str, RootNode]] = []
        deeper: list[tuple[str, Splice]] = []
        python: list[str] = []
        told: list[Told] = []
        for key, nodes in self.select.fields([selection_set], "Query").items():
            node, splice = self._root(key, nodes)
            if nodes[0].name.value == "changes":
                told.append(self._told(key, nodes, "Query"))
            elif isinstance(node, Null):
                python.append(key)
            if splice is not None:
                deeper.append((key, splice))
            roots.append((key, node))
        kinds = {type(node) for _, node in roots}
        fresh = self.select.searched or (binding == "unit" and bool(kinds - {Constant, Null, ById, ByIds, ByOther}))
        splice = Splice(deeper=tuple(deeper)) if deeper or python else None
        return Planned(Plan(tuple(roots), tuple(self.draft.slots), splice, fresh), tuple(python), tuple(told))

    def stream(self, selection_set: Any, binding: Binding) -> Told | Live:
        """The plan of a subscription, which has one root."""
        roots = self.select.fields([selection_set], "Subscription")
        if len(roots) != 1:
            message = "A subscription has exactly one root field; @skip and @include have left none, or several."
            raise BadInput(message, code="GRAPHQL_INVALID")
        ((key, nodes),) = roots.items()
        root = self.graph.streams[nodes[0].name.value]
        if root.kind == "changes":
            return self._told(key, nodes, "Subscription")
        deeper: list[tuple[str, Splice]] = []
        fields: list[tuple[str, Any]] = []
        with self.select.at(key, nodes[0]):
            given = self.select.arguments(nodes[0], "Subscription")
            for name, below in self.select.fields([node.selection_set for node in nodes], root.frame).items():
                field = below[0].name.value
                if field != root.query:
                    fields.append((name, "cursor" if field == "cursor" else Constant(root.frame)))
                    continue
                with self.select.at(name, below[0]):
                    answer, splice = self._planned(self.graph.roots[root.query], root.query, below, given)
                fields.append((name, answer))
                deeper += [(name, splice)] if splice else []
        above = Splice(deeper=tuple(deeper)) if deeper else None
        fresh = self.select.searched or (binding == "unit" and self.graph.roots[root.query].kind == "list")
        plan = Plan(((key, Frame(tuple(fields))),), tuple(self.draft.slots), above, fresh)
        return Live(key, plan, self.draft.timed)

    def _told(self, key: str, nodes: Sequence[FieldNode], root: str) -> Told:
        """A `changes` root: a plan of its own, since its messages are read by their positions."""
        with self.select.at(key, nodes[0]):
            given = self.select.arguments(nodes[0], root)
            inner = self.select.apart()
            node, splice = changes(inner, [each.selection_set for each in nodes], given)
            size, _ = page(inner.draft, {"first": given["first"]} if given.get("first") else {})
            after = given.get("after")
            fetch = after.fetch if isinstance(after, Leaf) else None
        plan = Plan(((key, node),), tuple(inner.draft.slots), splice, inner.searched)
        return Told(
            key,
            plan,
            None if fetch is None else lambda run: cast(str, fetch(run.variables)),
            (lambda run: cast(int, size.value(run))) if isinstance(size, Slot) else lambda run: size,
        )

    def acts(self, selection_set: Any) -> list[Act]:
        """The roots of a mutation in their order, each with a plan of its own, since each is run before the next."""
        found = []
        for key, nodes in self.select.fields([selection_set], "Mutation").items():
            name = nodes[0].name.value
            if name == "__typename":
                found.append(Act(key, nodes[0]))
                continue
            mutation = self.graph.mutations[name]
            with self.select.at(key, nodes[0]):
                inner = self.select.apart()
                node, splice = payload(inner, mutation, [each.selection_set for each in nodes])
            above = Splice(deeper=((key, splice),)) if splice else None
            plan = Plan(((key, node),), tuple(inner.draft.slots), above, inner.searched)
            found.append(Act(key, nodes[0], mutation, plan))
        return found

    def _root(self, key: str, nodes: Sequence[FieldNode]) -> tuple[RootNode, Splice | None]:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant("Query"), None
        root = self.graph.roots.get(name)
        if root is None or root.kind == "changes":
            return Null(), None
        with self.select.at(key, nodes[0]):
            given = self.select.arguments(nodes[0], "Query")
            return self._planned(root, name, nodes, given)

    def _planned(
        self, root: Root, name: str, nodes: Sequence[FieldNode], given: dict[str, Given]
    ) -> tuple[RootNode, Splice | None]:
        sets = [node.selection_set for node in nodes]
        if root.kind in ("node", "nodes"):
            return self._by_ids(given, sets, single=root.kind == "node")
        assert root.row is not None
        if root.kind == "list":
            return self.select.listing(root.row, None, sets, given, f"Query.{name}")
        if root.kind == "groups":
            return self._groups(root.row, sets, given), None
        if root.kind == "found_by":
            assert root.found_by is not None
            return self._by_other(root.row, root.found_by, sets, given)
        key, moment = self.draft.key(leaf_of(given.get("id"), "id"), root.row, "id"), self._moment(given)
        with self.draft.looking_back(back=moment is not None):
            shape, splice = self.select.shape(root.row, sets)
        return ById(root.row, key, shape, moment), splice

    def _moment(self, given: dict[str, Given]) -> Slot | None:
        """The moment as of which a row is asked for; none: as it is."""
        leaf = given.get("asOf")
        return self.draft.passed(leaf, "asOf") if isinstance(leaf, Leaf) else None

    def _by_other(
        self, row: Row, found: FoundBy, sets: Sequence[Any], given: dict[str, Given]
    ) -> tuple[RootNode, Splice | None]:
        argument = next(iter(given))
        parts = cast(dict[str, Given], given[argument])
        leaves = {name: part for name, part in parts.items() if isinstance(part, Leaf)}

        def normal(run: Run) -> Mapping[str, Any]:
            return found.normalize({name: plain(leaf.fetch(run.variables)) for name, leaf in leaves.items()})

        def part(name: str) -> Callable[[Run], Any]:
            return lambda run: normal(run)[name]

        slots = tuple(
            (column.name, self.draft.text(part(name), f"{argument}.{name}"))
            for name, (column, _) in found.arguments.items()
            if name in leaves
        )
        shape, splice = self.select.shape(row, sets)
        return ByOther(row, found, slots, shape), splice

    def _by_ids(self, given: dict[str, Given], sets: Sequence[Any], *, single: bool) -> tuple[RootNode, Splice | None]:
        argument = "id" if single else "ids"
        leaf = leaf_of(given.get(argument), argument)

        def parsed(run: Run) -> list[tuple[str, UUID]]:
            ids = [leaf.fetch(run.variables)] if single else leaf.fetch(run.variables)
            if len(ids) > MOST_IDS:
                refuse("PAGE_LIMIT", argument, f"{len(ids)} ids are too many; give at most {MOST_IDS}.")
            found = [scalars.parse_id(each, argument) for each in ids]
            for prefix, _ in found:
                if prefix not in self.draft.catalog.prefixes:
                    refuse("ID_WRONG_TYPE", argument, f"no type has ids that begin with {prefix[:20]}_.")
            return found

        types = self.draft.slot(ARRAY(sa.Text()), lambda run: [prefix for prefix, _ in parsed(run)])
        keys = self.draft.slot(ARRAY(sa.Uuid()), lambda run: [key for _, key in parsed(run)])
        moment = self._moment(given)
        with self.draft.looking_back(back=moment is not None):
            shapes, splice = self.select.shapes(list(self.draft.catalog.rows.values()), sets)
        return ByIds(types, keys, tuple(shapes), single, moment), splice

    def _groups(self, row: Row, sets: Sequence[Any], given: dict[str, Given]) -> Groups:
        keys = tuple(self._group_key(row, each, f"by[{at}]") for at, each in enumerate(objects(given["by"])))
        if not 1 <= len(keys) <= MOST_GROUP_KEYS or len({key.column for key in keys}) < len(keys):
            refuse("GROUP_INVALID", "by", f"give 1 to {MOST_GROUP_KEYS} different fields to group by.")
        searching = search(self.draft, given.get("search"), "search")
        self.select.searched |= searching is not None
        by_count = isinstance(given.get("orderBy"), Leaf) and cast(Leaf, given["orderBy"]).known == "COUNT"
        parts: list[tuple[str, Constant | Total | GroupNodes]] = []
        for key, nodes in self.select.fields(sets, f"{row.name}Groups").items():
            match nodes[0].name.value:
                case "__typename":
                    parts.append((key, Constant(f"{row.name}Groups")))
                case "totalCount":
                    parts.append((key, Total()))
                case _:
                    parts.append((key, self._group_nodes(row, keys, [node.selection_set for node in nodes])))
        return Groups(
            row,
            predicate(self.draft, given.get("filter"), row, "filter"),
            searching,
            keys,
            by_count,
            page(self.draft, given)[0],
            tuple(parts),
        )

    def _group_key(self, row: Row, given: dict[str, Given], argument: str) -> GroupKey:
        field = cast(Leaf, given["field"]).known
        column = next(each for each in row.columns.values() if each.column.name.upper() == field)
        bucket, timezone = given.get("bucket"), given.get("timezone")
        if not isinstance(bucket, Leaf):
            if timezone is not None:
                refuse("GROUP_INVALID", f"{argument}.timezone", "a time zone needs a bucket beside it.")
            return GroupKey(column, None, None)
        if not column.wire.time:
            refuse("GROUP_INVALID", f"{argument}.bucket", f"{field} is no time; leave the bucket out.")
        if column.wire.name == "Date" and timezone is not None:
            refuse("GROUP_INVALID", f"{argument}.timezone", f"{field} is a day, the same in every zone; leave it out.")
        zone = self.draft.zone(timezone, f"{argument}.timezone") if isinstance(timezone, Leaf) else None
        return GroupKey(column, str(bucket.known).lower(), zone)

    def _group_nodes(self, row: Row, keys: Sequence[GroupKey], sets: Sequence[Any]) -> GroupNodes:
        fields: list[tuple[str, Constant | Stats | GroupKeyFields]] = []
        for key, nodes in self.select.fields(sets, f"{row.name}Group").items():
            inner = [node.selection_set for node in nodes]
            match nodes[0].name.value:
                case "__typename":
                    fields.append((key, Constant(f"{row.name}Group")))
                case "stats":
                    fields.append((key, self.select.stats(row, inner)))
                case _:
                    fields.append((key, self._group_key_fields(row, keys, inner)))
        return GroupNodes(tuple(fields))

    def _group_key_fields(self, row: Row, keys: Sequence[GroupKey], sets: Sequence[Any]) -> GroupKeyFields:
        places = {each.column.name: at for at, each in enumerate(keys)}
        name = f"{row.name}GroupKey"
        fields: list[tuple[str, Constant | int | None]] = []
        for key, nodes in self.select.fields(sets, name).items():
            field = nodes[0].name.value
            fields.append((key, Constant(name) if field == "__typename" else places.get(field)))
        return GroupKeyFields(tuple(fields))
