"""Content negotiation over the Accept, Accept-Encoding and Content-Type headers. Pure functions."""

from functools import lru_cache

JSON = b"application/json"
GRAPHQL_RESPONSE = b"application/graphql-response+json"
EVENT_STREAM = b"text/event-stream"
HTML = b"text/html"

# Longer values are legal but are not cached, so that a client cannot fill the memory with them.
_MAX_CACHED_LENGTH = 256


def response_type(accept: bytes | None) -> bytes | None:
    """Returns the media type of the response; None if the client accepts neither of the two."""
    if not accept:
        return JSON
    return _negotiate(accept) if len(accept) <= _MAX_CACHED_LENGTH else _negotiate.__wrapped__(accept)


def accepts_events(accept: bytes | None) -> bool:
    """Whether the client accepts server-sent events by name; a wildcard does not count."""
    return (
        accept is not None and EVENT_STREAM in (lowered := accept.lower()) and _accepts_by_name(lowered, EVENT_STREAM)
    )


def accepts_html(accept: bytes | None) -> bool:
    """Whether the client accepts HTML by name, as a browser does when it opens an address."""
    return accept is not None and HTML in (lowered := accept.lower()) and _accepts_by_name(lowered, HTML)


def _accepts_by_name(accept: bytes, media_type: bytes) -> bool:
    return any(
        item == media_type and _quality_value(parameters) > 0
        for item, parameters in map(_parse_item, accept.split(b","))
    )


def accepts_gzip(encodings: bytes | None) -> bool:
    """Whether the client accepts gzip, by name or by `*`."""
    if not encodings:
        return False
    return _gzip(encodings) if len(encodings) <= _MAX_CACHED_LENGTH else _gzip.__wrapped__(encodings)


def is_json(content_type: bytes | None) -> bool:
    """Whether the content type is JSON in UTF-8. A browser's form cannot send that type."""
    if not content_type:
        return False
    return _json(content_type) if len(content_type) <= _MAX_CACHED_LENGTH else _json.__wrapped__(content_type)


@lru_cache(maxsize=256)
def _json(content_type: bytes) -> bool:
    media_type, parameters = _parse_item(content_type.lower())
    return media_type == JSON and _is_utf8(parameters)


@lru_cache(maxsize=256)
def _negotiate(accept: bytes) -> bytes | None:
    accepted_ranges = [_parse_item(part) for part in accept.lower().split(b",")]
    best: tuple[float, bool, bool] = (0.0, False, False)
    chosen = None
    for offer in (GRAPHQL_RESPONSE, JSON):
        exact, quality = _quality(offer, accepted_ranges)
        # Named types win over wildcards. Between equals the newer type wins if named, the older under a wildcard.
        rank = (quality, exact, exact == (offer is GRAPHQL_RESPONSE))
        if quality > 0 and rank > best:
            best, chosen = rank, offer
    return chosen


def _quality(offer: bytes, accepted_ranges: list[tuple[bytes, dict[bytes, bytes]]]) -> tuple[bool, float]:
    """Returns whether the offer is named exactly, and the quality of the most specific matching range."""
    matching_types = (offer, b"application/*", b"*/*")
    best_match = (len(matching_types), 0.0)
    for media_type, parameters in accepted_ranges:
        if media_type in matching_types and _is_utf8(parameters):
            best_match = min(best_match, (matching_types.index(media_type), _quality_value(parameters)))
    return best_match[0] == 0, best_match[1]


@lru_cache(maxsize=256)
def _gzip(encodings: bytes) -> bool:
    codings = dict(_parse_item(part) for part in encodings.lower().split(b","))
    parameters = codings.get(b"gzip", codings.get(b"*"))
    return parameters is not None and _quality_value(parameters) > 0


def _parse_item(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    token, *rest = value.split(b";")
    parameters = (part.partition(b"=") for part in rest)
    return token.strip(), {name.strip(): text.strip().strip(b'"') for name, _, text in parameters}


def _is_utf8(parameters: dict[bytes, bytes]) -> bool:
    return parameters.get(b"charset", b"utf-8") in (b"utf-8", b"utf8")


def _quality_value(parameters: dict[bytes, bytes]) -> float:
    try:
        return min(max(float(parameters.get(b"q", b"1")), 0.0), 1.0)
    except ValueError:
        return 0.0
