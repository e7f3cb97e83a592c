"""The upper bound: Postgres alone with the statements that the hub sends, measured by pgbench."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

from bench.children import POOL, BenchmarkError, environment

# $1 of a statement, not the $ inside an alias such as t$1.
PARAMETER = re.compile(r'(?<![\w$"])\$(\d+)')
# pgbench reads :name as a variable even inside a literal.
LITERAL = re.compile(r"'(?:[^']|'')*'")
PROGRESS = re.compile(r"^progress: .*?, ([\d.]+) tps", re.MULTILINE)
TRANSACTIONS = re.compile(r"number of transactions actually processed: (\d+)")
OPTIONS = ("-n", "-M", "prepared", "-c", POOL, "-j", "1", "-P", "1")
WARM_UP = 1  # seconds that do not count: connections plan a statement five times before they cache its plan
TIMEOUT_MARGIN = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class PgbenchStatement:
    """One statement with its arguments, as the hub sends it."""

    sql: str
    arguments: tuple[object, ...]

    def script(self, number: int) -> tuple[str, dict[str, str]]:
        """The script for pgbench and the values of its variables."""
        values = {
            f"a{number}_{index}": to_text(argument)
            for index, argument in enumerate(self.arguments, 1)
            if argument is not None
        }
        sql = LITERAL.sub(lambda literal: _escaped(literal[0]), self.sql)

        def to_variable(parameter: re.Match[str]) -> str:
            name = f"a{number}_{parameter[1]}"
            return f":{name}" if name in values else "null"

        return PARAMETER.sub(to_variable, sql).rstrip().rstrip(";") + ";\n", values


def _escaped(literal: str) -> str:
    if ":" not in literal:
        return literal
    return "U&" + literal.replace("\\", "\\\\").replace(":", "\\003A")


def to_text(value: object) -> str:
    """A value in Postgres' text format; raises TypeError for a type that no statement has."""
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
            return "{" + ",".join(_element(element) for element in value) + "}"
    raise TypeError(f"no text for {type(value).__name__}")


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    quoted = to_text(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


@dataclass(frozen=True, slots=True)
class PgbenchResult:
    """Transactions per second after the warm-up, and the number of all transactions."""

    rate: float
    transactions: int


def run(program: Path, dsn: str, statements: Sequence[PgbenchStatement], seconds: int, folder: Path) -> PgbenchResult:
    """Run the statements in equal shares for some seconds, prepared, over as many connections as a contender has."""
    arguments: list[str] = []
    for number, statement in enumerate(statements):
        script, values = statement.script(number)
        arguments += ["-f", _file(folder, number, script)]
        arguments += [part for name, value in values.items() for part in ("-D", f"{name}={value}")]
    return _run(program, dsn, arguments, seconds)


def run_script(program: Path, dsn: str, script: str, seconds: int, folder: Path) -> PgbenchResult:
    """Run a pgbench script in the same way."""
    return _run(program, dsn, ["-f", _file(folder, 0, script)], seconds)


def _file(folder: Path, number: int, script: str) -> str:
    file = folder / f"{number}.sql"
    file.write_text(script)
    return str(file)


def _run(program: Path, dsn: str, arguments: Sequence[str], seconds: int) -> PgbenchResult:
    completed = subprocess.run(
        [str(program), *OPTIONS, "-T", str(seconds + WARM_UP), *arguments],
        env=environment(**dict(_libpq_variables(dsn))),
        capture_output=True,
        text=True,
        timeout=seconds + TIMEOUT_MARGIN,
        check=False,
    )
    count, rates = (
        TRANSACTIONS.search(completed.stdout),
        [float(rate) for rate in PROGRESS.findall(completed.stderr)][WARM_UP:],
    )
    if completed.returncode or count is None or not rates:
        raise BenchmarkError(f"pgbench: {completed.stderr[-2000:]}{completed.stdout[-500:]}")
    return PgbenchResult(sum(rates) / len(rates), int(count[1]))


def _libpq_variables(dsn: str) -> Iterator[tuple[str, str]]:
    """An address as libpq's variables, because a password must not be on a command line."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    variables = {
        "PGHOST": parts.hostname or query.get("host"),
        "PGPORT": str(parts.port or query.get("port", 5432)),
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.path.strip("/"),
    }
    for name, value in variables.items():
        if value:
            yield name, unquote(value)
