"""Compiles a plan to one SQL statement with SQLAlchemy Core."""
