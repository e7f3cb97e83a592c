"""Number sequences: codes are drawn by rules, each once, without gaps where the rule says so.

A gapless number is drawn in the transaction that uses it, as its last step: the others of its prefix wait until it commits.
Else a process takes blocks of numbers, and those that a rollback loses are gaps."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection, Pool
from hub.domain.work.calendar_definitions import check_timezone
from hub.domain.work.notifications import notify
from hub.errors import BadInput, NotFound
from hub.model import rows, validators
from hub.model.code_patterns import CodePattern, local_time, parse_pattern
from hub.model.commands import Injected, command
from hub.model.subjects import subject_values
from hub.model.versions import require_version
from hub.schema.work.code_rules import CheckDigit, CodeRule
from hub.schema.work.notifications import NotificationType
from hub.viewer import Viewer

MAX_DRAWN = 1_000  # codes of one mutation
BLOCK = 50  # numbers that a process takes at once
WARN_SHARE = Decimal("0.8")
MAX_PREFIXES = 1_000  # whose blocks a process has; what is left of others is lost

_FIND = """
select id, name, pattern, check_digit, gapless, reuse_after_days, warn_share, timezone from code_rules where name = $1
"""
_LOCK_NAME = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_IS_USED = "select exists (select from code_counters where rule_id = $1)"
_COUNT_ON = """
insert into code_counters as c (rule_id, prefix, drawn) values ($1, $2, $3)
on conflict (rule_id, prefix) do update set drawn = c.drawn + $3 where c.drawn + $3 <= $4
returning drawn
"""
_LOCK_COUNTER = "select drawn from code_counters where rule_id = $1 and prefix = $2 for update"
_SET_COUNTER = "update code_counters set drawn = $3 where rule_id = $1 and prefix = $2"
_LAST_USES = """
select first, last, drawn_at from code_draws
where rule_id = $1 and prefix = $2 and first between $3::bigint - $5::bigint and $4 and last >= $3 and drawn_at > $6
"""
# Of a range that goes on behind these numbers, the rest stays.
_FORGET_USES = """
with forgotten as (
    delete from code_draws where rule_id = $1 and prefix = $2 and first between $3 and $4 returning last, drawn_at
)
insert into code_draws (rule_id, prefix, first, last, drawn_at)
select $1, $2, $4::bigint + 1, last, drawn_at from forgotten where last > $4
"""
_TOP_HEADS = """
select r.staff_id from job_roles as r join org_units as u on u.id = r.unit_id
where u.parent_id is null and r.role = 'HEAD' and r.from_at <= $1 and (r.to_at is null or r.to_at > $1)
"""
_RECORD_USE = "insert into code_draws (rule_id, prefix, first, last, drawn_at) values ($1, $2, $3, $4, $5)"


class StoredRule(NamedTuple):
    """A rule as codes are drawn by it."""

    key: UUID
    name: str
    pattern: CodePattern
    gapless: bool
    reuse_after: timedelta | None
    warn_share: Decimal
    timezone: str


class SerialRange(NamedTuple):
    """Numbers that were drawn, the last one included."""

    first: int
    last: int


class CodeExhausted(BadInput):
    """Fewer numbers of a prefix are left than are asked for; `remaining` of them can still be drawn."""

    code = "CODE_EXHAUSTED"

    def __init__(self, rule: StoredRule, prefix: str, remaining: int, count: int) -> None:
        remedy = "give the rule a longer {serial}"
        if rule.reuse_after is not None:
            remedy = "wait until numbers may be used again"
        super().__init__(
            f"rule: {remaining} numbers of {prefix} are left, and {count} are asked for; {remedy}, or ask for fewer.",
            argument="rule",
            extensions={"remaining": remaining},
        )
        self.remaining = remaining


class CodeBlocks:
    """The blocks of numbers that this process has taken, by rule and prefix."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._blocks: OrderedDict[tuple[UUID, str], list[SerialRange]] = OrderedDict()

    async def take(self, rule: StoredRule, prefix: str, count: int, now: datetime) -> list[int]:
        """Numbers of which no other process gets any; raises CodeExhausted if there are not enough."""
        serials: list[int] = []
        blocks = self._blocks.setdefault((rule.key, prefix), [])
        self._blocks.move_to_end((rule.key, prefix))
        if len(self._blocks) > MAX_PREFIXES:
            self._blocks.popitem(last=False)
        while len(serials) < count:
            if blocks:
                first, last = blocks.pop(0)
                end = min(last, first + count - len(serials) - 1)
                serials += range(first, end + 1)
                if end < last:
                    blocks.insert(0, SerialRange(end + 1, last))
            else:
                size = max(BLOCK, count - len(serials))
                try:
                    async with self._pool.transaction() as tx:
                        blocks += await allocate(tx, rule, prefix, size, now, at_least=count - len(serials))
                except BaseException as error:
                    blocks[:0] = [SerialRange(serial, serial) for serial in serials]  # a refused draw burns no number
                    if isinstance(error, CodeExhausted):
                        raise CodeExhausted(rule, prefix, error.remaining + len(serials), count) from None
                    raise
        return serials


