"""The ceiling: what Postgres alone does with the very statements that the hub sends, measured by pgbench."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

from bench.children import POOL, Failed, environment

# $1 of a statement, not the $ inside an alias such as t$1.
PARAMETER = re.compile(r'(?<![\w$"])\$(\d+)')
# pgbench takes :name for a variable even inside a literal.
LITERAL = re.compile(r"'(?:[^']|'')*'")
PROGRESS = re.compile(r"^progress: .*?, ([\d.]+) tps", re.MULTILINE)
DONE = re.compile(r"number of transactions actually processed: (\d+)")
OPTIONS = ("-n", "-M", "prepared", "-c", POOL, "-j", "1", "-P", "1")
WARM_UP = 1  # seconds that do not count: connections plan each statement five times before they keep a plan
SLACK = 60.0


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with its arguments, as the hub would send it."""

    sql: str
    arguments: tuple[object, ...]

    def script(self, number: int) -> tuple[str, dict[str, str]]:
        """The text for pgbench and the values of its variables."""
        values = {f"a{number}_{at}": text(each) for at, each in enumerate(self.arguments, 1) if each is not None}
        sql = LITERAL.sub(lambda found: _escaped(found[0]), self.sql)

        def named(found: re.Match[str]) -> str:
            name = f"a{number}_{found[1]}"
            return f":{name}" if name in values else "null"

        return PARAMETER.sub(named, sql).rstrip().rstrip(";") + ";\n", values


def _escaped(literal: str) -> str:
    if ":" not in literal:
        return literal
    return "U&" + literal.replace("\\", "\\\\").replace(":", "\\003A")


def text(value: object) -> str:
    """A value as Postgres reads it."""
    match value:
        case bool():
            return "t" if value else "f"
        case datetime():
            return value.isoformat()
        case str() | int() | float() | Decimal() | UUID():
            return str(value)
        case bytes():
            return "\\x" + value.hex()
        case list() | tuple():
            return "{" + ",".join(_element(each) for each in value) + "}"
    raise TypeError(f"no text for {type(value).__name__}")


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    quoted = text(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


@dataclass(frozen=True, slots=True)
class Ran:
    """What pgbench found: transactions per second after the warm-up, and how many it ran in all."""

    rate: float
    transactions: int


def run(program: Path, dsn: str, statements: Sequence[Statement], seconds: int, work: Path) -> Ran:
    """Run the statements in equal shares for some seconds, prepared, on as many connections as a contender has."""
    arguments: list[str] = []
    for number, statement in enumerate(statements):
        script, values = statement.script(number)
        arguments += ["-f", _file(work, number, script)]
        arguments += [part for name, value in values.items() for part in ("-D", f"{name}={value}")]
    return _run(program, dsn, arguments, seconds)


def run_script(program: Path, dsn: str, script: str, seconds: int, work: Path) -> Ran:
    """Run a script of pgbench's own in the same way."""
    return _run(program, dsn, ["-f", _file(work, 0, script)], seconds)


def _file(work: Path, number: int, script: str) -> str:
    file = work / f"{number}.sql"
    file.write_text(script)
    return str(file)


def _run(program: Path, dsn: str, arguments: Sequence[str], seconds: int) -> Ran:
    done = subprocess.run(
        [str(program), *OPTIONS, "-T", str(seconds + WARM_UP), *arguments],
        env=environment(**dict(_connection(dsn))),
        capture_output=True,
        text=True,
        timeout=seconds + SLACK,
        check=False,
    )
    count, rates = DONE.search(done.stdout), [float(each) for each in PROGRESS.findall(done.stderr)][WARM_UP:]
    if done.returncode or count is None or not rates:
        raise Failed(f"pgbench: {done.stderr[-2000:]}{done.stdout[-500:]}")
    return Ran(sum(rates) / len(rates), int(count[1]))


def _connection(dsn: str) -> Iterator[tuple[str, str]]:
    """An address as libpq's variables: a password does not belong on a command line."""
    parts = urlsplit(dsn)
    near = dict(parse_qsl(parts.query))
    found = {
        "PGHOST": parts.hostname or near.get("host"),
        "PGPORT": str(parts.port or near.get("port", 5432)),
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.path.strip("/"),
    }
    for name, value in found.items():
        if value:
            yield name, unquote(value)
