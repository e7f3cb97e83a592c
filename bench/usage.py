"""CPU time of process trees, read from /proc (Linux only; elsewhere the columns stay empty)."""

import os
from pathlib import Path

import asyncpg

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str] | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The second field is the name in parentheses, which may have any character; the later fields are plain.
    return text[text.rindex(")") + 2 :].split()


def parent(pid: int) -> int | None:
    """The parent of a process on this machine."""
    fields = _stat(pid)
    return None if fields is None else int(fields[1])


def tree(root: int) -> dict[int, list[str]]:
    """The process and its descendants, with their fields of /proc/PID/stat."""
    all_processes = {int(folder.name): _stat(int(folder.name)) for folder in PROC.iterdir() if folder.name.isdecimal()}
    living = {pid: fields for pid, fields in all_processes.items() if fields is not None}
    descendants: dict[int, list[str]] = {}
    frontier = {root} & living.keys()
    while frontier:
        descendants |= {pid: living[pid] for pid in frontier}
        frontier = {pid for pid, fields in living.items() if int(fields[1]) in frontier} - descendants.keys()
    return descendants


def cpu_seconds(root: int | None) -> float:
    """Seconds of CPU that the tree has used, ended children included; 0 when /proc does not exist or `root` is None."""
    if root is None or not PROC.is_dir():
        return 0.0
    # utime, stime, and the same of reaped children
    return sum(sum(map(int, fields[11:15])) for fields in tree(root).values()) / TICK


async def postmaster(dsn: str) -> int | None:
    """The process id of the Postgres at an address, when it runs on this machine."""
    connection = await asyncpg.connect(dsn)
    try:
        backend = await connection.fetchval("select pg_backend_pid()")
        fields = _stat(backend)
        name = (PROC / str(backend) / "comm").read_text().strip() if fields else ""
        return parent(backend) if name == "postgres" else None
    finally:
        await connection.close()
