"""Apollo's automatic persisted queries: documents that a client registers by their SHA-256 and sends by it afterwards.

Each API key has its own documents: no key reads, replaces or evicts another's. They are per process and may be lost at
any time; the protocol makes a client register a lost document again."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from uuid import UUID

from hub.domain.access.trusted_documents import TrustedDocuments, untrusted
from hub.errors import BadInput
from hub.web.auth import Credential

KEY_BYTES = 1024 * 1024  # of one key's documents
TOTAL_BYTES = 64 * 1024 * 1024  # of all keys' documents in this process
ENTRY_BYTES = 300  # added to each document's size: its hash and its place in the dictionaries
IDLE_SECONDS = 600.0  # after which a key's documents may give way to another's
ARGUMENT = "extensions.persistedQuery"

# The parameters in which clients send the id of a trusted document: as the specification of persisted documents and
# graphql-codegen have it, as urql and Relay's users do, and as Relay's documentation does.
ID_PARAMETERS = ("documentId", "id", "doc_id")


class KeyDocuments:
    """The documents of one key by their hash, least recently used first."""

    __slots__ = ("by_hash", "size", "used_at")

    def __init__(self) -> None:
        self.by_hash: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self.size = 0
        self.used_at = 0.0

    def pop_oldest(self) -> int:
        """Drops the least recently used document; returns its size."""
        _, (_, size) = self.by_hash.popitem(last=False)
        self.size -= size
        return size


class PersistedQueries:
    """The registered documents of this process."""

    def __init__(
        self, limit: int, *, total_bytes: int = TOTAL_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit  # documents per key; 0 turns registration off
        self._total_bytes = total_bytes
        self._clock = clock
        self._size = 0
        self._by_key: OrderedDict[UUID, KeyDocuments] = OrderedDict()  # least recently used first

    def document(self, key_id: UUID, query: str | None, extension: object) -> str:
        """Returns the document of a request with the extension `persistedQuery`; registers it if the request has it.

        Raises BadInput as Apollo's protocol defines: the client sends the document, or stops sending hashes."""
        if not self._limit:
            raise BadInput("PersistedQueryNotSupported", code="PERSISTED_QUERY_NOT_SUPPORTED")
        digest = _digest(extension)
        documents = self._by_key.get(key_id)
        entry = documents.by_hash.get(digest) if documents is not None else None
        if documents is None or entry is None:
            if not query:
                raise BadInput("PersistedQueryNotFound", code="PERSISTED_QUERY_NOT_FOUND")
            self._register(key_id, digest, query)
            return query
        if query and query != entry[0]:
            raise _hash_mismatch()
        documents.used_at = self._clock()
        documents.by_hash.move_to_end(digest)
        self._by_key.move_to_end(key_id)
        return entry[0]

    def _register(self, key_id: UUID, digest: str, query: str) -> None:
        encoded = query.encode()
        if sha256(encoded).hexdigest() != digest:
            raise _hash_mismatch()
        size = len(encoded) + ENTRY_BYTES
        if size > KEY_BYTES:
            return
        documents = self._by_key.setdefault(key_id, KeyDocuments())
        documents.used_at = self._clock()
        self._by_key.move_to_end(key_id)
        while len(documents.by_hash) >= self._limit or documents.size + size > KEY_BYTES:
            self._size -= documents.pop_oldest()
        self._make_room(documents, size)
        if self._size + size <= self._total_bytes:
            documents.by_hash[digest] = query, size
            documents.size += size
            self._size += size
        elif not documents.by_hash:
            del self._by_key[key_id]

    def _make_room(self, documents: KeyDocuments, size: int) -> None:
        """Drops the documents of idle keys, then the key's own. A key in use loses none to another."""
        while self._size + size > self._total_bytes:
            key_id, oldest = next(iter(self._by_key.items()))
            if oldest.used_at <= documents.used_at - IDLE_SECONDS:
                del self._by_key[key_id]
                self._size -= oldest.size
            elif documents.by_hash:
                self._size -= documents.pop_oldest()
            else:
                return


class DocumentFinder:
    """Finds the documents of keys' requests: by the hash of a registered one, or by a trusted id."""

    def __init__(self, persisted: PersistedQueries, trusted: TrustedDocuments) -> None:
        self._persisted_queries = persisted
        self._trusted_documents = trusted

    def by_extension(self, credential: Credential, query: str | None, extension: object) -> str:
        """Returns the document of a request with the extension `persistedQuery`; registers it if the key may.

        A trusted document goes before a registered one. Raises HubError, as Apollo's protocol defines where it does."""
        digest = extension.get("sha256Hash") if isinstance(extension, dict) else None
        text = self._trusted_documents.text(digest) if isinstance(digest, str) else None
        if text is not None:
            if query and query != text:
                raise _hash_mismatch()
            return text
        if not credential.viewer.limits.trusted_only:
            return self._persisted_queries.document(credential.key_id, query, extension)
        return self.require_trusted(query or "")

    def by_id(self, credential: Credential, parameters: Mapping[str, object]) -> str | None:
        """Returns the trusted document whose id a request has in place of a document; None for one without an id."""
        for name in ID_PARAMETERS:
            document_id = parameters.get(name)
            if document_id is None:
                continue
            text = self._trusted_documents.text(document_id) if isinstance(document_id, str) else None
            if text is not None:
                return text
            if credential.viewer.limits.trusted_only:
                raise untrusted()
            message = f"{name}: no manifest that was loaded has a document with this id; send the document, or load it."
            raise BadInput(message, code="DOCUMENT_UNKNOWN", argument=name)
        return None

    def require_trusted(self, query: str) -> str:
        """Returns the document if a manifest has it; raises Forbidden."""
        if query not in self._trusted_documents:
            raise untrusted()
        return query


def _digest(extension: object) -> str:
    """Returns the hash in the extension, in lower case."""
    if not isinstance(extension, dict):
        raise _invalid("give an object with `version` and `sha256Hash`.", ARGUMENT)
    if extension.get("version") != 1 or extension["version"] is True:
        raise _invalid("Unsupported persisted query version; send 1.", f"{ARGUMENT}.version")
    digest = extension.get("sha256Hash")
    if not isinstance(digest, str) or len(digest) != 64:
        raise _invalid("send the SHA-256 of the document as 64 hexadecimal digits.", f"{ARGUMENT}.sha256Hash")
    return digest.lower()


def _hash_mismatch() -> BadInput:
    # Apollo Server's words, then the remedy.
    message = "provided sha does not match query; hash the document's UTF-8 exactly as it is sent."
    return _invalid(message, f"{ARGUMENT}.sha256Hash")


def _invalid(message: str, argument: str) -> BadInput:
    return BadInput(f"{argument}: {message}", code="PERSISTED_QUERY_INVALID", argument=argument)
