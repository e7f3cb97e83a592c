"""Reads the documents with the keys of token issuers, with the client and the rules of outgoing requests.

Their addresses come from the settings, so they may be private. A redirect is not followed: it could lead anywhere."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from hub.token_issuers import TokenIssuer
from hub.webhooks.egress import EgressPolicy
from hub.webhooks.http_client import MAX_RESPONSE_BYTES, HttpClient

HEADERS = {"accept": "application/jwk-set+json, application/json", "user-agent": "hub"}


class IssuerDocumentError(Exception):
    """There is no document; the message says why."""


class IssuerDocuments:
    """The documents of the issuers in the settings; nothing else can be read."""

    def __init__(self, issuers: Iterable[TokenIssuer]) -> None:
        hosts = [urlsplit(issuer.jwks_url).hostname or "" for issuer in issuers if issuer.jwks_url is not None]
        self._client = HttpClient(EgressPolicy(hosts))

    async def read(self, url: str) -> bytes:
        """Returns the document at an address; raises IssuerDocumentError."""
        response = await self._client.get(url, HEADERS)
        if response.error is not None:
            raise IssuerDocumentError(response.error)
        if response.status != 200:
            raise IssuerDocumentError(
                f"the answer has the status {response.status}; correct `jwks_url`, redirects are not followed"
            )
        if len(response.body) >= MAX_RESPONSE_BYTES:
            raise IssuerDocumentError(f"the document is larger than {MAX_RESPONSE_BYTES} bytes")
        return response.body

    def close(self) -> None:
        """Closes idle connections."""
        self._client.close()
