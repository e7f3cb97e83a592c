"""The login role that the hub serves with: its name and its password follow from those of the database's owner.

Every process that knows the owner's password can work them out, so that nothing has to be stored. It connects to nothing."""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

RUNTIME_ROLE = "hub_runtime"  # what the login role is a member of; migrations grant it what it needs
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")  # owners whose login role is named after them
SCRAM_ITERATIONS = 4096


@dataclass(frozen=True, slots=True)
class RuntimeLogin:
    """Name and password of a login role, and the owner beside which it serves."""

    owner: str
    name: str
    password: str = field(repr=False)

    def create_sql(self) -> str:
        """SQL that creates the role, or renews its password; the text does not tell the password.

        The owner is a member, so that it sees in pg_stat_activity what the hub runs."""
        role, verifier = f'"{self.name}"', _scram_verifier(self.password)
        # A single-user server exits on every error, also on one that is caught.
        return (
            f"do $$ begin if not exists (select from pg_roles where rolname = '{self.name}') then "
            f"create role {role} login password '{verifier}' in role {RUNTIME_ROLE}; "
            f"else alter role {role} login password '{verifier}'; end if; exception when duplicate_object or unique_violation "
            f"then alter role {role} login password '{verifier}'; end $$;\n"
            f'grant {role} to "{self.owner}";\n'
        )


def login_of_owner(owner: str, password: str) -> RuntimeLogin | None:
    """The login role beside an owner; None where there is no password to work it out from."""
    if not password or not PLAIN_NAME.fullmatch(owner):
        return None
    name = f"{RUNTIME_ROLE}_{owner}"
    derived = hmac.digest(password.encode(), f"login role {name}".encode(), "sha256")
    return RuntimeLogin(owner, name, base64.urlsafe_b64encode(derived).decode().rstrip("="))


def login_of_url(dsn: str) -> RuntimeLogin | None:
    """The login role beside the owner that a database's URL names; None for a URL without a name, password or database."""
    try:
        url = urlsplit(dsn)
    except ValueError:
        return None
    if not url.username or not url.password or not url.path.strip("/"):
        return None
    return login_of_owner(unquote(url.username), unquote(url.password))


def _scram_verifier(password: str) -> str:
    """What Postgres stores of a password (RFC 5803), so that the password itself appears in no log."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    texts = [base64.b64encode(value).decode() for value in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{texts[0]}${texts[1]}:{texts[2]}"
