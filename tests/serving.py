"""Hubs as processes of their own, so that they can be killed."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


async def served(dsn: str, port: int) -> Process:
    """A hub that answers."""
    environment = {**os.environ, "HUB_DATABASE_URL": dsn}
    command = [sys.executable, "-m", "hub", "serve", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=DEVNULL)
    async with httpx2.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return process
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.02)
