"""Types of settings' values: lists, origins, networks, addresses. hub/settings.py has the settings."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr

HOST_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,253}")


def split_commas(value: object) -> object:
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


def _validate_origin(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if value != "*" and (scheme not in ("http", "https") or not separator or not rest or "/" in rest):
        raise ValueError("an origin is written https://host or https://host:port, without a path")
    return value


def _validate_target(value: str) -> str:
    try:
        ip_network(value, strict=False)
    except ValueError:
        if not HOST_PATTERN.fullmatch(value):
            raise ValueError("give a network like 10.1.0.0/16, or a host without scheme, port and path") from None
    return value


def _validate_network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError("give networks or addresses like 10.1.0.0/16 or ::1") from None


def validate_dsn(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("give postgresql://user:password@host:port/database")
    return value


def expand_home(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("there is no such user; write the path of the directory in full") from None


Origin = Annotated[str, AfterValidator(_validate_origin)]
Network = Annotated[str, AfterValidator(_validate_network)]
AllowedTarget = Annotated[str, AfterValidator(_validate_target)]
