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

from bench.load import BadAnswer, fetch

HOST = "127.0.0.1"
POOL = "5"  # database connections of every contender
READY = 60.0  # seconds a contender may take to answer for the first time
STOP = 10.0
PROBE = b'{"query":"{__typename}"}'


class Failed(Exception):
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


def post(path: str, body: bytes, key: str | None) -> bytes:
    """One whole request, ready to be sent again and again."""
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"{authorization}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def serve(application: Any) -> None:
    """In such a child: serve an ASGI application on loopback until stopped, as all in Python are."""
    port = int(os.environ["PORT"])
    uvicorn.run(
        application, host=HOST, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False
    )


@contextmanager
def child(
    arguments: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the duration of the block; what it says goes to `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            arguments, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_ready(
    process: subprocess.Popen[bytes], address: tuple[str, int], path: str, key: str | None, log: Path
) -> None:
    """Return once the child answers a GraphQL request."""
    until = time.monotonic() + READY
    trouble = "no answer"
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Failed(f"{log.stem} ended with code {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
        try:
            fetch(address, post(path, PROBE, key), patience=5)
            return
        except (OSError, BadAnswer) as error:
            trouble = str(error)
        time.sleep(0.1)
    raise Failed(f"{log.stem} was not ready after {READY:.0f} s: {trouble}\n{log.read_text(errors='replace')[-2000:]}")
