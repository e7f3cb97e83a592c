"""Every document of tests/golden becomes exactly the SQL beside it, and gives exactly the answer beside it, on Northwind.

HUB_GOLDEN=write (`make golden`) writes both anew; to be read before they are committed, and never done in CI."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from golden_documents import DOCUMENTS, FOLDER, Asked, Document, asked

WRITE = os.environ.get("HUB_GOLDEN") == "write"
CI = bool(os.environ.get("CI"))
ALL = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)


@pytest.fixture(scope="module")
async def on_northwind(demo_dsn: str) -> AsyncIterator[Asked]:
    async with asked(demo_dsn) as made:
        yield made


def check(path: Path, text: str) -> None:
    """The text is the golden one."""
    if WRITE and not CI:
        path.write_text(text)
    assert text == path.read_text()


@ALL
async def test_a_document_gives_its_answer_in_one_statement(on_northwind: Asked, document: Document) -> None:
    answer, sent = await on_northwind.answer(document)
    told = json.loads(answer.body)
    assert "errors" not in told
    check(FOLDER / f"{document.name}.json", json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    check(FOLDER / f"{document.name}.sql", "\n\n".join(statement.text for statement in sent) + "\n")
    assert (answer.statements, len(sent)) == (document.statements, document.statements)


def test_every_golden_file_belongs_to_a_document() -> None:
    names = {document.name for document in DOCUMENTS}
    assert {path.stem for path in FOLDER.iterdir()} == names
    assert {path.suffix for path in FOLDER.iterdir()} == {".graphql", ".sql", ".json"}


def test_golden_files_are_not_written_in_ci() -> None:
    assert not (WRITE and CI), "unset HUB_GOLDEN"
