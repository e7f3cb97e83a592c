"""The embedded Postgres server: finds, creates, starts, attaches to, supervises and stops it. Knows nothing of its contents."""

from hub.postgres.server import PostgresServer, ensure

__all__ = ["PostgresServer", "ensure"]