# -- drawing ------------------------------------------------------------------------------------------------------------


async def find_rule(tx: Connection, name: str) -> StoredRule:
    """The rule of this name; raises NotFound."""
    row = await tx.fetchrow(_FIND, name)
    if row is None:
        raise _no_rule(name)
    days = row["reuse_after_days"]
    return StoredRule(
        row["id"],
        row["name"],
        parse_pattern(row["pattern"], row["check_digit"]),
        row["gapless"],
        None if days is None else timedelta(days=days),
        row["warn_share"],
        row["timezone"],
    )


def _no_rule(name: str) -> NotFound:
    return NotFound(f"rule: there is no code rule {name[:63]!r}; `codeRules` lists them.", argument="rule")


async def draw(
    tx: Connection,
    blocks: CodeBlocks | None,
    rule: StoredRule,
    values: Mapping[str, object],
    count: int,
    now: datetime,
) -> list[str]:
    """Draws codes in a transaction, which should commit soon if the rule is gapless, or if there are no blocks.

    Raises BadInput CODE_INVALID for values that the pattern does not take, CodeExhausted if too few numbers are left."""
    texts = rule.pattern.texts(values, local_time(now, rule.timezone))
    rule.pattern.render(texts, 1)  # so that no number is lost for a code that cannot be
    prefix = rule.pattern.prefix(texts)
    if blocks is None or rule.gapless or rule.reuse_after is not None:  # a block may be used up long after it was taken
        ranges = await allocate(tx, rule, prefix, count, now, at_least=count)
        serials = [serial for first, last in ranges for serial in range(first, last + 1)]
    else:
        serials = await blocks.take(rule, prefix, count, now)
    return [rule.pattern.render(texts, serial) for serial in serials]


async def allocate(
    tx: Connection, rule: StoredRule, prefix: str, count: int, now: datetime, *, at_least: int
) -> list[SerialRange]:
    """Numbers of a prefix that nobody else gets: `count`, or fewer where not all are free, but `at_least` so many.

    The counter's row stays locked until the transaction ends. Raises CodeExhausted."""
    capacity = rule.pattern.capacity
    count = min(count, capacity)
    drawn = await tx.fetchval(_COUNT_ON, rule.key, prefix, count, capacity) if at_least <= capacity else None
    if drawn is not None:
        ranges = [SerialRange(drawn - count + 1, drawn)]
        await _warn(tx, rule, prefix, drawn - count, drawn, now)
    else:
        ranges = await _allocate_again(tx, rule, prefix, count, now)
    total = sum(last - first + 1 for first, last in ranges)
    if total < at_least:
        raise CodeExhausted(rule, prefix, total, at_least)
    for first, last in ranges if rule.reuse_after is not None else ():
        await tx.execute(_FORGET_USES, rule.key, prefix, first, last)
        await tx.execute(_RECORD_USE, rule.key, prefix, first, last, now)
    return ranges


