"""The command line in this process: a fixture that runs one command as a person would and returns what it printed."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hub.cli import main
from hub.settings import Settings

RunCommand = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run_command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunCommand:
    """Runs a command in a thread; returns its exit code, output and errors."""
    for name in set(os.environ) & {f"HUB_{field.upper()}" for field in Settings.model_fields}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HUB_PORT", "0")

    async def run_command(*arguments: str, **settings: str) -> tuple[int, str, str]:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["hub", *arguments])
        code = await asyncio.to_thread(exit_code)
        return code, *capfd.readouterr()

    return run_command


def exit_code() -> int:
    """Runs the command of sys.argv; returns its exit code."""
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0
