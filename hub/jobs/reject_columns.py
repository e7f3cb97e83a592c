"""The columns that a file of refused lines has before those of its source: why a line was refused, and the text of one that
could not be read into columns. An import of such a file leaves them out, so that repaired lines go in by the same mapping."""

from collections.abc import Iterable, Sequence
from typing import Any

from hub.jobs.file_formats import without_formula

GROUP = "$reject"  # the object that has them in JSON Lines
LINE, CODE, MESSAGE, TEXT = REJECT_COLUMNS = tuple(f"{GROUP}.{name}" for name in ("line", "code", "message", "text"))
UNREPAIRED = f"it was refused as a text without columns; put its values into their columns, and empty {TEXT!r}"


def has_reject_columns(names: Iterable[str]) -> bool:
    """Whether columns of these names are those of refused lines."""
    return any(name.startswith(f"{GROUP}.") for name in names)


def source_columns(names: Sequence[str]) -> tuple[str, ...]:
    """The names without those that refused lines have beside their own."""
    return tuple(name for name in names if not name.startswith(f"{GROUP}."))


def source_record(record: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The values of a refused line that it had in its source, and its text, if it had no columns and still has none."""
    text = record.get(TEXT)
    values = {name: value for name, value in record.items() if not name.startswith(f"{GROUP}.")}
    return values, str(text) if text else None


def guarded(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula. `unguarded` gives it back as it was."""
    return f"'{cell}" if _is_formula(cell.lstrip("'")) else cell


def unguarded(cell: str) -> str:
    """A cell without the apostrophe of `guarded`."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell.lstrip("'")) else cell


def _is_formula(text: str) -> bool:
    return without_formula(text) != text
