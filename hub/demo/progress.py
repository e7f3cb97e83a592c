"""Shows the progress of a load: bars on a terminal, otherwise lines for long stages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

QUARTERS = 4


@contextmanager
def progress_reporter(stream: TextIO) -> Iterator[Callable[[str, int, int], None]]:
    """Yields a function to call with a stage, its steps done and its total steps; the bars disappear at the end."""
    if not stream.isatty():
        yield _line_reporter(stream)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield report


def _line_reporter(stream: TextIO) -> Callable[[str, int, int], None]:
    """Prints one line per quarter of a stage."""
    reported: dict[str, int] = {}

    def report(stage: str, done: int, total: int) -> None:
        quarter = done * QUARTERS // total
        if quarter > reported.get(stage, 0):
            reported[stage] = quarter
            print(f"{stage}: {done:,} of {total:,}", file=stream, flush=True)

    return report
