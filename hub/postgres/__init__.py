"""The embedded Postgres: found, made, started, attached to, watched, stopped. It does not know what is stored there."""

from hub.postgres.server import PostgresServer, ensure

__all__ = ["PostgresServer", "ensure"]
