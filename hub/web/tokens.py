"""Verifies tokens (JWT) of the issuers in the settings, and remembers the verified ones by digest until they expire.

Nothing here stores or logs a token. domain/access/token_viewers.py says whom one stands for."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NoReturn

import orjson
from joserfc import jws
from joserfc.errors import (
    BadSignatureError,
    ExceededSizeError,
    InvalidKeyCurveError,
    JoseError,
    KeyParameterError,
    UnsupportedAlgorithmError,
)
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from hub.domain.access.token_viewers import MAX_SUBJECT_LENGTH, TokenSubject, read_subject
from hub.errors import HubError, Unauthenticated, Unavailable
from hub.observability import InternalFailure, emit
from hub.token_issuers import TokenIssuer
from hub.viewer import Viewer
from hub.web.auth import LOOKUP_TIMEOUT, KeyCredential
from hub.web.token_keys import IssuerKeys, IssuerKeySets

MAX_TOKEN_BYTES = 16_384
MAX_TIME = 253_402_300_799.0  # the end of the year 9999
HELP = "get a new one from its issuer"

FindViewers = Callable[[Sequence[TokenSubject]], Awaitable[Sequence[Viewer | Unauthenticated]]]


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token whose signature and claims were valid: whom it is for, until when, and the key that signed it."""

    subject: TokenSubject
    expires: float  # seconds since the Unix epoch
    keys: IssuerKeys
    fingerprint: bytes  # of the key

    def require_valid(self, now: float) -> None:
        """Raises Unauthenticated if the token has expired, or if its issuer has withdrawn the key."""
        if self.expires <= now:
            raise token_expired()
        if not self.keys.holds(self.fingerprint):
            _reject("TOKEN_KEY_UNKNOWN", f"The issuer has withdrawn the token's key; {HELP}")


def token_expired() -> Unauthenticated:
    """Returns the error for an expired token."""
    return Unauthenticated(f"The token has expired; {HELP}.", code="TOKEN_EXPIRED")


def _reject(code: str, message: str) -> NoReturn:
    raise Unauthenticated(f"{message}.", code=code) from None