async def _allocate_again(
    tx: Connection, rule: StoredRule, prefix: str, count: int, now: datetime
) -> list[SerialRange]:
    """Numbers at the end of a round, and those of the next one that may be used again."""
    capacity = rule.pattern.capacity
    # Without a counter, more numbers are asked for than there are: these are all of them, and the draw is refused.
    before = drawn = await tx.fetchval(_LOCK_COUNTER, rule.key, prefix) or 0
    ranges = []
    while count:
        first = drawn % capacity + 1
        last = min(first + count - 1, capacity)
        if drawn >= capacity:
            last = await _last_reusable(tx, rule, prefix, SerialRange(first, last), now)
        if last < first:
            break
        ranges.append(SerialRange(first, last))
        drawn, count = drawn + last - first + 1, count - (last - first + 1)
        if last < capacity and count:
            break
    await tx.execute(_SET_COUNTER, rule.key, prefix, drawn)
    await _warn(tx, rule, prefix, before, drawn, now)
    return ranges


async def _warn(tx: Connection, rule: StoredRule, prefix: str, before: int, drawn: int, now: datetime) -> None:
    """Notifies the heads of the topmost units, once in a round, when few numbers of a prefix are left."""
    capacity = rule.pattern.capacity
    limit = ceil(rule.warn_share * capacity)
    if (drawn - limit) // capacity == (before - limit) // capacity:
        return
    text = f"{rule.name}: {(drawn - 1) % capacity + 1:,} of {capacity:,} numbers of {prefix} are drawn."
    heads = {row["staff_id"] for row in await tx.fetch(_TOP_HEADS, now)}
    subject = await subject_values(tx, CodeRule, rule.key)
    await notify(tx, subject, staff_ids=heads, type=NotificationType.ALARM, text=text, now=now)


async def _last_reusable(tx: Connection, rule: StoredRule, prefix: str, serials: SerialRange, now: datetime) -> int:
    """The last number from the first one on that was used long enough ago; the one before the first for none."""
    if rule.reuse_after is None:
        return serials.first - 1
    uses: Sequence[asyncpg.Record] = await tx.fetch(
        _LAST_USES, rule.key, prefix, serials.first, serials.last, MAX_DRAWN, now - rule.reuse_after
    )
    return min((max(use["first"], serials.first) - 1 for use in uses), default=serials.last)


# -- commands -----------------------------------------------------------------------------------------------------------


class CodeRuleUpsertPayload(NamedTuple):
    """The payload of codeRuleUpsert."""

    code_rule: Annotated[UUID, CodeRule, "The rule as it is now."]
    created: Annotated[bool, "Whether it is new."]


