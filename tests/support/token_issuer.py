"""An issuer of tokens on loopback: it publishes its keys, changes them, is down, and signs whatever a test asks for."""

import asyncio
import json
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

ISSUER = "https://login.example/realms/hub"
ALGORITHMS = ("RS256", "RS384", "PS256", "ES256", "EdDSA", "Ed25519", "HS256")


def rsa_key(kid: str) -> RSAKey:
    """A new RSA key."""
    return RSAKey.generate_key(2048, {"kid": kid})


def ec_key(kid: str) -> ECKey:
    """A new key for ES256."""
    return ECKey.generate_key("P-256", {"kid": kid})


def okp_key(kid: str) -> OKPKey:
    """A new key for EdDSA."""
    return OKPKey.generate_key("Ed25519", {"kid": kid})


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of a valid token for Nancy, the agent; None removes one."""
    now = int(time.time())
    members = {
        "iss": ISSUER,
        "aud": "hub",
        "sub": "nancy",
        "iat": now,
        "exp": now + 300,
        "email": "Nancy@Northwind.example",
        "email_verified": True,
        "realm_access": {"roles": ["offline_access", "crm-agent"]},
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def sign(key: Key, algorithm: str, payload: dict[str, Any] | str, **header: Any) -> str:
    """A token; a header that is None is left out."""
    members = {"alg": algorithm, "kid": key.kid, **header}
    present = {name: value for name, value in members.items() if value is not None}
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # about EdDSA, the old name of Ed25519
        if isinstance(payload, str):
            return jws.serialize_compact(present, payload, key, registry=registry)
        return jwt.encode(present, payload, key, registry=registry)


@dataclass
class FakeIssuer:
    """An issuer: `keys` are published, `signer` signs."""

    name: str
    signer: Key
    keys: list[Key] = field(default_factory=list)
    status: int = 200
    headers: str = ""
    body: bytes | None = None  # instead of the keys
    reads: int = 0
    port: int = 0

    @property
    def jwks_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"

    def token(self, key: Key | None = None, algorithm: str = "RS256", **changes: Any) -> str:
        """A token of this issuer for Nancy, with other claims where the test names them."""
        return sign(key or self.signer, algorithm, claims(**{"iss": self.name, **changes}))

    def document(self) -> bytes:
        """The key set."""
        if self.body is not None:
            return self.body
        return json.dumps({"keys": [key.as_dict(private=isinstance(key, OctKey)) for key in self.keys]}).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.reads += 1
        body = self.document()
        response_head = (
            f"HTTP/1.1 {self.status} x\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{self.headers}\r\n"
        )
        writer.write(response_head.encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def run_issuer(name: str = ISSUER) -> AsyncIterator[FakeIssuer]:
    """An issuer with a key of each type, on a free port of loopback; it signs with RSA."""
    signer = rsa_key("first")
    issuer = FakeIssuer(name, signer, [signer, ec_key("curve"), okp_key("edwards")])
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.port = server.sockets[0].getsockname()[1]
    async with server:
        yield issuer
