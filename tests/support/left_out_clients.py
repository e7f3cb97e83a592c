"""Prints the client libraries that a run left out because they are not installed, and with -v the tests of those that ran."""

import pytest

FOLDER = "tests/clients/"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the clients after the failures."""
    reports = terminalreporter.stats
    if terminalreporter.config.option.verbose >= 0:
        for report in (*reports.get("passed", ()), *reports.get("failed", ())):
            for line in (value for name, value in report.user_properties if name == "client"):
                terminalreporter.write_line(f"{report.outcome:<7} {line}")
    skipped = [report.nodeid for report in reports.get("skipped", ()) if report.nodeid.startswith(FOLDER)]
    names = [nodeid.partition("[")[2].rstrip("]") for nodeid in skipped if "[" in nodeid]
    if names:
        terminalreporter.write_line(f"Client libraries left out: {', '.join(names)}. `make clients` installs them.")
