"""Exports: the formats of files that a job writes the rows of a query to."""

from hub.model import DescribedEnum


class ExportFormat(DescribedEnum):
    JSONL = "JSONL", "JSON Lines: each line is a row, as the query's response has it."
    CSV = "CSV", "Comma-separated values; fields of linked rows are columns such as `owner.name`, lists are JSON."
    PARQUET = "PARQUET", "Parquet, with the columns of CSV and their types. It needs the extra `hub[parquet]`."


class ExportCompression(DescribedEnum):
    NONE = "NONE", "None."
    GZIP = "GZIP", "gzip."
    ZSTD = "ZSTD", "Zstandard."
