"""Maps the Authorization header to a viewer: it carries an API key (`hub_…`) or a token of an issuer (JWT).

A token has dots and a key has none, so neither is ever taken for the other."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from uuid import UUID

from hub.errors import HubError
from hub.web.auth import BEARER_PATTERN, ApiKeyCache, Client, KeyCredential
from hub.web.tokens import TokenCache, TokenCredential


class Authenticator:
    """The keys and tokens of a process."""

    def __init__(self, keys: ApiKeyCache, tokens: TokenCache) -> None:
        self._keys = keys
        self._tokens = tokens

    def credential(self, authorization: bytes | None, client: Client | None = None) -> Awaitable[KeyCredential]:
        """Returns the credential of an Authorization header; raises Unauthenticated or Unavailable if there is none.

        Raises Forbidden for a key that may not be used from where the client is."""
        if authorization is not None and b"." in authorization:
            match = BEARER_PATTERN.fullmatch(authorization)
            if match is not None and not match[1].startswith(b"hub_"):
                return self._tokens.credential(match[1])
        return self._keys.credential(authorization, client)

    async def recheck(self, credentials: Sequence[KeyCredential]) -> list[KeyCredential | HubError]:
        """Looks up keys and tokens again; returns each one's credential, or the error if it is no longer valid."""
        keys = [credential for credential in credentials if not isinstance(credential, TokenCredential)]
        tokens = [credential for credential in credentials if isinstance(credential, TokenCredential)]
        results: dict[bytes, KeyCredential | HubError] = {}
        if keys:
            rechecked = await self._keys.recheck(keys)
            results.update(zip((credential.digest for credential in keys), rechecked, strict=True))
        if tokens:
            rechecked = await self._tokens.recheck(tokens)
            results.update(zip((credential.digest for credential in tokens), rechecked, strict=True))
        return [results[credential.digest] for credential in credentials]

    def forget(self, digest: bytes) -> None:
        """Drops a key from the cache, so that its end takes effect in this process at once."""
        self._keys.forget(digest)

    def drain_usage(self) -> dict[UUID, datetime]:
        """Returns the keys used since the last call with the time of their last use."""
        return self._keys.drain_usage()
