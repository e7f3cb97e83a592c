"""The public keys of token issuers: read at the start, then periodically, and once more for a key that is not among them.

While an issuer is down its last keys stay valid. Only its own answer withdraws one."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from hub.errors import Misconfigured, Unauthenticated, Unavailable
from hub.observability import InternalFailure, TokenIssuerFailed, emit
from hub.token_issuers import TokenIssuer
from hub.webhooks.issuer_documents import IssuerDocumentError

MAX_DOCUMENT_BYTES = 60_000
MAX_KEYS = 100
MIN_RSA_BITS = 2_048
READ_TIMEOUT = 5.0  # seconds
RETRY_INTERVAL = 5.0  # seconds until a reading that failed is repeated
EXTRA_READ_INTERVAL = 30.0  # seconds between two readings that unknown keys cause

PublicKey = RSAKey | ECKey | OKPKey
# Takes an address, returns the document there. Raises IssuerDocumentError.
ReadDocument = Callable[[str], Awaitable[bytes]]


class IssuerKey(NamedTuple):
    """A key that tokens may be signed with, and its key id."""

    kid: str | None
    key: PublicKey


class IssuerKeys:
    """The keys at one source: an address or a file."""

    def __init__(self, issuer: TokenIssuer, read: ReadDocument, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._read = read
        self._clock = clock
        self._keys: Mapping[bytes, IssuerKey] = {}  # by thumbprint and key id
        self._failure = "they were never read"  # "" after a reading that succeeded
        self._extra_read_at = -EXTRA_READ_INTERVAL
        self._reading: asyncio.Task[None] | None = None

    def holds(self, fingerprint: bytes) -> bool:
        """Whether the issuer has not withdrawn the key."""
        return fingerprint in self._keys

    def may_hold(self, fingerprint: bytes) -> bool:
        """Whether the issuer may have the key: it was never heard, or has not withdrawn it."""
        return not self._keys or self.holds(fingerprint)

    async def find(self, kid: str | None) -> tuple[bytes, PublicKey]:
        """Returns a key and its fingerprint; reads the keys once more for one that is unknown, but not too often.

        Raises Unauthenticated for an unknown key, and Unavailable while the keys cannot be read."""
        match = self._match(kid)
        if match is None and (self._reading is not None or self._take_extra_read()):
            await self.refresh()
            match = self._match(kid)
        if match is not None:
            return match
        if self._failure:
            message = (
                "The token's key is unknown, and the issuer's keys cannot be read now; try again in a few seconds."
            )
            raise Unavailable(message, code="TOKEN_ISSUER_UNAVAILABLE")
        if kid is None:
            message = "The token names no key (`kid`), and its issuer has several; have the issuer name it."
        else:
            message = "The token's key (`kid`) is not among those of its issuer; sign in again."
        raise Unauthenticated(message, code="TOKEN_KEY_UNKNOWN")

    async def refresh(self) -> None:
        """Reads the keys again; concurrent calls share one reading, which outlives each of them."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._refresh())
            self._reading.add_done_callback(self._on_read)
        await asyncio.shield(self._reading)

    async def keep_fresh(self) -> None:
        """Reads the keys periodically, for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(min(RETRY_INTERVAL, self._issuer.jwks_ttl) if self._failure else self._issuer.jwks_ttl)

    async def read_failure(self) -> str:
        """Reads the keys again; returns why that failed, or an empty text."""
        await self.refresh()
        return self._failure

    async def require(self) -> None:
        """Reads the keys of a file; raises Misconfigured if there is none."""
        failure = await self.read_failure()
        if failure:
            message = f"HUB_TOKEN_ISSUERS: the keys of {self._issuer.issuer} cannot be used: {failure}."
            raise Misconfigured(message, argument="HUB_TOKEN_ISSUERS")

    def _on_read(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    def _match(self, kid: str | None) -> tuple[bytes, PublicKey] | None:
        matches = [(name, entry.key) for name, entry in self._keys.items() if kid is None or entry.kid == kid]
        return matches[0] if len(matches) == 1 or (matches and kid is not None) else None

    def _take_extra_read(self) -> bool:
        """Whether an unknown key may cause a reading now: whoever sends invented key ids must not make the hub call out."""
        now = self._clock()
        interval = RETRY_INTERVAL if self._failure else EXTRA_READ_INTERVAL
        if now - self._extra_read_at < interval:
            return False
        self._extra_read_at = now
        return True

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                document = await self._document()
            self._keys = parse_keys(document)
        except TimeoutError:
            self._fail(f"there was no answer within {READ_TIMEOUT:g} s")
        except IssuerDocumentError as error:
            self._fail(str(error))
        except Exception as error:
            emit(InternalFailure("", "reading the keys of an issuer", error))
            self._fail("the hub failed; its log says why")
        else:
            self._failure = ""

    def _fail(self, reason: str) -> None:
        if reason != self._failure:  # once, not at every attempt
            emit(TokenIssuerFailed(self._issuer.issuer, reason))
        self._failure = reason

    async def _document(self) -> bytes:
        path = self._issuer.jwks_file
        if path is None:
            return await self._read(str(self._issuer.jwks_url))
        try:
            return await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise IssuerDocumentError(f"{path} cannot be read ({error.strerror}); correct `jwks_file`") from None


def parse_keys(document: bytes) -> dict[bytes, IssuerKey]:
    """Returns the keys of a JWK set that may sign; leaves others out, as RFC 7517 asks. Raises IssuerDocumentError."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise IssuerDocumentError(f"the key set is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise IssuerDocumentError("the document is not JSON; give the address or file of a JWK set") from None
    members = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(members, list):
        raise IssuerDocumentError("the document has no `keys`; give the address or file of a JWK set")
    entries = [entry for member in members[:MAX_KEYS] if (entry := _parse_key(member)) is not None]
    if not entries:
        raise IssuerDocumentError(
            "the key set has no public key that verifies signatures (RSA from 2048 bits, EC, OKP)"
        )
    return {_fingerprint(entry): entry for entry in entries}


