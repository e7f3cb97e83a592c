"""The API key or token in the payload of `connection_init`, in each form that common clients send.

Apollo Client, urql and GraphiQL send `{"Authorization": "Bearer …"}` in any case, Hasura's clients put it under `headers`,
and Apollo's documentation puts the bare key under `authToken`."""

from collections.abc import Mapping
from typing import Any

from hub.errors import Unauthenticated

BEARER = "bearer "
HEADER = "authorization"
# Names of a bare key, in small letters without dashes and underscores.
KEY_NAMES = frozenset({"accesstoken", "apikey", "authorizationbearer", "authtoken", "bearertoken", "token", "xapikey"})
EXAMPLE = '{"authorization": "Bearer hub_…"}'


def authorization(payload: Mapping[str, Any]) -> bytes | None:
    """Returns the payload's Authorization header, None if it has none; raises Unauthenticated for several or a wrong type."""
    headers = [value for name, value in payload.items() if name.lower() == "headers" and isinstance(value, dict)]
    values = {
        _header_value(name, value)
        for members in (payload, *headers)
        for name, value in members.items()
        if value not in (None, "") and _names_key(name)
    }
    if len(values) > 1:
        raise Unauthenticated(f"connection_init carries several API keys; send one, as {EXAMPLE}.")
    return values.pop() if values else None


def _names_key(name: str) -> bool:
    return name.lower().replace("-", "").replace("_", "") in KEY_NAMES or name.lower() == HEADER


def _header_value(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise Unauthenticated(f"{name[:32]} of connection_init is not a string; send {EXAMPLE}.")
    is_bare = name.lower() != HEADER or value.startswith(("hub_", "eyJ"))  # a key, or the beginning of a token's header
    if is_bare and not value.lower().startswith(BEARER):
        value = f"Bearer {value}"
    return value.encode()


def missing_key() -> Unauthenticated:
    """Returns the error for a payload without a key, on a socket whose handshake had none either."""
    return Unauthenticated(f"connection_init carries no API key; send {EXAMPLE}.")
