"""The code that a hub runs: the working tree, or a checkout of a commit. Hubs start only through their command line."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.children import REPOSITORY, BenchmarkError, environment
from bench.workloads import HUB

COMMAND_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class HubSource:
    """A source tree of the hub, with the name that its measurements carry."""

    name: str
    root: Path

    def command(self, *arguments: str) -> list[str]:
        """The command line of `hub` from this tree; run it in `root` with `environment`."""
        return [sys.executable, "-m", "hub", *arguments]

    @property
    def log_name(self) -> str:
        """The file that the output of a hub of this tree goes to."""
        return f"{self.name.replace(' ', '-')}.log"

    def environment(self, dsn: str, **settings: str) -> dict[str, str]:
        """The variables for a hub of this tree on a database; settings that are not listed have their defaults."""
        return environment(PYTHONPATH=str(self.root), HUB_DATABASE_URL=dsn, **settings)

    def run(self, dsn: str, *arguments: str) -> str:
        """The standard output of a command; raises BenchmarkError with its errors when it fails."""
        completed = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(dsn),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
        if completed.returncode:
            raise BenchmarkError(f"{self.name}: hub {' '.join(arguments[:2])}: {completed.stderr[-2000:]}")
        return completed.stdout


WORKING_TREE = HubSource(HUB, REPOSITORY)
