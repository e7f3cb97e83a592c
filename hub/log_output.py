"""Where lines of the log go: standard error, without a buffer; and the bridge from Python's own logging."""

import io
import logging
import sys
import traceback
from typing import Any


def format_traceback(error: BaseException | None) -> str | None:
    """The text of an exception and its traceback."""
    return None if error is None else "".join(traceback.format_exception(error))


class StderrWriter:
    """Writes to standard error without Python's buffers, so that lines of several processes do not mix."""

    def __init__(self) -> None:
        self._file = io.FileIO(sys.stderr.fileno(), "w", closefd=False)

    def msg(self, line: bytes) -> None:
        try:
            self._file.write(line + b"\n")
        except OSError:
            # A full disk or a closed pipe must not stop the hub, and there is nowhere to report it.
            return

    info = warning = error = critical = msg


class StdlibLogHandler(logging.Handler):
    """Forwards records of Python's logging to the log."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self.log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.log.log(record.levelno, record.getMessage(), logger=record.name, exception=format_traceback(error))
