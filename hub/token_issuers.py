"""The file of HUB_TOKEN_ISSUERS: whose tokens (JWT) open the API, and for whom. TOML, or JSON if its name ends in .json.

docs/oidc.md shows files for common providers."""

import json
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

MAX_FILE_BYTES = 1_048_576
# Signatures that anybody can check with a public key alone. Those that share a secret (HS256) do not exist here.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
SCOPED_KINDS = ("EXTERNAL_ID", "DEVICE_ID", "ANONYMOUS_ID")
CustomerReference = Literal["id", "EXTERNAL_ID", "EMAIL", "PHONE", "TAX_ID", "LOYALTY_ID", "DEVICE_ID", "ANONYMOUS_ID"]


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1, max_length=200)]
# A claim by its name, or by its path in nested objects: "email", ["realm_access", "roles"].
ClaimPath = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=8)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=50)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StaffMapping(_Section):
    """Which claim names the member of staff, and by which of its columns."""

    claim: ClaimPath
    by: Literal["email", "id", "number"] = "email"
    bound: bool = True  # to the unit where the person works; otherwise the roles alone say what is visible


class CustomerMapping(_Section):
    """Which claim names the customer: its id, or the value of its identifier of a type."""

    claim: ClaimPath
    by: CustomerReference
    source: Text | None = None
    role: Text = "reader"

    @model_validator(mode="after")
    def _has_source(self) -> Self:
        if self.by in SCOPED_KINDS and self.source is None:
            raise ValueError(f"{self.by} means something within one system alone; add its `source`")
        return self


class UnitMapping(_Section):
    """Which claim names the unit that a system is bound to: its id or its code."""

    claim: ClaimPath


class RolesMapping(_Section):
    """Which claim lists roles, what its values mean here, and the roles of whoever has none of them."""

    claim: ClaimPath | None = None
    values: dict[Text, Texts] = Field(default_factory=dict)
    default: Annotated[tuple[Text, ...], BeforeValidator(_as_tuple)] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.claim is None) != (not self.values):
            raise ValueError("`claim` and `values` belong together: values that are not listed have no meaning here")
        return self


class TokenIssuer(_Section):
    """An issuer's tokens for one audience: how they are verified, and who comes with them."""

    issuer: Text
    audience: Texts
    jwks_url: str | None = None
    jwks_file: Path | None = None
    algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = (
        "RS256",
        "ES256",
        "EdDSA",
    )
    leeway: float = Field(30, ge=0, le=120)  # seconds by which the issuer's clock may be ahead
    jwks_ttl: float = Field(300, ge=10, le=86_400)  # seconds between two readings of the keys
    trust_email: bool = False  # otherwise an address counts only if `email_verified` is true
    staff: StaffMapping | None = None
    customer: CustomerMapping | None = None
    unit: UnitMapping | None = None
    roles: RolesMapping = RolesMapping()

    def __hash__(self) -> int:
        return hash((self.issuer, self.audience))  # unique among the issuers of a hub

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("give the issuer's keys by `jwks_url` or by `jwks_file`, one of them")
        if self.jwks_url is not None:
            _check_url(self.jwks_url)
        if self.staff is not None and self.customer is not None:
            message = (
                "tokens are for members of `staff` or for a `customer`; describe the issuer once for each audience"
            )
            raise ValueError(message)
        if self.unit is not None and (self.staff is not None or self.customer is not None):
            raise ValueError("`unit` binds systems alone: leave it out, or leave out `staff` and `customer`")
        if self.customer is not None and self.roles != RolesMapping():
            raise ValueError("a customer has one role; give it as `customer.role` and leave out `roles`")
        if self.customer is None and self.staff is None and self.roles == RolesMapping():
            raise ValueError("the tokens would mean nobody; add `staff`, `customer` or `roles`")
        return self


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"jwks_url: {url!r} is no URL; give https://host/path") from None
    if "@" in parts.netloc:
        raise ValueError("jwks_url: it has a user or password; give https://host/path, keys of issuers are public")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f"jwks_url: {url!r} cannot be read; give https://host/path")
    if not (url.isascii() and url.isprintable()) or " " in url or parts.fragment:
        raise ValueError(f"jwks_url: {url!r} has characters that no address has; encode them, without a fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"jwks_url: {url!r} is not encrypted, so anybody on the way could add a key; use https")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_issuers(value: object) -> object:
    """Reads the issuers from a file; anything but a path is returned as it is. Raises ValueError with fault and remedy."""
    if not isinstance(value, str | Path):
        return value
    path = Path(value).expanduser()
    entries = _read(path).get("issuers")
    if not isinstance(entries, list) or not entries:
        raise ValueError("the file has no issuer; begin one with [[issuers]]")
    return tuple(_parse(entry, f"issuers[{index}]", path.parent) for index, entry in enumerate(entries))


def check_unambiguous(issuers: tuple[TokenIssuer, ...]) -> tuple[TokenIssuer, ...]:
    """Raises ValueError if two entries are for the same issuer and audience."""
    pairs = [(issuer.issuer, audience) for issuer in issuers for audience in dict.fromkeys(issuer.audience)]
    for pair in pairs:
        if pairs.count(pair) > 1:
            raise ValueError(f"issuer {pair[0]!r} has the audience {pair[1]!r} twice; join the entries, or change one")
    return issuers


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = path.read_bytes()
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"the file is larger than {MAX_FILE_BYTES} bytes; name the file of the issuers")
        parsed = json.loads(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror}); correct its path or its rights") from None
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the file is not {'JSON' if path.suffix == '.json' else 'TOML'}: {error}") from None
    return parsed if isinstance(parsed, dict) else {}


def _parse(entry: object, location: str, folder: Path) -> TokenIssuer:
    try:
        issuer = TokenIssuer.model_validate(entry)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_context=False)[0]
        names = ".".join((location, *map(str, detail["loc"])))
        raise ValueError(f"{names}: {detail['msg'].removeprefix('Value error, ')}") from None
    if issuer.jwks_file is None:
        return issuer
    return issuer.model_copy(update={"jwks_file": folder / issuer.jwks_file.expanduser()})
