"""The cluster in the data directory: detects, validates and creates it, and manages the passwords of its two roles."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hub.errors import Misconfigured
from hub.postgres.binaries import Programs
from hub.postgres.data_dir import DataDirectory, open_private, sync_directory, unusable, write_private
from hub.postgres.os_user import PostgresUser
from hub.runtime_login import RUNTIME_ROLE, login_of_owner

ADMIN, ROLE, DATABASE = "postgres", "hub", "hub"
# Written to postgresql.conf once; the operator may change them. cluster_name identifies the cluster as the hub's.
SETTINGS = {
    "cluster_name": "hub",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # On few cores, vacuum competes with requests: with the default of 2 ms it takes half a core while it scans the indexes of a
    # large table.
    "autovacuum_vacuum_cost_delay": "10ms",
    # The DETAIL of an error contains customer data.
    "log_error_verbosity": "terse",
}
# The same sort order and case rules on every machine. Trigrams use lc_ctype and ignore Chinese if it is C.
LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST", "--lc-collate=C")
UTF8_LOCALES = ("C.UTF-8", "en_US.UTF-8")

# The role that the hub serves with; migrations grant it what it needs.
RUNTIME_ROLE_SQL = (
    f"do $$ begin if not exists (select from pg_roles where rolname = '{RUNTIME_ROLE}') then "
    f"create role {RUNTIME_ROLE} nologin; end if; end $$;\n"
    f"grant {RUNTIME_ROLE} to {ROLE} with inherit false, set true;\n"
)
RUNTIME_ROLE_MARKER = "hub_runtime.login"


class Passwords(NamedTuple):
    """Passwords of the superuser and of the role that the hub uses."""

    admin: str
    role: str


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs, their user, and the lock, which all processes inherit: the directory is locked until the last has ended."""

    programs: Programs
    user: PostgresUser
    lock: int

    def command(self, program: str, arguments: Sequence[str]) -> list[str]:
        return self.user.command(self.programs.path(program), arguments)

    def run(self, program: str, arguments: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a program that creates or repairs a cluster; these require a user with a name."""
        return subprocess.run(
            self.user.as_named_user().command(self.programs.path(program), arguments),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=(self.lock,),
            cwd="/",
        )


def cluster_version(directory: DataDirectory) -> int | None:
    """Returns the major version of the hub's cluster; None if there is none yet. Raises Misconfigured for anything else."""
    cluster = directory.cluster
    if not cluster.exists() or (cluster.is_dir() and not any(cluster.iterdir())):
        return None
    version = cluster / "PG_VERSION"
    if not version.is_file():
        raise unusable(f"{cluster} is not a PostgreSQL cluster; move it away, or choose another data directory")
    if not directory.password_file.exists() and not _has_cluster_name(cluster):
        raise unusable(
            f"{cluster} is a cluster that the hub did not make; "
            f"choose another data directory, or start that cluster and set HUB_DATABASE_URL"
        )
    text = version.read_text().strip()
    if not text.isdigit():
        raise unusable(f"{version} names no version ({text[:20]!r}); restore the cluster from a backup")
    return int(text)


def check_owner(directory: DataDirectory, user: PostgresUser) -> None:
    """Raises Misconfigured, with a fix, if the user does not own the cluster: Postgres would refuse to start."""
    owner = directory.cluster.stat().st_uid
    if owner != user.uid:
        raise unusable(
            f"{directory.cluster} belongs to user {owner}, but Postgres would run as user {user.uid}; "
            f"start the hub as that user, or `chown -R {user.uid}:{user.gid} {directory.cluster}`"
        )


def create(directory: DataDirectory, tools: Tools, *, durable: bool) -> None:
    """Creates the cluster with its role and database in a temporary directory, then renames it in one step."""
    if directory.new_cluster.exists():
        shutil.rmtree(directory.new_cluster)
    directory.new_cluster.mkdir(mode=0o700)
    tools.user.give_ownership(directory.new_cluster)
    passwords = Passwords(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    _initdb(directory, tools, passwords, durable=durable)
    _run_single_user(
        directory.new_cluster,
        tools,
        f"create role {ROLE} login password '{passwords.role}';\n{_runtime_role_sql(passwords)}"
        f"create database {DATABASE} owner {ROLE} template template0;\n",
    )
    write_private(directory.password_file, _passfile(passwords), durable=durable)
    write_private(directory.new_cluster / RUNTIME_ROLE_MARKER, "", durable=durable)
    directory.new_cluster.rename(directory.cluster)
    if durable:
        sync_directory(directory.root)


def create_runtime_role(directory: DataDirectory, tools: Tools) -> None:
    """Creates the roles that own nothing in a cluster that an earlier version made; a marker says that they exist."""
    marker = directory.cluster / RUNTIME_ROLE_MARKER
    if not marker.exists():
        _run_single_user(directory.cluster, tools, _runtime_role_sql(passwords(directory)))
        write_private(marker, "", durable=True)


def _runtime_role_sql(passwords: Passwords) -> str:
    login = login_of_owner(ROLE, passwords.role)
    return RUNTIME_ROLE_SQL + ("" if login is None else login.create_sql())


def renew_passwords(directory: DataDirectory, tools: Tools) -> None:
    """Sets new passwords, after a restore of the cluster without its password file."""
    passwords = Passwords(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    statements = "".join(
        f"alter role {role} password '{password}';\n" for role, password in zip((ADMIN, ROLE), passwords, strict=True)
    )
    _run_single_user(directory.cluster, tools, statements + _runtime_role_sql(passwords))
    write_private(directory.password_file, _passfile(passwords), durable=True)


def passwords(directory: DataDirectory) -> Passwords:
    by_role = {}
    if not directory.password_file.exists():
        raise unusable(
            f"{directory.password_file} is missing; stop the server there: the hub sets new passwords when it starts it itself"
        )
    for line in directory.password_file.read_text(encoding="ascii").splitlines():
        *_, role, password = line.split(":")
        by_role[role] = password
    if ADMIN not in by_role or ROLE not in by_role:
        raise unusable(
            f"{directory.password_file} lacks a password; remove the file, and the hub sets new ones at its next start"
        )
    return Passwords(by_role[ADMIN], by_role[ROLE])


def _passfile(passwords: Passwords) -> str:
    """Returns the passwords in libpq's format (PGPASSFILE), so that psql and pg_dump can use the file."""
    return f"*:*:*:{ADMIN}:{passwords.admin}\n*:*:*:{ROLE}:{passwords.role}\n"


def _has_cluster_name(cluster: Path) -> bool:
    configuration = cluster / "postgresql.conf"
    pattern = re.compile(rf"^cluster_name\s*=\s*'?{SETTINGS['cluster_name']}\b", re.MULTILINE)
    return configuration.is_file() and pattern.search(configuration.read_text(errors="replace")) is not None


def _initdb(directory: DataDirectory, tools: Tools, passwords: Passwords, *, durable: bool) -> None:
    secret = directory.new_cluster.with_name("pg.secret")
    secret.unlink(missing_ok=True)
    file = open_private(secret, os.O_WRONLY)
    settings = [argument for name, value in SETTINGS.items() for argument in ("-c", f"{name}={value}")]
    try:
        tools.user.give_ownership(file)
        with open(file, "w", encoding="ascii") as password_file:
            password_file.write(passwords.admin)
        for locale in UTF8_LOCALES:
            completed = tools.run(
                "initdb",
                [
                    *("-D", str(directory.new_cluster), "-U", ADMIN, "-A", "scram-sha-256", f"--pwfile={secret}"),
                    *(*LOCALE, f"--lc-ctype={locale}", "-T", "simple", "--no-instructions"),
                    *([] if durable else ["--no-sync"]),
                    *settings,
                ],
            )
            if completed.returncode == 0 or "invalid locale name" not in completed.stderr:
                break
    finally:
        secret.unlink(missing_ok=True)
    if completed.returncode != 0:
        raise _creation_error("initdb", completed.stderr)


def _run_single_user(cluster: Path, tools: Tools, statements: str) -> None:
    """Runs statements without a reachable server; through standard input, so that no command line shows them."""
    options = ("exit_on_error=on", "log_min_error_statement=panic", "log_min_messages=error")
    completed = tools.run(
        "postgres",
        ["--single", "-D", str(cluster), *(argument for option in options for argument in ("-c", option)), ADMIN],
        stdin=statements,
    )
    if completed.returncode != 0:
        raise _creation_error("postgres --single", completed.stderr)


def _creation_error(program: str, errors: str) -> Misconfigured:
    last_lines = " / ".join(line for line in errors.splitlines()[-6:] if line)
    return Misconfigured(f"{program} could not create the cluster: {last_lines}", code="POSTGRES_FAILED")
