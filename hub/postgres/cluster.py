"""The cluster in the data directory: is there one, is it ours, how is one made; and the passwords of its two roles."""

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
from hub.postgres.data_dir import Places, open_private, sync_names, unusable, write_private
from hub.postgres.os_user import Account

ADMIN, ROLE, DATABASE = "postgres", "hub", "hub"
# Written into postgresql.conf once, for the machine's keeper to change. cluster_name marks the cluster as the hub's.
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
    # On a few cores vacuuming shares them with those who wait for an answer: at the usual 2 ms it takes half of one for as long
    # as a large table's indexes are many.
    "autovacuum_vacuum_cost_delay": "10ms",
    # The DETAIL of an error holds values of customers.
    "log_error_verbosity": "terse",
}
# One order and one case rule on every machine; trigrams read lc_ctype, and see no Chinese when it is C.
LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST", "--lc-collate=C")
UTF8_LOCALES = ("C.UTF-8", "en_US.UTF-8")


class Passwords(NamedTuple):
    """Of the superuser and of the role that the hub itself uses."""

    admin: str
    role: str


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs, whom to run them as, and the lock, which each inherits: even a dying one keeps others away."""

    programs: Programs
    user: Account
    lock: int

    def command(self, program: str, arguments: Sequence[str]) -> list[str]:
        return self.user.command(self.programs.path(program), arguments)

    def run(self, program: str, arguments: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program that makes or mends a cluster: those insist on a user with a name."""
        return subprocess.run(
            self.user.named().command(self.programs.path(program), arguments),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=(self.lock,),
            cwd="/",
        )


def examine(places: Places) -> int | None:
    """The major version of the hub's cluster here; None when there is none yet. Anything else is refused."""
    cluster = places.cluster
    if not cluster.exists() or (cluster.is_dir() and not any(cluster.iterdir())):
        return None
    version = cluster / "PG_VERSION"
    if not version.is_file():
        raise unusable(f"{cluster} is not a PostgreSQL cluster; move it away, or choose another data directory")
    if not places.password.exists() and not _is_marked(cluster):
        raise unusable(
            f"{cluster} is a cluster that the hub did not make; "
            f"choose another data directory, or start that cluster and set HUB_DATABASE_URL"
        )
    text = version.read_text().strip()
    if not text.isdigit():
        raise unusable(f"{version} names no version ({text[:20]!r}); restore the cluster from a backup")
    return int(text)


def check_owner(places: Places, account: Account) -> None:
    """Postgres starts only as the owner of its cluster; say so before it does, with the command."""
    owner = places.cluster.stat().st_uid
    if owner != account.uid:
        raise unusable(
            f"{places.cluster} belongs to user {owner}, but Postgres would run as user {account.uid}; "
            f"start the hub as that user, or `chown -R {account.uid}:{account.gid} {places.cluster}`"
        )


def create(places: Places, tools: Tools, *, durable: bool) -> None:
    """Make the cluster, its role and its database aside, then put all in place in one step."""
    if places.fresh.exists():
        shutil.rmtree(places.fresh)
    places.fresh.mkdir(mode=0o700)
    tools.user.own(places.fresh)
    passwords = Passwords(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    _initdb(places, tools, passwords, durable=durable)
    _single(
        places.fresh,
        tools,
        f"create role {ROLE} login password '{passwords.role}';\n"
        f"create database {DATABASE} owner {ROLE} template template0;\n",
    )
    write_private(places.password, _passfile(passwords), durable=durable)
    places.fresh.rename(places.cluster)
    if durable:
        sync_names(places.root)


def renew_passwords(places: Places, tools: Tools) -> None:
    """Where the cluster came back from a backup without its password file: its owner may set new ones."""
    passwords = Passwords(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    statements = "".join(
        f"alter role {role} password '{password}';\n" for role, password in zip((ADMIN, ROLE), passwords, strict=True)
    )
    _single(places.cluster, tools, statements)
    write_private(places.password, _passfile(passwords), durable=True)


def passwords(places: Places) -> Passwords:
    known = {}
    if not places.password.exists():
        raise unusable(
            f"{places.password} is missing; stop the server there: the hub sets new passwords when it starts it itself"
        )
    for line in places.password.read_text(encoding="ascii").splitlines():
        *_, role, password = line.split(":")
        known[role] = password
    if ADMIN not in known or ROLE not in known:
        raise unusable(
            f"{places.password} lacks a password; remove the file, and the hub sets new ones at its next start"
        )
    return Passwords(known[ADMIN], known[ROLE])


def _passfile(passwords: Passwords) -> str:
    """As libpq reads it (PGPASSFILE), so that psql and pg_dump can be pointed at the same file."""
    return f"*:*:*:{ADMIN}:{passwords.admin}\n*:*:*:{ROLE}:{passwords.role}\n"


def _is_marked(cluster: Path) -> bool:
    configuration = cluster / "postgresql.conf"
    mark = re.compile(rf"^cluster_name\s*=\s*'?{SETTINGS['cluster_name']}\b", re.MULTILINE)
    return configuration.is_file() and mark.search(configuration.read_text(errors="replace")) is not None


def _initdb(places: Places, tools: Tools, passwords: Passwords, *, durable: bool) -> None:
    secret = places.fresh.with_name("pg.secret")
    secret.unlink(missing_ok=True)
    file = open_private(secret, os.O_WRONLY)
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    try:
        tools.user.own(file)
        with open(file, "w", encoding="ascii") as opened:
            opened.write(passwords.admin)
        for locale in UTF8_LOCALES:
            done = tools.run(
                "initdb",
                [
                    *("-D", str(places.fresh), "-U", ADMIN, "-A", "scram-sha-256", f"--pwfile={secret}"),
                    *(*LOCALE, f"--lc-ctype={locale}", "-T", "simple", "--no-instructions"),
                    *([] if durable else ["--no-sync"]),
                    *settings,
                ],
            )
            if done.returncode == 0 or "invalid locale name" not in done.stderr:
                break
    finally:
        secret.unlink(missing_ok=True)
    if done.returncode != 0:
        raise _failed("initdb", done.stderr)


def _single(cluster: Path, tools: Tools, statements: str) -> None:
    """Run statements with no server that anyone could reach; by standard input, so that no command line shows them."""
    options = ("exit_on_error=on", "log_min_error_statement=panic", "log_min_messages=error")
    done = tools.run(
        "postgres",
        ["--single", "-D", str(cluster), *(part for option in options for part in ("-c", option)), ADMIN],
        stdin=statements,
    )
    if done.returncode != 0:
        raise _failed("postgres --single", done.stderr)


def _failed(program: str, errors: str) -> Misconfigured:
    said = " / ".join(line for line in errors.splitlines()[-6:] if line)
    return Misconfigured(f"{program} could not make the cluster: {said}", code="POSTGRES_FAILED")
