"""The limits of documents that the settings say, and a store of documents that are checked against them."""

from datetime import timedelta

from hub.engine.document.documents import DocumentStore
from hub.engine.document.limits import Limits
from hub.engine.graphql_types.schema_builder import Schema
from hub.settings import Settings

DOCUMENT_CACHE_BYTES = 64 * 1024 * 1024


def document_limits(settings: Settings) -> Limits:
    """The limits of documents that the settings say."""
    return Limits(
        depth=settings.depth_limit,
        aliases=settings.alias_limit,
        fields=settings.field_limit,
        tokens=settings.token_limit,
        root_fields=settings.root_field_limit,
        directives=settings.directive_limit,
        errors=settings.error_limit,
        cost=settings.cost_limit,
        page=settings.page_limit,
        group=settings.group_minimum,
        # Days of a test clock pass in no time: the log keeps the changes that they made.
        change_retention=None if settings.clock == "test" else timedelta(days=settings.change_retention),
    )


def document_store(schema: Schema, settings: Settings, cache_bytes: int = DOCUMENT_CACHE_BYTES) -> DocumentStore:
    """A store that checks documents without running them."""
    return DocumentStore(schema.core, document_limits(settings), cache_bytes)
