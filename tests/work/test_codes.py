"""Number sequences: patterns and check digits, and that no number is drawn twice, lost or used again too early."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from conftest import CreateDatabase, create_api_key, execute_sql
from writer_client import HubClient, open_hub_client

from hub.db.pool import Pool
from hub.domain.work import codes
from hub.domain.work.codes import CodeBlocks
from hub.errors import BadInput
from hub.settings import Settings
from hub.viewer import Role

START = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
UPSERT = "mutation ($input: CodeRuleUpsertInput!) { codeRuleUpsert(input: $input) { created codeRule { id version } } }"
DRAW = "mutation ($input: CodesDrawInput!) { codesDraw(input: $input) { codes } }"
READ = """query ($name: String!, $code: String!) {
    codeRules(filter: {name: {eq: $name}}) { nodes { parts(code: $code) } } }"""
LEADER = """
with unit as (insert into org_units (code, name, kind, path) values ('TOP', 'Top', 'GROUP', 'TOP') returning id),
    person as (insert into staff (number, name, unit_id) select 'HEAD', 'Head', id from unit returning id, unit_id)
insert into job_roles (staff_id, role, unit_id, from_at) select id, 'HEAD', unit_id, '2026-01-01Z' from person
"""
WARNINGS = """{ notifications(orderBy: {field: NOTIFIED_AT, direction: ASC}) { nodes {
    type text staff { number } subject { ... on CodeRule { name } } } } }"""
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { now } }"


@pytest.fixture(scope="module")
async def code_client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    """A hub whose time begins in March 2026, half an hour before midnight (UTC)."""
    settings = Settings(clock="test", clock_start=START)
    async with open_hub_client(await create_database("migrated"), settings) as client:
        yield client


async def _rule(client: HubClient, name: str, pattern: str, **values: Any) -> Any:
    rule = {"name": name, "pattern": pattern, **values}
    return (await client.query(UPSERT, {"input": rule}))["codeRuleUpsert"]


async def _draw(client: HubClient, rule: str, count: int = 1, **values: Any) -> list[str]:
    draw = {"rule": rule, "count": count, "values": values}
    drawn: list[str] = (await client.query(DRAW, {"input": draw}))["codesDraw"]["codes"]
    return drawn


async def test_codes_follow_their_pattern_and_are_read_again(code_client: HubClient) -> None:
    await _rule(code_client, "waybill", "A{branch:2}{unit:3}{serial:6}", gapless=True)
    assert await _draw(code_client, "waybill", 2, branch=1, unit="23") == ["A01023000001", "A01023000002"]
    assert await _draw(code_client, "waybill", branch="02", unit="23") == ["A02023000001"]
    read = await code_client.query(READ, {"name": "waybill", "code": "A01023000145"})
    assert read["codeRules"]["nodes"] == [{"parts": {"branch": "01", "unit": "023", "serial": 145}}]


async def test_dates_in_codes_are_those_of_the_rule_s_time_zone(code_client: HubClient) -> None:
    await _rule(code_client, "utc", "{year:4}-{month:2}-{day:2}/{serial:3}")
    await _rule(code_client, "shanghai", "{year:2}{month:2}{day:2}-{serial:3}", timezone="Asia/Shanghai")
    assert await _draw(code_client, "utc") == ["2026-03-01/001"]
    assert await _draw(code_client, "shanghai") == ["260302-001"]


@pytest.mark.parametrize(
    ("check_digit", "pattern", "code"),
    [
        ("LUHN", "2181{serial:7}{check}", "218124712173"),  # a wagon by UIC 438-2
        ("MOD10_3", "97804711{serial:4}{check}", "9780471117094"),  # a book by ISO 2108
        ("ISO6346", "CSQU{serial:6}{check}", "CSQU3054383"),  # the example of the standard
    ],
)
async def test_check_digits_are_computed_and_checked(
    code_client: HubClient, check_digit: str, pattern: str, code: str
) -> None:
    name = check_digit.lower()
    await _rule(code_client, name, pattern, checkDigit=check_digit)
    (drawn,) = await _draw(code_client, name)
    for real, serial in ((code, int(code[:-1][-int(pattern.partition(":")[2][0]) :])), (drawn, 1)):
        read = await code_client.query(READ, {"name": name, "code": real})
        assert read["codeRules"]["nodes"] == [{"parts": {"serial": serial}}]
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    response = await code_client.execute(READ, {"name": name, "code": wrong})
    assert response["data"]["codeRules"]["nodes"] == [{"parts": None}]
    assert response["errors"][0]["extensions"] == {"code": "CODE_INVALID", "argument": "code"}


@pytest.mark.parametrize(
    ("rule", "argument"),
    [
        ({"pattern": "A{serial:0}"}, "pattern"),
        ({"pattern": "A{serial:13}"}, "pattern"),
        ({"pattern": "A"}, "pattern"),
        ({"pattern": "{serial:2}{serial:3}"}, "pattern"),
        ({"pattern": "{year:3}{serial:3}"}, "pattern"),
        ({"pattern": "{a:2}{a:2}{serial:3}"}, "pattern"),
        ({"pattern": "{serial:3}{check}"}, "pattern"),
        ({"pattern": "{serial:3}", "checkDigit": "LUHN"}, "pattern"),
        ({"pattern": "{check}{serial:3}", "checkDigit": "LUHN"}, "pattern"),
        ({"pattern": "{serial:3"}, "pattern"),
        ({"pattern": "é{serial:3}"}, "pattern"),
        ({"pattern": "{serial:3}" + "x" * 60}, "pattern"),
    ],
)
async def test_a_pattern_that_cannot_be_is_refused(code_client: HubClient, rule: dict[str, Any], argument: str) -> None:
    error = await code_client.error(UPSERT, {"input": {"name": "wrong", **rule}})
    assert (error["code"], error["argument"]) == ("CODE_INVALID", f"input.{argument}")


async def test_values_must_fit_the_pattern(code_client: HubClient) -> None:
    await _rule(code_client, "values", "{unit:3}-{serial:3}")
    for values, argument in (
        ({}, "input.values.unit"),
        ({"unit": "1234"}, "input.values.unit"),
        ({"unit": "a-b"}, "input.values.unit"),
        ({"unit": True}, "input.values.unit"),
        ({"unit": "1", "serial": 7}, "input.values"),
    ):
        error = await code_client.error(DRAW, {"input": {"rule": "values", "values": values}})
        assert (error["code"], error["argument"]) == ("CODE_INVALID", argument)
    for count, rule, code in (
        (0, "values", "VALUE_INVALID"),
        (1_001, "values", "VALUE_INVALID"),
        (1, "?", "NOT_FOUND"),
    ):
        error = await code_client.error(DRAW, {"input": {"rule": rule, "count": count, "values": {"unit": 1}}})
        assert error["code"] == code
    reader = await create_api_key(code_client.dsn, Role.READER)
    error = await code_client.error(DRAW, {"input": {"rule": "values", "values": {"unit": 1}}}, key=reader)
    assert (error["code"], error["scope"]) == ("FORBIDDEN", "codes:write")


async def test_a_rule_in_use_changes_only_its_days_of_reuse(code_client: HubClient) -> None:
    await _rule(code_client, "used", "U{serial:3}", reuseAfterDays=10)
    assert (await _rule(code_client, "used", "V{serial:3}", reuseAfterDays=10))["codeRule"]["version"] == 2
    assert (await _rule(code_client, "used", "V{serial:3}", reuseAfterDays=10))["codeRule"]["version"] == 2
    await _draw(code_client, "used")
    error = await code_client.error(UPSERT, {"input": {"name": "used", "pattern": "V{serial:4}", "reuseAfterDays": 10}})
    assert (error["code"], error["argument"]) == ("IN_USE", "input.pattern")
    assert (await _rule(code_client, "used", "V{serial:3}", reuseAfterDays=20))["codeRule"]["version"] == 3


ADD_ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"


async def test_a_role_draws_by_the_rules_that_it_reads(code_client: HubClient) -> None:
    await _rule(code_client, "labels", "L{serial:3}")
    await _rule(code_client, "hidden", "H{serial:3}")
    reads = {"entity": "CodeRule", "verbs": ["READ"], "rowFilter": {"name": {"eq": "labels"}}}
    for name, run in (("printers", ["codesDraw"]), ("lookers", ["*"])):
        await code_client.query(ADD_ROLE, {"input": {"name": name, "rules": [reads], "run": run}})
    printer = await create_api_key(code_client.dsn, "printers")
    drawn = await code_client.query(DRAW, {"input": {"rule": "labels"}}, key=printer)
    hidden, absent = [
        await code_client.error(DRAW, {"input": {"rule": name}}, key=printer) for name in ("hidden", "absent")
    ]
    assert (drawn["codesDraw"]["codes"], hidden["code"]) == (["L001"], "NOT_FOUND")
    assert hidden | {"message": hidden["message"].replace("hidden", "absent")} == absent
    looker = await create_api_key(code_client.dsn, "lookers")
    error = await code_client.error(DRAW, {"input": {"rule": "labels"}}, key=looker)
    assert error["code"] in ("FORBIDDEN", "FIELD_UNKNOWN")


async def test_a_refused_draw_takes_no_number(code_client: HubClient) -> None:
    await _rule(code_client, "few", "F{serial:1}")
    assert (await code_client.error(DRAW, {"input": {"rule": "few", "count": 10}}))["remaining"] == 9
    assert await _draw(code_client, "few", 5) == ["F1", "F2", "F3", "F4", "F5"]
    error = await code_client.error(DRAW, {"input": {"rule": "few", "count": 6}})
    assert (error["code"], error["remaining"]) == ("CODE_EXHAUSTED", 4)
    assert await _draw(code_client, "few", 4) == ["F6", "F7", "F8", "F9"]


async def test_a_number_is_drawn_again_only_after_its_period(code_client: HubClient) -> None:
    await _rule(code_client, "once", "O{serial:1}")
    assert len(await _draw(code_client, "once", 9)) == 9
    error = await code_client.error(DRAW, {"input": {"rule": "once"}})
    assert (error["code"], error["remaining"]) == ("CODE_EXHAUSTED", 0)
    await _rule(code_client, "again", "R{serial:1}", reuseAfterDays=10, gapless=True)
    assert await _draw(code_client, "again", 4) == ["R1", "R2", "R3", "R4"]
    await code_client.query(ADVANCE, {"to": "2026-03-05T23:30:00Z"})
    assert await _draw(code_client, "again", 5) == ["R5", "R6", "R7", "R8", "R9"]
    await code_client.query(ADVANCE, {"to": "2026-03-11T23:29:59Z"})
    error = await code_client.error(DRAW, {"input": {"rule": "again"}})
    assert (error["code"], error["remaining"]) == ("CODE_EXHAUSTED", 0), error
    await code_client.query(ADVANCE, {"to": "2026-03-11T23:30:00Z"})
    error = await code_client.error(DRAW, {"input": {"rule": "again", "count": 5}})
    assert (error["code"], error["remaining"]) == ("CODE_EXHAUSTED", 4)
    assert await _draw(code_client, "again", 3) == ["R1", "R2", "R3"]
    await code_client.query(ADVANCE, {"to": "2026-03-15T23:30:00Z"})
    assert await _draw(code_client, "again", 6) == ["R4", "R5", "R6", "R7", "R8", "R9"]
    assert (await code_client.error(DRAW, {"input": {"rule": "again"}}))["remaining"] == 0


async def test_the_head_hears_once_that_few_numbers_of_a_prefix_are_left(code_client: HubClient) -> None:
    await execute_sql(code_client.dsn, LEADER)
    await _rule(code_client, "scarce", "S{unit:1}-{serial:1}", gapless=True)
    heard = []
    for count in (7, 1, 1):
        await _draw(code_client, "scarce", count, unit=1)
        heard.append([node["text"] for node in (await code_client.query(WARNINGS))["notifications"]["nodes"]])
    warning = "scarce: 8 of 9 numbers of S1-* are drawn."
    assert heard == [[], [warning], [warning]]
    assert (await _rule(code_client, "scarce", "S{unit:1}-{serial:1}", gapless=True, warnShare="0.3"))["codeRule"]
    await _draw(code_client, "scarce", 5, unit=2)
    notified = (await code_client.query(WARNINGS))["notifications"]["nodes"]
    about = {"type": "ALARM", "staff": {"number": "HEAD"}, "subject": {"name": "scarce"}}
    assert notified == [about | {"text": text} for text in (warning, "scarce: 5 of 9 numbers of S2-* are drawn.")]
    for share in ("0", "1.1", "0.00001"):
        values = {"name": "scarce", "pattern": "{serial:1}", "warnShare": share}
        error = await code_client.error(UPSERT, {"input": values})
        assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.warnShare")


# -- many processes -----------------------------------------------------------------------------------------------------


class LostTransactionError(Exception):
    """A transaction that does not commit."""


async def _drawing_process(dsn: str, rule_name: str, count: int, draw: random.Random) -> None:
    """Draws as one process: each code is stored in the transaction that draws it, and some of them are rolled back."""
    pool, blocks_pool = Pool(dsn, Settings(pool_size=1)), Pool(dsn, Settings(pool_size=1))
    blocks = CodeBlocks(blocks_pool)
    stored = 0
    try:
        while stored < count:
            size = min(draw.choice((1, 1, 1, 7)), count - stored)
            try:
                async with pool.transaction() as tx:
                    rule = await codes.find_rule(tx, rule_name)
                    drawn = await codes.draw(tx, blocks, rule, {}, size, datetime.now(UTC))
                    await tx.executemany("insert into issued (code) values ($1)", [(code,) for code in drawn])
                    if draw.random() < 0.1:
                        raise LostTransactionError
                stored += size
            except LostTransactionError:
                pass
    finally:
        await pool.close()
        await blocks_pool.close()


async def _issued(dsn: str, rule_name: str, total: int, seed: int, *, gapless: bool) -> Sequence[str]:
    """The codes that eight processes drew."""
    async with open_hub_client(dsn) as client:
        await _rule(client, rule_name, "{serial:9}", gapless=gapless)
    table = "create table issued (code text primary key); grant all on issued to hub_runtime"
    await execute_sql(dsn, table)
    draws = [random.Random(f"{seed} {number}") for number in range(8)]
    await asyncio.gather(*(_drawing_process(dsn, rule_name, total // 8, draw) for draw in draws))
    connection = await asyncpg.connect(dsn)
    try:
        return [row["code"] for row in await connection.fetch("select code from issued order by code")]
    finally:
        await connection.close()


@pytest.mark.parametrize("total", [2_000, pytest.param(100_000, marks=pytest.mark.soak)], ids=["short", "long"])
async def test_eight_processes_draw_without_gaps(database_dsn: str, seed: int, total: int) -> None:
    issued = await _issued(database_dsn, "gapless", total, seed, gapless=True)
    assert issued == [f"{number:09}" for number in range(1, total + 1)]


@pytest.mark.parametrize("total", [2_000, pytest.param(100_000, marks=pytest.mark.soak)], ids=["short", "long"])
async def test_eight_processes_draw_no_number_twice(database_dsn: str, seed: int, total: int) -> None:
    issued = await _issued(database_dsn, "blocks", total, seed, gapless=False)
    assert len(set(issued)) == total
    assert int(issued[-1]) < 1.3 * total + 8 * codes.BLOCK


async def test_a_killed_process_loses_no_gapless_number(database_dsn: str) -> None:
    async with open_hub_client(database_dsn) as client:
        await _rule(client, "killed", "{serial:3}", gapless=True)
        connection = await asyncpg.connect(database_dsn)
        transaction = connection.transaction()
        await transaction.start()
        rule = await codes.find_rule(connection, "killed")
        pool = Pool(database_dsn, Settings(pool_size=1))
        assert await codes.draw(connection, CodeBlocks(pool), rule, {}, 3, START) == ["001", "002", "003"]
        connection.terminate()  # as the kernel does with the sockets of a killed process
        assert await _draw(client, "killed", 2) == ["001", "002"]
        with pytest.raises(BadInput, match="are left"):
            async with pool.transaction() as tx:
                await codes.draw(tx, CodeBlocks(pool), rule, {}, 998, START)
        await pool.close()
