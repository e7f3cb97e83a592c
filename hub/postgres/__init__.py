"""The embedded Postgres: found, made, started, attached to, watched, stopped. It does not know what is stored there."""

from hub.postgres.server import Server, ensure

__all__ = ["Server", "ensure"]
