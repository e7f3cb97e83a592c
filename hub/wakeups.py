"""Wake-ups of a hub's worker: the serving processes write a byte to a pipe when they commit a mutation or sequence changes.

Nothing depends on them: the worker looks by itself as well, only later."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from hub.observability import ChangesSequenced, Event, RequestDone, WokenUp, add_handler, emit

MUTATION, CHANGES = b"m", b"c"
INTERVAL = 0.01  # seconds between two looks at the pipe, however much is written to it
PIPE_BYTES = 65_536


@contextmanager
def sending_wakeups(pipe: Connection | None) -> Iterator[None]:
    """Wakes the worker at the pipe's other end while the body runs."""
    if pipe is None:
        yield
        return
    file = pipe.fileno()
    os.set_blocking(file, False)

    def on_event(event: Event) -> None:
        if isinstance(event, ChangesSequenced):
            send(CHANGES)
        elif isinstance(event, RequestDone) and event.operation == "mutation":
            send(MUTATION)

    def send(message: bytes) -> None:
        with suppress(OSError):  # the pipe is full, so the worker is awake, or dead
            os.write(file, message)

    remove_handler = add_handler(on_event, ChangesSequenced, RequestDone)
    try:
        yield
    finally:
        remove_handler()


@contextmanager
def receiving_wakeups(pipe: Connection | None) -> Iterator[None]:
    """Emits what others send through the pipe while the body runs, in an event loop."""
    if pipe is None:
        yield
        return
    loop, file = asyncio.get_running_loop(), pipe.fileno()
    os.set_blocking(file, False)
    is_open = True

    def receive() -> None:
        loop.remove_reader(file)
        sent = os.read(file, PIPE_BYTES)
        if sent:  # else nobody can write any more
            emit(WokenUp(mutation=MUTATION in sent, changes=CHANGES in sent))
            loop.call_later(INTERVAL, listen)

    def listen() -> None:
        if is_open:
            loop.add_reader(file, receive)

    listen()
    try:
        yield
    finally:
        is_open = False
        loop.remove_reader(file)
