"""Checks roles against the schema, and explains what the lists of their holders cost. It knows no stored role."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import orjson

from hub.db.pool import Connection
from hub.engine.catalog.catalog import HISTORY, CatalogEntity, ColumnField, camel_case
from hub.engine.catalog.narrowing import mask_fits
from hub.engine.graphql_types.schema_builder import Schema
from hub.engine.plan.members import plan_members
from hub.engine.request import GraphQLRequest
from hub.engine.roles.list_plans import entries_read, steps_of
from hub.engine.roles.stored_filters import StoredFilterPlanner
from hub.engine.sql.members import compile_members
from hub.errors import BadInput
from hub.model import exact_json
from hub.model.declarations import ToOne
from hub.rights import AccessRule, Mask, RoleVersion, Verb, rights_of
from hub.viewer import Viewer

Explainer = Callable[[GraphQLRequest, Viewer], tuple[str, list[Any]]]

PAGE = 50  # rows of the lists that are explained
MAX_ENTRIES = 2_000  # that such a page may read
MAX_MATCHES = 1_000  # rows of a filter that are counted
_SIZES = "select relname, reltuples from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"


class RoleChecker:
    """Checks rules over one schema, and explains lists."""

    def __init__(self, schema: Schema, explain: Explainer) -> None:
        self._schema = schema
        self._explain = explain
        self._filters = StoredFilterPlanner(lambda: schema)
        self._commands = frozenset(
            name for name, mutation in schema.mutations.items() if mutation.is_command and not mutation.is_bulk
        )

    def check_rule(self, rule: AccessRule, argument: str) -> None:
        """Raises BadInput for an unknown type, field or mask, and for a filter that cannot be planned."""
        entity = self._entity(rule.entity, f"{argument}.entity")
        readable, writable = _field_names(entity), _writable_names(entity)
        self._require_known(rule.fields or (), readable, f"{argument}.fields", f"no field of {entity.name}")
        self._require_known(rule.writable or (), writable, f"{argument}.writable", "no field that can be written")
        for name, mask in sorted(rule.masks):
            self._require_known([name], set(entity.columns), f"{argument}.masks", f"no column of {entity.name}")
            fault = _mask_fault(entity.columns[name], mask)
            if fault is not None:
                raise _invalid(f"{argument}.masks", f"{name}: {fault}")
            if rule.fields is not None and name not in rule.fields:
                raise _invalid(
                    f"{argument}.masks", f"{name} is not among the rule's fields; add it, or leave the mask out"
                )
        if rule.row_filter is not None:
            self._filters.check(entity.name, exact_json.loads(rule.row_filter), f"{argument}.row_filter")

    def check_commands(self, names: Iterable[str], argument: str) -> None:
        """Raises BadInput for a name that is no command's."""
        self._require_known(names, self._commands, argument, "no command; mutations of rows follow the rules' verbs")

    def _entity(self, name: str, argument: str) -> CatalogEntity:
        self._require_known([name], self._schema.catalog.entities, argument, "no type whose rows are stored")
        return self._schema.catalog.entities[name]

    def _require_known(self, names: Iterable[str], known: Iterable[str], argument: str, fault: str) -> None:
        choices = sorted(known)
        for name in sorted(names):
            if name not in choices:
                near = get_close_matches(name, choices, 1)
                hint = f"perhaps {near[0]} is meant" if near else "correct the name"
                raise _invalid(argument, f"{name[:63]!r} is {fault}; {hint}")

    # -- costs ----------------------------------------------------------------------------------------------------------

    async def explain(self, tx: Connection, role: RoleVersion, holder: Viewer) -> Sequence[dict[str, Any]]:
        """The plan of each list that a holder reads: type, list, entries that Postgres reads, and whether that is bounded."""
        sizes = {row["relname"]: max(row["reltuples"], 0.0) for row in await tx.fetch(_SIZES)}
        plans = []
        for rule in (role.rules or {}).values():
            if Verb.READ not in rule.verbs or rule.aggregate_only:
                continue
            name = self._schema.catalog.entities[rule.entity].declaration.plural
            request = GraphQLRequest(f"{{ {name}(first: {PAGE}) {{ nodes {{ id }} }} }}", None, None)
            text, arguments = self._explain(request, holder)
            plan = orjson.loads(await tx.fetchval(f"explain (format json) {text}", *arguments))[0]["Plan"]
            entries = round(entries_read(plan, sizes))
            bounded = entries <= MAX_ENTRIES or rule.row_filter is None  # without a filter, it is every key's list
            line: dict[str, Any] = {"type": rule.entity, "list": name, "entries": entries, "bounded": bounded}
            if rule.row_filter is not None and bounded:
                line["matches"] = await self._count_matches(tx, rule.entity, rule.row_filter, holder)
            plans.append(line | {"plan": list(steps_of(plan))})
            await asyncio.sleep(0)  # planning takes milliseconds, and others wait for the event loop
        return plans

    async def _count_matches(self, tx: Connection, entity: str, row_filter: str, holder: Viewer) -> int:
        """How many rows a filter matches for the holder, counted up to a limit."""
        members = plan_members(self._schema, self._schema.catalog.entities[entity], row_filter)
        statement = compile_members(members, rights_of(holder.binding))
        return len(await tx.fetch(statement.text, *statement.bind(holder, MAX_MATCHES)))


def _field_names(entity: CatalogEntity) -> set[str]:
    past = {HISTORY} if entity.captured else set()
    return {"id", *past, *entity.columns, *entity.links, *entity.groups, *entity.resolvers}


def _writable_names(entity: CatalogEntity) -> set[str]:
    """The names of columns that callers or commands write; a foreign key bears the name of its link too."""
    links = {name for name, link in entity.links.items() if isinstance(link, ToOne)}
    return {*entity.columns, *links, *(camel_case(column.name) for column in entity.table.c)}


def _mask_fault(column: ColumnField, mask: Mask) -> str | None:
    """Why a column cannot be masked so; None if it can."""
    if mask_fits(mask, column):
        return None
    return f"{mask.upper()} does not suit its type; use NULL, or leave it out of the fields"


def _invalid(argument: str, fault_and_remedy: str) -> BadInput:
    return BadInput(f"{argument}: {fault_and_remedy}.", code="ROLE_INVALID", argument=argument)
