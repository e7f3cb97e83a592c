"""Child processes of the benchmarks: started on loopback, waited for until they answer, always stopped at the end."""

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

REPOSITORY = Path(__file__).parent.parent
SCRATCH_PREFIX = "hub-bench-"  # of temporary folders
HOST, GRAPHQL_PATH = "127.0.0.1", "/graphql"
POOL = "5"  # database connections of every contender
READY_TIMEOUT = 60.0  # seconds until the first answer of a contender
STOP_TIMEOUT = 10.0  # seconds from SIGTERM to SIGKILL
PROBE = b'{"query":"{__typename}"}'


class BenchmarkError(Exception):
    """A benchmark cannot go on: a child failed, or a precondition does not hold. The message has the child's last output."""


def free_port() -> int:
    """A free TCP port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without the hub's settings, so that every child has default settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | extra


def http_request(path: str, body: bytes, key: str | None) -> bytes:
    """One whole request; it can be sent many times."""
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    headers = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"{authorization}Content-Length: {len(body)}\r\n\r\n"
    )
    return headers.encode() + body


def readiness_request() -> bytes:
    """The request that a hub answers with 200 as soon as it serves."""
    return f"GET /readyz HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def serve(application: Any) -> None:
    """Serve an ASGI application on loopback until stopped. Every contender in Python does so in its child process."""
    port = int(os.environ["PORT"])
    uvicorn.run(
        application, host=HOST, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False
    )


@contextmanager
def child_process(
    arguments: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the duration of the block; its output goes to `log`."""
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
    wait_until_answered(process, address, http_request(path, PROBE, key), log)


def wait_until_answered(
    process: subprocess.Popen[bytes],
    address: tuple[str, int],
    request: bytes,
    log: Path,
    timeout: float = READY_TIMEOUT,
) -> None:
    """Return once the child answers a request with 200; raise BenchmarkError when it ends or takes too long."""
    deadline = time.monotonic() + timeout
    last_error = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchmarkError(
                f"{log.stem} ended with code {process.returncode}: {log.read_text(errors='replace')[-2000:]}"
            )
        try:
            fetch(address, request, timeout=5)
            return
        except (OSError, InvalidResponse) as error:
            last_error = str(error)
        time.sleep(0.1)
    raise BenchmarkError(
        f"{log.stem} was not ready after {timeout:.0f} s: {last_error}\n{log.read_text(errors='replace')[-2000:]}"
    )
