"""Manifests of trusted documents, as the builds of clients write them: which documents a client sends, and by which ids.

Apollo writes a list of operations, Relay and the client preset of graphql-codegen an object from ids to texts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from hub.errors import BadInput

APOLLO_FORMAT = "apollo-persisted-query-manifest"
MAX_ID_LENGTH = 200
MAX_TEXT_LENGTH = 262_144  # characters of one document
MAX_DOCUMENTS = 20_000
ID_DIGITS = {"Relay": 32, "graphql-codegen": 40}  # of the hashes that they write by default: MD5 and SHA-1
CODE = "MANIFEST_INVALID"


@dataclass(frozen=True, slots=True)
class ManifestDocument:
    """One document of a manifest, under the id that clients send."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The documents of one client, and the format that they came in."""

    format: str
    documents: tuple[ManifestDocument, ...]


def parse_manifest(content: bytes, source: str) -> Manifest:
    """The manifest in a file; raises BadInput that names the source, the fault and the remedy."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _invalid(source, f"it is no JSON ({error})") from None
    pairs: list[tuple[object, object]]
    if isinstance(value, dict) and ("format" in value or "operations" in value):
        pairs, format_name = _apollo_operations(value, source), "Apollo"
    elif isinstance(value, dict):
        pairs = list(value.items())
        format_name = next((name for name, digits in ID_DIGITS.items() if _all_hashed(pairs, digits)), "ids and texts")
    else:
        raise _invalid(source, "it is neither Apollo's object with `operations` nor an object from ids to texts")
    if not pairs:
        raise _invalid(source, "it has no document")
    if len(pairs) > MAX_DOCUMENTS:
        raise _invalid(source, f"it has more than {MAX_DOCUMENTS:,} documents")
    return Manifest(format_name, tuple(_document(id_, text, source) for id_, text in pairs))


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file; raises BadInput, also if the file cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _invalid(str(path), f"it cannot be read ({error.strerror})") from None
    return parse_manifest(content, str(path))


def _apollo_operations(value: dict[str, Any], source: str) -> list[tuple[object, object]]:
    """The ids and texts of Apollo's format, version 1."""
    if value.get("format") != APOLLO_FORMAT or value.get("version") != 1:
        raise _invalid(source, f"`format` must be {APOLLO_FORMAT!r} and `version` 1")
    operations = value.get("operations")
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise _invalid(source, "`operations` must be a list of objects")
    return [(operation.get("id"), operation.get("body")) for operation in operations]


def _all_hashed(pairs: list[tuple[object, object]], digits: int) -> bool:
    return bool(pairs) and all(isinstance(id_, str) and len(id_) == digits for id_, _ in pairs)


def _document(id_: object, text: object, source: str) -> ManifestDocument:
    if not isinstance(id_, str) or not 1 <= len(id_) <= MAX_ID_LENGTH or not id_.isprintable():
        raise _invalid(
            source, f"an id must be a text of 1 to {MAX_ID_LENGTH} characters, and {str(id_)[:60]!r} is none"
        )
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT_LENGTH or "\0" in text:
        raise _invalid(source, f"the document {id_[:70]!r} is no text of 1 to {MAX_TEXT_LENGTH:,} characters")
    return ManifestDocument(id_, text)


def _invalid(source: str, fault: str) -> BadInput:
    message = f"{source}: {fault}; give the manifest that Apollo's, Relay's or graphql-codegen's build writes."
    return BadInput(message, code=CODE, argument="manifest")
