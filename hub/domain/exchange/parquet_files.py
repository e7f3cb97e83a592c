"""Reads Parquet files, with the extra `hub[parquet]`."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from hub.errors import BadInput

HAS_PARQUET = find_spec("pyarrow") is not None
if HAS_PARQUET:
    import pyarrow
    from pyarrow import parquet

BATCH = 500


def _open(file: Path | IO[bytes]) -> Any:
    if not HAS_PARQUET:
        message = "file: it is Parquet, which this hub does not read; install hub[parquet], or send CSV."
        raise BadInput(message, code="FILE_UNREADABLE", argument="file")
    try:
        return parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        message = f"file: it is no whole Parquet file ({str(error)[:200]}); write it again."
        raise BadInput(message, code="FILE_UNREADABLE", argument="file") from None


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The names of a file's columns; raises BadInput."""
    with _open(path) as file:
        return tuple(file.schema_arrow.names)


def parquet_records(file: Path | IO[bytes]) -> Iterator[dict[str, Any]]:
    """The records of a file, by column, as Python has them; raises BadInput."""
    with _open(file) as opened:
        for batch in opened.iter_batches(batch_size=BATCH):
            yield from batch.to_pylist()
