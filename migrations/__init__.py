"""Alembic's scripts; every table, function and extension of the hub is made here and nowhere else."""
