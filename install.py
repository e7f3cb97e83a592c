"""Installs the hub into .venv, step by step, and says what each step installs and how long it takes.

`install.py` installs what the demo needs, `install.py --dev` adds the tools of development. The Makefile calls it. It needs
nothing but Python's standard library. A package is installed only if its hash is in the lock file.
"""

import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
PIP = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off")
LOCKS = {False: ROOT / "requirements.lock", True: ROOT / "requirements-dev.lock"}
# pip's lines: the package that it looks at, and the file that it fetches, with its size if it is not cached.
COLLECTING = re.compile(r"Collecting ([\w.-]+)==([\w.]+)")
FETCHING = re.compile(r"\s+(Downloading|Using cached) \S+ \(([\d.]+ \w+)\)")
LOCAL_FILE = re.compile(r"Processing \S*?([\w.]+)-([\w.]+)-\S+\.whl")


@contextmanager
def step(title: str) -> Iterator[None]:
    """Prints what a step does, and then how long it took."""
    print(f"── {title}", flush=True)
    started_at = time.monotonic()
    yield
    print(f"   {time.monotonic() - started_at:.0f} s", flush=True)


def run_pip(*arguments: str) -> None:
    """Runs pip and prints one line per package; all of its output, if it fails."""
    output: list[str] = []
    package = ""
    process = subprocess.Popen(
        (*PIP, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=ROOT
    )
    assert process.stdout is not None
    for line in process.stdout:
        output.append(line)
        if collecting := COLLECTING.match(line):
            package = f"{collecting[1]} {collecting[2]}"
        elif (fetching := FETCHING.match(line)) and package:
            source = fetching[2] if fetching[1] == "Downloading" else "cached"
            print(f"   {package} ({source})", flush=True)
            package = ""
        elif local_file := LOCAL_FILE.match(line):
            print(f"   {local_file[1].replace('_', '-')} {local_file[2]} (local file)", flush=True)
        elif line.startswith("Installing collected packages"):
            print(f"   unpacking {line.count(',') + 1} of them …", flush=True)
    if process.wait():
        sys.stderr.write("".join(output))
        raise SystemExit("\nThe installation failed, see above. Check the network and the proxy, and run make again.")


def create_venv() -> None:
    """Creates .venv, or nothing if that fails."""
    try:
        venv.create(VENV, with_pip=True)
    except BaseException as error:
        shutil.rmtree(VENV, ignore_errors=True)
        if isinstance(error, subprocess.CalledProcessError):
            raise SystemExit("Python cannot create .venv: on Debian and Ubuntu, install python3-venv first.") from None
        raise


def main(arguments: list[str]) -> None:
    """Installs one of the two sets."""
    dev = arguments == ["--dev"]
    lock = LOCKS[dev]
    count = len(re.findall(r"^[\w.-]+==", lock.read_text("utf-8"), re.MULTILINE))
    if not PYTHON.exists():
        with step(f"Creating .venv with Python {sys.version.split()[0]}"):
            create_venv()
    purpose = "the tools of development" if dev else "what the hub needs"
    with step(f"Installing {purpose}: those of the {count} packages of {lock.name} that are missing"):
        run_pip("--require-hashes", "-r", str(lock))
    if not dev:
        with step("Installing the hub, and building its pages (GraphiQL and Live) from ui/ if they have changed"):
            run_pip("--no-deps", "-e", str(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
