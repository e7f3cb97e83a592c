"""Runs a mutation: one transaction for the operation, each root's command and then its payload, one commit, one answer.

Any fault rolls all back. An operation with an idempotency key leaves its answer with what it did, and a twin gets that."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol, cast
from uuid import UUID

import orjson
from graphql import GraphQLNonNull, Undefined, value_from_ast

from hub.db.pool import Connection, Contended, Pool
from hub.db.transaction import KEEP, SAVE, UNDO, Noted, Several, Taken, Work, alone, looking, working
from hub.engine.catalog.catalog import camel
from hub.engine.execution.resolvers import Splicer
from hub.engine.execution.single_statement import Alone, combined
from hub.engine.graphql_types.mutation_types import Mutation
from hub.engine.graphql_types.schema_builder import Graph
from hub.engine.plan.operations import Act
from hub.engine.plan.predicates import Run
from hub.engine.plan.selections import place_of
from hub.engine.sql.compiler import Statement
from hub.errors import BadInput, HubError, LimitExceeded, Unavailable

MOST_ROWS = 500
KEY = ("idempotencyKey", "IDEMPOTENCY_KEY_INVALID")
KEY_LENGTH = 255
ATTEMPTS = 4
SECONDS = 0.02  # before the second attempt; each further one waits twice as long, and a random part more
NOBODY = UUID(int=0)


class Answers(Protocol):
    """The answers that idempotency keys are kept with; the one implementation is hub/domain/answers.py."""

    async def find(self, tx: Connection, owner: UUID, key: str) -> tuple[bytes, bytes] | None:
        """The fingerprint of the operation and its answer."""

    async def keep(
        self, tx: Connection, owner: UUID, key: str, fingerprint: bytes, answer: bytes, at: datetime, *, secret: bool
    ) -> bool:
        """Keeps them; False when the key is taken."""

    def keeping_within(self, first: int) -> str:
        """`insert … select …` for the column `answer$` of what it is put before, with parameters from `$first` on.

        It fails when the key is taken."""

    def kept_with(self, owner: UUID, key: str, fingerprint: bytes, at: datetime) -> tuple[object, ...]:
        """The arguments of `keeping_within`."""

    @property
    def table(self) -> str:
        """The table that keeps them."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A root of a mutation with the statement of its payload."""

    act: Act
    statement: Statement | None
    read: Callable[[Work, Run, Any], Awaitable[dict[str, Any]]]  # rows behind keys that a resolver gives
    alone: Alone | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, for the log of changes, and what tells this operation from any other."""

    actor: str
    request_id: str
    fingerprint: Callable[[], bytes]


def fingerprint(query: str, name: str | None, variables: Mapping[str, Any] | None) -> bytes:
    """What tells operations apart: the same text, name and variables give the same."""
    told = orjson.dumps([query, name, variables or {}], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(told).digest()


class Performer:
    """Runs mutations over one schema and one pool."""

    def __init__(
        self,
        graph: Graph,
        pool: Pool,
        answers: Answers,
        errors: int,
        tools: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._graph = graph
        self._tools = tools
        self._pool = pool
        self._answers = answers
        self._errors = errors
        self._turn = asyncio.Lock()
        self._metadata = next(iter(graph.catalog.rows.values())).table.metadata

    async def perform(self, roots: Sequence[Ready], run: Run, asked: Asked) -> bytes:
        """The answer to a mutation; raises HubError with the path of the root that was refused."""
        if not roots:  # all of them are skipped
            return b'{"data":{}}'
        given = [self._arguments(root.act, run.variables) for root in roots]
        _bound_rows(roots, given)
        key = _key_of(roots, given)
        owner = run.viewer.key_id or NOBODY
        try:
            return await self._repeated(roots, given, run, asked, key)
        except HubError as error:
            kept = None if key is None else await self._kept(owner, key)
            if key is None or kept is None:
                if isinstance(error, Taken):  # it was kept by a twin, and has been forgotten since
                    raise Unavailable("The operation was being repeated; try again.") from error
                raise
        if kept[0] != asked.fingerprint():
            fault = f"{key[:60]!r} was used for another operation; give each operation a key of its own"
            raise _about(roots[0].act, "idempotencyKey", "IDEMPOTENCY_KEY_REUSED", fault)
        return kept[1]

    async def _kept(self, owner: UUID, key: str) -> tuple[bytes, bytes] | None:
        async with looking(self._pool, self._metadata) as connection:
            return await self._answers.find(connection, owner, key)

    async def _repeated(
        self, roots: Sequence[Ready], given: Sequence[Mapping[str, Any]], run: Run, asked: Asked, key: str | None
    ) -> bytes:
        """Deadlocks and failures to serialise are nobody's fault: the same once more."""
        for attempt in range(ATTEMPTS):
            try:
                done = await self._alone(roots[0], given[0], run, asked, key)
                if done is not None:
                    return done
                if attempt == 0:
                    return await self._once(roots, given, run, asked, key, in_turn=False)
                async with self._turn:  # so that those who wait hold one connection and not all of them
                    return await self._once(roots, given, run, asked, key, in_turn=True)
            except Contended:
                if attempt == ATTEMPTS - 1:
                    raise
            await asyncio.sleep(SECONDS * 2**attempt * (1 + random.random()))
        raise AssertionError("the last attempt returns or raises")

    async def _alone(
        self, root: Ready, given: Mapping[str, Any], run: Run, asked: Asked, key: str | None
    ) -> bytes | None:
        """The answer if the command comes down to one insert; None if it needs a transaction, or is to be refused."""
        mutation, noted = root.act.mutation, Noted()
        if root.alone is None or mutation is None or mutation.tools:
            return None
        try:
            values = mutation.input.read(given["input"], "input")
            run = run._replace(outcome=await mutation.call(cast(Connection, noted), run.viewer, values, run.at))
        except (Several, HubError):
            return None
        if not noted.text.startswith(f"INSERT INTO {root.alone.table} "):
            return None
        arguments = [*root.alone.payload.bind(run), *noted.arguments, asked.actor, asked.request_id]
        keeping = None
        if key is not None:
            keeping = self._answers.keeping_within(len(arguments) + 1)
            arguments += self._answers.kept_with(run.viewer.key_id or NOBODY, key, asked.fingerprint(), run.at)
        text = combined(
            root.alone.payload.text, len(root.alone.payload.arguments), noted.text, len(noted.arguments), keeping
        )
        try:
            body = await alone(self._pool, text, arguments, self._answers.table)
        except Unavailable:
            raise
        except (Several, HubError):
            return None  # told with its argument by the way of all others
        return None if body is None else b'{"data":' + body + b"}"

    async def _once(
        self,
        roots: Sequence[Ready],
        given: Sequence[Mapping[str, Any]],
        run: Run,
        asked: Asked,
        key: str | None,
        *,
        in_turn: bool,
    ) -> bytes:
        parts: list[bytes] = []
        errors: list[HubError] = []
        async with working(self._pool, self._metadata, asked.actor, asked.request_id, in_turn=in_turn) as work:
            for root, values in zip(roots, given, strict=True):
                try:
                    parts.append(await self._root(work, root, values, run, errors))
                except HubError as refused:
                    refused.path = refused.path or (root.act.key,)
                    refused.locations = refused.locations or place_of(root.act.node)
                    raise
            answer = b'{"data":{' + b",".join(parts) + b"}"
            if errors:
                answer += b',"errors":' + orjson.dumps([error.to_graphql() for error in errors[: self._errors]])
            answer += b"}"
            work.require_sound()
            if key is not None:
                secret = any(root.act.mutation is not None and root.act.mutation.secret for root in roots)
                named = (run.viewer.key_id or NOBODY, key, asked.fingerprint())
                async with work.told():
                    if not await self._answers.keep(work.connection, *named, answer, run.at, secret=secret):
                        raise Taken("it is kept already")
            await work.end()
        return answer

    async def _root(self, work: Work, root: Ready, given: Mapping[str, Any], run: Run, errors: list[HubError]) -> bytes:
        """The member of `data` that a root becomes."""
        mutation = root.act.mutation
        if mutation is None or root.statement is None or root.act.plan is None:
            return b'"%s":"Mutation"' % root.act.key.encode()
        done = self._many if mutation.many else self._one
        run = run._replace(outcome=await done(work, mutation, given["input"], run))
        body = await work.fetch_json(root.statement.text, root.statement.bind(run))
        if root.act.plan.splice is not None:
            data = orjson.loads(body)
            splicer = Splicer(run, lambda plan, inner: root.read(work, inner, plan))
            await splicer.splice(data, root.act.plan.splice)
            errors += splicer.errors
            body = orjson.dumps(data)
        return body.strip()[1:-1]

    async def _one(self, work: Work, mutation: Mutation, given: Any, run: Run) -> Mapping[str, Any]:
        values = mutation.input.read(given, "input")
        return await self._called(work, mutation, values, run, "input")

    async def _called(self, work: Work, mutation: Mutation, values: Any, run: Run, argument: str) -> Mapping[str, Any]:
        tools = {name: self._tools[name] for name in mutation.tools}
        try:
            async with work.told():
                return await mutation.call(work.connection, run.viewer, {**values, **tools}, run.at)
        except HubError as error:
            _named(error, argument)
            if "current" in error.extensions:
                error.extensions = {**error.extensions, "current": _current(error, mutation)}
            raise

    async def _many(self, work: Work, mutation: Mutation, given: Any, run: Run) -> Mapping[str, Any]:
        """Each row within a savepoint, so that one that is refused leaves no trace; results come in the order of the rows."""
        rows, policy = given["rows"], given.get("errorPolicy")
        results: list[Mapping[str, Any]] = [{}] * len(rows)
        inner = next(each for each in mutation.input.fields if each.name == "rows").inner
        assert inner is not None
        for at in _turns(rows, mutation.turns):
            await work.run(SAVE)
            argument = f"input.rows[{at}]"
            try:
                values = inner.read(rows[at], argument)
                results[at] = await self._called(work, mutation, values, run, argument)
                await work.run(KEEP)
            except Unavailable:
                raise
            except HubError as error:
                await work.run(UNDO)
                results[at] = {"error": _row_error(error)}
        failed = [(at, result["error"]) for at, result in enumerate(results) if "error" in result]
        if failed and (policy is None or getattr(policy, "value", policy) == "REJECT_ALL"):
            first = failed[0][1]
            message = (
                f"{len(failed)} of {len(rows)} rows were refused, so none was written. The first: {first['message']}"
            )
            told_rows = [{"row": at, **error} for at, error in failed]
            raise BadInput(message, code="BULK_REJECTED", argument=first["argument"], extensions={"rows": told_rows})
        return {"results": results, "succeeded": len(results) - len(failed), "failed": len(failed)}

    def _arguments(self, act: Act, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments of a root as they were coerced."""
        if act.mutation is None:
            return {}
        declared = self._graph.core.mutation_type
        assert declared is not None
        found = {}
        for each in act.node.arguments or ():
            of = declared.fields[act.node.name.value].args[each.name.value].type
            value = value_from_ast(each.value, of, dict(variables))
            if value is not Undefined:
                found[each.name.value] = value
            elif isinstance(of, GraphQLNonNull):
                # A variable may be null where it has a default, also where null is no value.
                fault = "a variable in it is null where a value is needed; give it one"
                raise _about(act, each.name.value, "VARIABLE_INVALID", fault)
        return found


def _bound_rows(roots: Sequence[Ready], given: Sequence[Mapping[str, Any]]) -> None:
    """Refuses more rows than one operation may write, over all of its roots."""
    several = [
        (root, values)
        for root, values in zip(roots, given, strict=True)
        if root.act.mutation and root.act.mutation.many
    ]
    count = sum(len(values["input"]["rows"]) for _, values in several)
    if count > MOST_ROWS:
        message = (
            f"input.rows: {count} rows are too many; give an operation at most {MOST_ROWS} and send the rest after it."
        )
        error = LimitExceeded(message, code="BULK_LIMIT", argument="input.rows")
        node = several[-1][0].act
        error.path, error.locations = (node.key,), place_of(node.node)
        raise error


def _turns(rows: Sequence[Mapping[str, Any]], by: str | None) -> list[int]:
    """The order in which rows are done: by an id that they are done to, so that two who do the same do not block each other.

    Rows of one id, and rows without, keep their order."""
    return sorted(range(len(rows)), key=lambda at: str(rows[at].get(by) or "") if by else "")


def _key_of(roots: Sequence[Ready], given: Sequence[Mapping[str, Any]]) -> str | None:
    """The idempotency key of an operation: the one that its roots name, on one of them or alike on several."""
    keys = {values["idempotencyKey"] for values in given if values.get("idempotencyKey") is not None}
    if not keys:
        return None
    if len(keys) > 1:
        raise _about(roots[0].act, *KEY, "the operation names several keys; give the operation one")
    (key,) = keys
    if not 1 <= len(key) <= KEY_LENGTH or "\0" in key or not key.isprintable():
        raise _about(roots[0].act, *KEY, f"a key has 1 to {KEY_LENGTH} printable characters; a UUID is a good one")
    return str(key)


def _about(act: Act, argument: str, code: str, fault_and_remedy: str) -> BadInput:
    """The refusal of an argument of a root."""
    error = BadInput(f"{argument}: {fault_and_remedy}.", code=code, argument=argument)
    error.path, error.locations = (act.key,), place_of(act.node)
    return error


def _named(error: HubError, argument: str) -> HubError:
    """The error with the whole path of the argument that a command named in its own words."""
    if error.argument is not None:
        shown = f"{argument}.{'.'.join(camel(part) for part in error.argument.split('.'))}"
        error.message = shown + error.message.removeprefix(error.argument)
        error.argument = shown
    return error


def _current(error: HubError, mutation: Mutation) -> dict[str, Any]:
    """The state that an edit clashes with, under the names of the fields."""
    current: Any = error.extensions["current"]
    return {each.name: each.shown(current[each.key]) for each in mutation.columns if each.key in current}


def _row_error(error: HubError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "argument": error.argument, **error.extensions}
