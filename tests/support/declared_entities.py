"""The fixture of tests that declare entities of their own."""

from collections.abc import Iterator

import pytest

from hub import graph
from hub.model import registry
from hub.model.columns import metadata


@pytest.fixture
def declared_entities(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes back the entities that a test declares, so that no other test of the process sees them."""
    graph.build()
    monkeypatch.setattr(registry, "_entities", dict(registry._entities))
    tables = set(metadata.tables.values())
    yield
    for table in set(metadata.tables.values()) - tables:
        metadata.remove(table)
