"""Child processes of the bench: started on loopback, waited for until they answer, stopped by pid whatever happens."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from bench.load import InvalidResponse, fetch

HOST = "127.0.0.1"
POOL = "5"  # database connections of every contender
READY_TIMEOUT = 60.0  # seconds a contender may take to answer for the first time
STOP_TIMEOUT = 10.0
PROBE = b'{"query":"{__typename}"}'


class BenchmarkError(Exception):
    """A child did not come up or ended early; the message tells its last words."""


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without the hub's own settings, so that every child runs on its defaults."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | extra


def http_request(path: str, body: bytes, key: str | None) -> bytes:
    """One whole request, ready to be sent again and again."""
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    headers = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"{authorization}Content-Length: {len(body)}\r\n\r\n"
    )
    return headers.encode() + body


def serve(application: Any) -> None:
    """In such a child: serve an ASGI application on loopback until stopped, as all in Python are."""
    port = int(os.environ["PORT"])
    uvicorn.run(
        application, host=HOST, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False
    )


@contextmanager
def child_process(
    arguments: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the duration of the block; what it says goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(
    process: subprocess.Popen[bytes], address: tuple[str, int], path: str, key: str | None, log: Path
) -> None:
    """Return once the child answers a GraphQL request."""
    deadline = time.monotonic() + READY_TIMEOUT
    last_error = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchmarkError(
                f"{log.stem} ended with code {process.returncode}: {log.read_text(errors='replace')[-2000:]}"
            )
        try:
            fetch(address, http_request(path, PROBE, key), timeout=5)
            return
        except (OSError, InvalidResponse) as error:
            last_error = str(error)
        time.sleep(0.1)
    raise BenchmarkError(
        f"{log.stem} was not ready after {READY_TIMEOUT:.0f} s: {last_error}\n{log.read_text(errors='replace')[-2000:]}"
    )