class _Algorithms(JWSRegistry):
    """The algorithms that one issuer may use, and headers of any length that a token may have."""

    max_header_length = MAX_TOKEN_BYTES

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(algorithms=names, strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        # Without the library's advice about old names: the settings have decided.
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


class TokenVerifier:
    """Verifies tokens. It asks no database, and no issuer but for keys that are unknown."""

    def __init__(self, issuers: Sequence[TokenIssuer], key_sets: IssuerKeySets) -> None:
        self._key_sets = key_sets
        self._by_name: dict[str, list[TokenIssuer]] = {}
        for issuer in issuers:
            self._by_name.setdefault(issuer.issuer, []).append(issuer)
        self._algorithms = {issuer: _Algorithms(issuer.algorithms) for issuer in issuers}

    async def verify(self, token: bytes, now: float) -> VerifiedToken:
        """Returns what a token says; raises Unauthenticated with the code of its first fault, or Unavailable."""
        header, claims = _peek(token)
        issuer = self._issuer(claims)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in issuer.algorithms:
            allowed = ", ".join(issuer.algorithms)
            _reject("TOKEN_ALGORITHM_FORBIDDEN", f"The token's algorithm is not allowed; its issuer must use {allowed}")
        if "crit" in header or "b64" in header:
            message = "The token's header has extensions (`crit`) that the hub does not understand; leave them out"
            _reject("TOKEN_HEADER_UNSUPPORTED", message)
        if kid is not None and not isinstance(kid, str):
            _reject("TOKEN_MALFORMED", "The token's `kid` is not a text; send a token of the issuer as it is")
        keys = self._key_sets.keys_of(issuer)
        fingerprint, key = await keys.find(kid)
        try:
            key.check_alg(str(algorithm))
            jws.deserialize_compact(token, key, registry=self._algorithms[issuer])
        except BadSignatureError:
            _reject("TOKEN_SIGNATURE_INVALID", f"The token's signature is not that of its issuer's key; {HELP}")
        except (UnsupportedAlgorithmError, KeyParameterError, InvalidKeyCurveError):
            message = "The token's algorithm is not that of its key; the issuer must use the key as it publishes it"
            _reject("TOKEN_ALGORITHM_FORBIDDEN", message)
        except ExceededSizeError:
            _reject("TOKEN_TOO_LARGE", "A part of the token is too large; have the issuer add fewer claims")
        except (JoseError, ValueError, TypeError, RecursionError):
            _reject("TOKEN_MALFORMED", "The token is not a signed JWT; send a token of the issuer as it is")
        expires = _check_times(claims, issuer.leeway, now)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT_LENGTH or "\0" in subject:
            message = f"The token's `sub` is not a text of 1 to {MAX_SUBJECT_LENGTH} characters; have the issuer add it"
            _reject("TOKEN_MALFORMED", message)
        return VerifiedToken(read_subject(issuer, claims), expires, keys, fingerprint)

    def _issuer(self, claims: Mapping[str, Any]) -> TokenIssuer:
        """The entry of the settings for the token's issuer and audience."""
        name, audience = claims.get("iss"), claims.get("aud")
        entries = self._by_name.get(name, []) if isinstance(name, str) else []
        if not entries:
            _reject(
                "TOKEN_ISSUER_UNKNOWN", "The hub does not know the token's issuer (`iss`); add it to HUB_TOKEN_ISSUERS"
            )
        audiences = audience if isinstance(audience, list) else [audience]
        matches = [entry for entry in entries if any(text in entry.audience for text in audiences)]
        if len(matches) != 1:
            message = "The token is for another audience (`aud`), or for several of this hub; ask its issuer for one for the hub"
            _reject("TOKEN_AUDIENCE_WRONG", message)
        return matches[0]


def _peek(token: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Returns header and claims, before anything about them is known to be true."""
    if len(token) > MAX_TOKEN_BYTES:
        message = f"The token is larger than {MAX_TOKEN_BYTES} bytes; have the issuer add fewer claims"
        _reject("TOKEN_TOO_LARGE", message)
    parts = token.split(b".")
    if len(parts) == 5:
        _reject("TOKEN_ENCRYPTED", "The token is encrypted; have its issuer send signed tokens (JWS)")
    try:
        header, claims = (orjson.loads(urlsafe_b64decode(part)) for part in parts[:2])
    except ValueError:
        header = claims = None
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        _reject("TOKEN_MALFORMED", "The token is not a signed JWT; send a token of the issuer as it is")
    return header, claims


def _check_times(claims: Mapping[str, Any], leeway: float, now: float) -> float:
    """Checks the times and returns when the token expires.

    The leeway is for an issuer whose clock is ahead. It does not lengthen a token's life, so that sockets end with it."""
    if claims.get("exp") is None:
        _reject("TOKEN_EXPIRY_MISSING", "The token never expires; have its issuer add `exp`")
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if claims.get(name) is not None}
    if not all(type(value) in (int, float) and 0 <= value <= MAX_TIME for value in times.values()):
        _reject("TOKEN_MALFORMED", "`exp`, `nbf` or `iat` is no time in seconds; send a token of the issuer as it is")
    if times["exp"] <= now:
        raise token_expired()
    if max(times.get("nbf", 0), times.get("iat", 0)) > now + leeway:
        _reject("TOKEN_NOT_YET_VALID", "The token is not valid yet (`nbf`, `iat`); wait, or set the clocks")
    return float(times["exp"])


@dataclass(frozen=True, slots=True)
class TokenCredential(KeyCredential):
    """A valid token and its viewer."""

    token: VerifiedToken = field(kw_only=True)

    def expiry_error(self) -> Unauthenticated:
        """The error for the token once it has expired."""
        return token_expired()


@dataclass(slots=True)
class TokenEntry:
    """A verified token, and for a while whom it stands for."""

    token: VerifiedToken
    outcome: TokenCredential | Unauthenticated | None = None
    cached_until: float = 0.0  # monotonic time


class TokenCache:
    """Verified tokens by digest until they expire, and for `ttl` seconds the viewers that they stand for."""

    def __init__(self, verifier: TokenVerifier, find: FindViewers, *, ttl: float, size: int) -> None:
        self._verifier = verifier
        self._find = find
        self._ttl = ttl
        self._size = size
        self._entries: OrderedDict[bytes, TokenEntry] = OrderedDict()
        self._pending: dict[bytes, asyncio.Task[None]] = {}

    async def credential(self, token: bytes) -> TokenCredential:
        """Returns the credential of a token; raises Unauthenticated or Unavailable if there is none."""
        digest = sha256(token).digest()
        entry = self._entries.get(digest)
        if entry is None:
            entry = TokenEntry(await self._verifier.verify(token, time.time()))
            self._entries[digest] = entry
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
        else:
            self._entries.move_to_end(digest)
            entry.token.require_valid(time.time())
        if entry.outcome is None or entry.cached_until < time.monotonic():
            await self._fetch(digest, entry)
        assert entry.outcome is not None
        if isinstance(entry.outcome, Unauthenticated):
            raise _copy(entry.outcome)
        return entry.outcome

    async def recheck(self, credentials: Sequence[TokenCredential]) -> list[KeyCredential | HubError]:
        """Looks up again whom tokens stand for; returns each one's credential, or the error if it is no longer valid."""
        entries = [TokenEntry(credential.token) for credential in credentials]
        await self._look_up(
            [(credential.digest, entry) for credential, entry in zip(credentials, entries, strict=True)]
        )
        results: list[KeyCredential | HubError] = []
        for entry in entries:
            assert entry.outcome is not None
            try:
                entry.token.require_valid(time.time())
                results.append(entry.outcome)
            except Unauthenticated as error:
                results.append(error)
        return results

    async def _fetch(self, digest: bytes, entry: TokenEntry) -> None:
        task = self._pending.get(digest)
        if task is None:
            task = self._pending[digest] = asyncio.create_task(self._look_up([(digest, entry)]))
            task.add_done_callback(lambda _: self._pending.pop(digest))
        # Shielded, because the first request may be cancelled while others wait.
        await asyncio.shield(task)
        if entry.outcome is None:  # another request has verified the same token meanwhile
            await self._look_up([(digest, entry)])

    async def _look_up(self, tokens: Sequence[tuple[bytes, TokenEntry]]) -> None:
        """Looks up whom tokens stand for; each entry then has its outcome."""
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                viewers = await self._find([entry.token.subject for _, entry in tokens])
        except Exception as error:
            emit(InternalFailure("", "looking up whom a token stands for", error))
            message = (
                "The hub cannot look up whom the token stands for because its database does not respond; try again."
            )
            raise Unavailable(message) from None
        for (digest, entry), viewer in zip(tokens, viewers, strict=True):
            entry.cached_until = time.monotonic() + self._ttl
            entry.outcome = viewer if isinstance(viewer, Unauthenticated) else _credential(digest, entry, viewer)


def _credential(digest: bytes, entry: TokenEntry, viewer: Viewer) -> TokenCredential:
    identity = entry.token.subject.identity
    name = f"token:{identity.hex[:16]}"  # for logs: it says nothing about the person
    viewer = replace(viewer, expires_at=datetime.fromtimestamp(entry.token.expires, UTC))
    return TokenCredential(name, digest, identity, viewer, entry.token.expires, entry.cached_until, token=entry.token)


def _copy(error: Unauthenticated) -> Unauthenticated:
    """Returns a copy: an exception that is raised twice would collect tracebacks."""
    return Unauthenticated(error.message, code=error.code)
