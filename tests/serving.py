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


async def served(dsn: str, port: int, *command: str) -> Process:
    """A hub that answers; `hub serve` unless another command is given."""
    environment = {**os.environ, "HUB_DATABASE_URL": dsn}
    whole = [sys.executable, "-m", "hub", *(command or ("serve",)), "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*whole, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=DEVNULL)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while not await ready(client):
            assert process.returncode is None, f"hub {whole[3]} ended"
            await asyncio.sleep(0.02)
    return process


async def ready(client: httpx2.AsyncClient) -> bool:
    """Whether a hub answers."""
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False
