"""Runs `hub export --changes` and kills itself, without a goodbye, at the n-th file: before it has its name, or after.

Arguments: the number of the file (0: it lives), `before` or `after`, then those of the command."""

import os
import signal
import sys
from pathlib import Path

from hub import cli
from hub.jobs import change_files

FILE_ROWS = 100
PAGE_ROWS = 30

_rename = Path.replace
_renamed = 0


def _dying_rename(self: Path, target: Path) -> Path:
    global _renamed
    _renamed += 1
    if _renamed == fatal_file and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    renamed = _rename(self, target)
    if _renamed == fatal_file:
        os.kill(os.getpid(), signal.SIGKILL)
    return renamed


if __name__ == "__main__":
    fatal_file, moment = int(sys.argv[1]), sys.argv[2]
    sys.argv = ["hub", "export", "--changes", *sys.argv[3:]]
    change_files.FILE_ROWS, change_files.PAGE = FILE_ROWS, PAGE_ROWS
    Path.replace = _dying_rename  # type: ignore[method-assign,assignment]
    cli.main()
