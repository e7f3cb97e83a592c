"""The wheel: which packages it installs, and that the hub works beside another package of a common name."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
# What `pip install schema` installs, as far as an import can tell.
OTHER_SCHEMA = 'class Schema:\n    """Of another project."""\n'
IMPORTED = """
import schema, hub.graph, hub.schema, hub.migrations
print(schema.Schema.__module__, len(hub.schema.entities()) > 0, *sorted({hub.graph.__file__, hub.schema.__file__}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel's files, as an installer unpacks them."""
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder / "dist"), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_s3_the_wheel_installs_one_package(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == {"hub"}


def test_s3_the_wheel_has_the_declarations_and_the_migrations(installed: Path) -> None:
    assert (installed / "hub" / "schema" / "customers" / "customers.py").is_file()
    assert (installed / "hub" / "migrations" / "versions" / "0001_functions.py").is_file()


def test_s3_the_hub_works_beside_a_package_with_the_name_schema(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "__init__.py").write_text(OTHER_SCHEMA)
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(installed)!r}]\n{IMPORTED}"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.stdout.split() == [
        "schema",
        "True",
        str(installed / "hub" / "graph.py"),
        str(installed / "hub" / "schema" / "__init__.py"),
    ], run.stderr