def _fingerprint(entry: IssuerKey) -> bytes:
    return f"{entry.key.thumbprint()} {entry.kid or ''}".encode()


def _parse_key(member: object) -> IssuerKey | None:
    if not isinstance(member, dict) or member.get("use", "sig") != "sig":
        return None
    try:
        if member["kty"] not in ("RSA", "EC", "OKP") or (member["kty"] == "RSA" and _is_weak(member["n"])):
            return None
        key = JWKRegistry.import_key(member)
    except (JoseError, ValueError, TypeError, KeyError, ArithmeticError):
        return None
    kid = member.get("kid")
    return IssuerKey(kid if isinstance(kid, str) else None, key) if isinstance(key, PublicKey) else None


def _is_weak(modulus: str) -> bool:
    return len(urlsafe_b64decode(modulus.encode()).lstrip(b"\0")) * 8 < MIN_RSA_BITS


class IssuerKeySets:
    """The keys of all issuers; entries with the same source of keys share them."""

    def __init__(self, issuers: Iterable[TokenIssuer], read: ReadDocument) -> None:
        self._by_source: dict[str, IssuerKeys] = {}
        self._files: list[IssuerKeys] = []
        for issuer in issuers:
            source = self._source(issuer)
            if source not in self._by_source:
                self._by_source[source] = IssuerKeys(issuer, read)
                if issuer.jwks_file is not None:
                    self._files.append(self._by_source[source])

    def keys_of(self, issuer: TokenIssuer) -> IssuerKeys:
        """Returns the keys of an issuer."""
        return self._by_source[self._source(issuer)]

    def may_hold(self, issuer: TokenIssuer, fingerprint: bytes) -> bool:
        """Whether an issuer may have a key."""
        return self.keys_of(issuer).may_hold(fingerprint)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reads the keys while the body runs. A file must be usable at the start; an issuer may be down."""
        for keys in self._files:
            await keys.require()
        tasks = [asyncio.create_task(keys.keep_fresh()) for keys in self._by_source.values()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    @staticmethod
    def _source(issuer: TokenIssuer) -> str:
        return issuer.jwks_url or str(issuer.jwks_file)
