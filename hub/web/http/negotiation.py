"""Content negotiation: what a client accepts, what it sent. Pure functions over header values."""

from functools import lru_cache

JSON = b"application/json"
RESPONSE = b"application/graphql-response+json"
EVENTS = b"text/event-stream"

# Longer values are legal but are not remembered, lest a client fill the memory with them.
_REMEMBERED = 256


def answer_type(accept: bytes | None) -> bytes | None:
    """The media type of the answer; None when the client accepts neither of the two."""
    if not accept:
        return JSON
    return _chosen(accept) if len(accept) <= _REMEMBERED else _chosen.__wrapped__(accept)


def accepts_events(accept: bytes | None) -> bool:
    """Whether the client takes server-sent events; a wildcard does not say so."""
    if not accept or b"event-stream" not in accept.lower():
        return False
    return any(kind == EVENTS and _q(parameters) > 0 for kind, parameters in map(_parsed, accept.lower().split(b",")))


def accepts_gzip(encodings: bytes | None) -> bool:
    """Whether the client takes gzip, by name or by `*`."""
    if not encodings:
        return False
    return _gzip(encodings) if len(encodings) <= _REMEMBERED else _gzip.__wrapped__(encodings)


def is_json(content_type: bytes | None) -> bool:
    """Whether a request's body says to be JSON in UTF-8. (Anything a browser's form can send is not.)"""
    if not content_type:
        return False
    return _json(content_type) if len(content_type) <= _REMEMBERED else _json.__wrapped__(content_type)


@lru_cache(maxsize=256)
def _json(content_type: bytes) -> bool:
    kind, parameters = _parsed(content_type.lower())
    return kind == JSON and _is_utf8(parameters)


@lru_cache(maxsize=256)
def _chosen(accept: bytes) -> bytes | None:
    wanted = [_parsed(part) for part in accept.lower().split(b",")]
    best: tuple[float, bool, bool] = (0.0, False, False)
    chosen = None
    for offer in (RESPONSE, JSON):
        exact, quality = _quality(offer, wanted)
        # Named types win over wildcards. Between equals the newer type wins if named, the older under a wildcard.
        rank = (quality, exact, exact == (offer is RESPONSE))
        if quality > 0 and rank > best:
            best, chosen = rank, offer
    return chosen


def _quality(offer: bytes, wanted: list[tuple[bytes, dict[bytes, bytes]]]) -> tuple[bool, float]:
    """How much the most specific of the ranges that match wants the offer."""
    ranges = (offer, b"application/*", b"*/*")
    found = (len(ranges), 0.0)
    for kind, parameters in wanted:
        if kind in ranges and _is_utf8(parameters):
            found = min(found, (ranges.index(kind), _q(parameters)))
    return found[0] == 0, found[1]


@lru_cache(maxsize=256)
def _gzip(encodings: bytes) -> bool:
    wanted = dict(_parsed(part) for part in encodings.lower().split(b","))
    found = wanted.get(b"gzip", wanted.get(b"*"))
    return found is not None and _q(found) > 0


def _parsed(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    kind, *rest = value.split(b";")
    parameters = (part.partition(b"=") for part in rest)
    return kind.strip(), {name.strip(): text.strip().strip(b'"') for name, _, text in parameters}


def _is_utf8(parameters: dict[bytes, bytes]) -> bool:
    return parameters.get(b"charset", b"utf-8") in (b"utf-8", b"utf8")


def _q(parameters: dict[bytes, bytes]) -> float:
    try:
        return min(max(float(parameters.get(b"q", b"1")), 0.0), 1.0)
    except ValueError:
        return 0.0