@command("codeRuleUpsert")
async def upsert_code_rule(
    tx: Connection,
    viewer: Viewer,
    *,
    name: Annotated[str, "Short unique name: letters, digits and underscores."],
    pattern: Annotated[str, "Pattern with placeholders: `INV-{year:4}-{serial:6}{check}`."],
    check_digit: Annotated[CheckDigit, "How {check} is made."] = CheckDigit.NONE,
    gapless: Annotated[bool, "Whether no number may be missing."] = False,
    reuse_after_days: Annotated[int | None, "Days after which a number may be drawn again, once all were."] = None,
    warn_share: Annotated[
        Decimal, "Share of the numbers of a prefix after which the heads of the topmost units are notified."
    ] = WARN_SHARE,
    timezone: Annotated[str, "IANA time zone of the dates in codes."] = "UTC",
    expected_version: Annotated[int | None, "The version that the edit is based on."] = None,
    now: datetime,
) -> CodeRuleUpsertPayload:
    """Creates a code rule, or changes the one of this name.

    Once codes were drawn, only the days of reuse and the share of the warning can change."""
    name = validators.check_values({"name": name}, {"name": validators.slug})["name"]
    await tx.execute(_LOCK_NAME, f"code_rules.name={name}")
    row = await tx.fetchrow(_FIND, name)
    await rows.require_nameable(tx, viewer, CodeRule, None if row is None else row["id"], "name")
    CodeRule.require(viewer, "create" if row is None else "update")
    values = {
        "pattern": _checked_pattern(pattern, check_digit),
        "check_digit": check_digit.value,
        "gapless": gapless,
        "reuse_after_days": reuse_after_days,
        "warn_share": _checked_share(warn_share),
        "timezone": check_timezone(timezone),
    }
    if row is None:
        if expected_version is not None:
            message = "expected_version: there is no rule of this name; leave it out to make a new one."
            raise NotFound(message, argument="expected_version")
        usual: dict[str, Any] = {"check_digit": CheckDigit.NONE.value, "gapless": False, "reuse_after_days": None}
        usual |= {"warn_share": WARN_SHARE, "timezone": "UTC"}
        fields = ["name", *(column for column, value in values.items() if usual.get(column, ...) != value)]
        row_values = {"name": name, **values}
        key = await rows.insert_row(tx, viewer, CodeRule, row_values, now, fields=fields)
        return CodeRuleUpsertPayload(key, True)
    changed = {column: value for column, value in values.items() if row[column] != value}
    if expected_version is not None:
        await require_version(tx, viewer, CodeRule, row["id"], changed, expected_version)
    if changed:
        await _require_changeable(tx, row, changed)
        await rows.update_row(tx, viewer, CodeRule, row["id"], changed, now, fields=tuple(changed))
    return CodeRuleUpsertPayload(row["id"], False)


def _checked_pattern(pattern: str, check_digit: CheckDigit) -> str:
    try:
        parse_pattern(pattern, check_digit.value)
    except ValueError as fault:
        raise BadInput(f"pattern: {fault}.", code="CODE_INVALID", argument="pattern") from None
    return pattern


def _checked_share(share: Decimal) -> Decimal:
    if not (0 < share <= 1 and share == round(share, 4)):
        message = "warn_share: give more than 0, up to 1, with at most four decimals."
        raise BadInput(message, argument="warn_share")
    return share


async def _require_changeable(tx: Connection, row: asyncpg.Record, changed: Mapping[str, object]) -> None:
    """Raises BadInput for a change that would let a number be drawn twice."""
    begins_reuse = "reuse_after_days" in changed and row["reuse_after_days"] is None
    others = sorted(changed.keys() - {"reuse_after_days", "warn_share"}) + ["reuse_after_days"] * begins_reuse
    if others and await tx.fetchval(_IS_USED, row["id"]):
        message = f"{others[0]}: codes were drawn by this rule already; make a rule of another name."
        raise BadInput(message, code="IN_USE", argument=others[0])


class CodesDrawPayload(NamedTuple):
    """The payload of codesDraw."""

    codes: Annotated[list[str], "The codes, in the order of their numbers."]


@command("codesDraw")
async def draw_codes(
    tx: Connection,
    viewer: Viewer,
    *,
    rule: Annotated[str, "Name of the code rule."],
    count: Annotated[int, "How many codes, up to 1,000."] = 1,
    values: Annotated[dict[str, object] | None, "The values of the pattern's own placeholders, by name."] = None,
    now: datetime,
    code_blocks: Injected[CodeBlocks],
) -> CodesDrawPayload:
    """Draws codes that nobody else gets, for labels and forms that other systems print."""
    if not viewer.runs_freely:
        viewer.require("codes:write")
    if not 1 <= count <= MAX_DRAWN:
        raise BadInput(f"count: give 1 to {MAX_DRAWN:,}.", argument="count")
    if not await rows.visible_keys(tx, viewer, CodeRule, "name", [rule]):
        raise _no_rule(rule)
    return CodesDrawPayload(await draw(tx, code_blocks, await find_rule(tx, rule), values or {}, count, now))
