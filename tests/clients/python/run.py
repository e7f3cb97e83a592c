"""Runs the Python clients that are named on the command line. Prints one line of JSON for every test, as reporter.mjs does."""

import importlib
import json
import sys
import unittest
from typing import Any

FailureInfo = Any


class JsonLinesResult(unittest.TestResult):
    """Prints the outcome of every test; the client is the docstring of its class."""

    def _print(self, test: unittest.TestCase, failure: str | None) -> None:
        client = (type(test).__doc__ or "").splitlines()[0]
        name = test._testMethodName.removeprefix("test_").replace("_", " ")
        print(json.dumps({"client": client, "name": name, "failure": failure}), flush=True)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self._print(test, None)

    def addFailure(self, test: unittest.TestCase, err: FailureInfo) -> None:
        super().addFailure(test, err)
        self._print(test, self.failures[-1][1])

    def addError(self, test: unittest.TestCase, err: FailureInfo) -> None:
        super().addError(test, err)
        self._print(test, self.errors[-1][1])


def main(names: list[str]) -> None:
    """Runs the tests of these modules, one after the other."""
    for name in names:
        module = importlib.import_module(name)
        unittest.defaultTestLoader.loadTestsFromModule(module).run(JsonLinesResult())


if __name__ == "__main__":
    main(sys.argv[1:])
