"""Compilation: a plan becomes one SQL statement, built with SQLAlchemy Core."""
