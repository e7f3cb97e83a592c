"""Forks hubs: one process imports the hub and builds its schema, every hub is a fork of it, as fresh as a started one.

Starting Python, importing and building take two seconds of CPU, and the tests that kill hubs start more than a hundred.
Run as a script with the path of a Unix socket; it ends with its standard input. A client connects, sends one line of JSON,
and reads two lines: the hub's process id and, once it has ended, its exit code."""

import json
import os
import select
import socket
import sys
from contextlib import suppress

from hub import cli, graph


def main() -> None:
    graph.build()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(100)
    print("ready", flush=True)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            listener.close()
            _serve(connection)
            return
        connection.close()
    _wait_for_children()


def _serve(connection: socket.socket) -> None:
    """Runs one hub: this process waits for it, its child becomes it."""
    with connection.makefile() as lines:
        request = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become_hub(request["arguments"], request["environment"], request["folder"])
        return
    connection.sendall(b"%d\n" % pid)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        connection.sendall(b"%d\n" % code)
    os._exit(0)


def _become_hub(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["hub", *arguments]
    cli.main()


def _wait_for_children() -> None:
    """Waits for every child that has ended or is about to; their CPU time then counts as this process's."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == "__main__":
    main()
