"""Every document of tests/golden becomes exactly the SQL beside it, and gives exactly the answer beside it, on Northwind.

HUB_GOLDEN=write (`make golden`) writes both anew; to be read before they are committed, and never done in CI."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from golden_documents import GOLDEN_DOCUMENTS, GOLDEN_FOLDER, GoldenDocument, GoldenEngine, open_golden_engine

WRITE = os.environ.get("HUB_GOLDEN") == "write"
CI = bool(os.environ.get("CI"))
ALL = pytest.mark.parametrize("document", GOLDEN_DOCUMENTS, ids=lambda document: document.name)


@pytest.fixture(scope="module")
async def northwind_engine(demo_dsn: str) -> AsyncIterator[GoldenEngine]:
    async with open_golden_engine(demo_dsn) as harness:
        yield harness


def check(path: Path, text: str) -> None:
    """The text is the golden one."""
    if WRITE and not CI:
        path.write_text(text)
    assert text == path.read_text()


@ALL
async def test_a_document_gives_its_answer_in_one_statement(
    northwind_engine: GoldenEngine, document: GoldenDocument
) -> None:
    answer, sent = await northwind_engine.run(document)
    response = json.loads(answer.body)
    assert "errors" not in response
    check(GOLDEN_FOLDER / f"{document.name}.json", json.dumps(response, ensure_ascii=False, indent=2) + "\n")
    check(GOLDEN_FOLDER / f"{document.name}.sql", "\n\n".join(statement.text for statement in sent) + "\n")
    assert (answer.statements, len(sent)) == (document.statements, document.statements)


def test_every_golden_file_belongs_to_a_document() -> None:
    names = {document.name for document in GOLDEN_DOCUMENTS}
    assert {path.stem for path in GOLDEN_FOLDER.iterdir()} == names
    assert {path.suffix for path in GOLDEN_FOLDER.iterdir()} == {".graphql", ".sql", ".json"}


def test_golden_files_are_not_written_in_ci() -> None:
    assert not (WRITE and CI), "unset HUB_GOLDEN"
