"""Clean checkouts of commits, as git worktrees in a temporary folder that are removed afterwards."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.children import REPOSITORY, BenchmarkError
from bench.hub_source import COMMAND_TIMEOUT, HubSource

HASH_DIGITS = 9  # of a commit, in names
PAGES = Path("hub/web/static")  # built on installation and not in git
LOCATE_HUB = "import hub; print(hub.__file__)"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit in a folder of its own."""

    commit: str
    source: HubSource

    @property
    def short_hash(self) -> str:
        """Enough of the hash to tell commits apart in names."""
        return self.commit[:HASH_DIGITS]


def resolve_commit(revision: str) -> str:
    """The full hash of a commit; raises BenchmarkError when the repository has no such revision."""
    try:
        return _git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except BenchmarkError as error:
        raise BenchmarkError(f"{revision!r} is no commit of this repository; use a hash, a branch or a tag") from error


@contextmanager
def checked_out(revision: str, label: str, folder: Path) -> Iterator[Checkout]:
    """A clean checkout for the duration of the block. Its name is the label and the short hash."""
    commit, root = resolve_commit(revision), folder / label
    _git("worktree", "add", "--detach", str(root), commit)
    try:
        if not (root / PAGES).exists() and (REPOSITORY / PAGES).exists():
            shutil.copytree(REPOSITORY / PAGES, root / PAGES)
        source = HubSource(f"{label} {commit[:HASH_DIGITS]}", root)
        _require_own_code(source)
        yield Checkout(commit, source)
    finally:
        _git("worktree", "remove", "--force", str(root))


def _require_own_code(source: HubSource) -> None:
    """Raise BenchmarkError when Python would import the hub from elsewhere, such as an installed one."""
    imported = _output([sys.executable, "-c", LOCATE_HUB], source.root, source.environment(""))
    if not Path(imported).is_relative_to(source.root.resolve()):
        raise BenchmarkError(f"{source.name} would run the code of {imported}, not that of its checkout")


def _git(*arguments: str) -> str:
    return _output(["git", *arguments], REPOSITORY)


def _output(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> str:
    completed = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=False
    )
    if completed.returncode:
        raise BenchmarkError(f"{' '.join(command[:3])}: {completed.stderr.strip()[-2000:]}")
    return completed.stdout.strip()
