"""The pages /graphiql, /live and /review as they are served: their headers and their files. They hand out no key."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hub.web import pages

MakeClient = Callable[..., TestClient]


@pytest.fixture
def make_client(tmp_path: Path) -> MakeClient:
    """A client of a small made-up bundle."""
    names = {"graphiql-AAAA.js": True, "graphiql-BBBB.css": False, "icon-CCCC.svg": False, "licences.txt": False}
    entries = {
        name: {"script": f"{name}-AAAA.js", "style": f"{name}-BBBB.css"} for name in ("graphiql", "live", "review")
    }
    manifest = {"pages": entries, "icon": "icon-CCCC.svg", "files": names}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "graphiql-AAAA.js.gz").write_bytes(b"\x1f\x8b")

    def client(**more: Any) -> TestClient:
        settings: dict[str, Any] = {"enabled": True, "folder": tmp_path} | more
        return TestClient(Starlette(routes=pages.routes(**settings)), base_url="http://127.0.0.1:8000")

    return client


def test_every_answer_forbids_what_does_not_come_from_the_hub(make_client: MakeClient) -> None:
    files = ("/graphiql/static/graphiql-BBBB.css", "/graphiql/static/absent")
    for path in ("/graphiql", "/live", "/review", *files):
        headers = make_client().get(path).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; "
            "font-src 'self' data:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("name", "title"),
    [("graphiql", "{}"), ("live", "{}, live"), ("review", "{}, review")],
)
def test_a_page_has_no_inline_code_and_tells_everything_in_metas(
    make_client: MakeClient, name: str, title: str
) -> None:
    page = make_client(title='A & "B"').get(f"/{name}").text
    assert re.findall(r"<script.*", page) == [f'<script type="module" src="graphiql/static/{name}-AAAA.js"></script>']
    assert re.findall(r'<link rel="stylesheet".*', page) == [
        f'<link rel="stylesheet" href="graphiql/static/{name}-BBBB.css">'
    ]
    assert re.findall(r"<style|style=| on\w+=|https?:", page) == []
    metas = {"endpoint": "graphql", "session": "graphiql/session"}
    assert dict(re.findall(r'<meta name="hub:(\w+)" content="(.*?)">', page)) == metas
    assert f"<title>{title.format('A &amp; &quot;B&quot;')}</title>" in page


def test_the_page_is_asked_for_anew_and_answered_with_304_while_it_is_the_same(make_client: MakeClient) -> None:
    first = make_client().get("/graphiql")
    assert first.headers["cache-control"] == "no-cache"
    again = make_client().get("/graphiql", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = make_client(title="Other").get("/graphiql", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"host": "localhost"}, {"x-forwarded-for": "192.0.2.7"}])
def test_no_page_hands_out_a_key(make_client: MakeClient, headers: dict[str, str]) -> None:
    assert make_client().get("/graphiql/config.json", headers=headers).status_code == 404
    for page in ("/graphiql", "/live", "/review"):
        assert "hub_" not in make_client().get(page, headers=headers).text


def test_static_files_are_immutable_and_sent_compressed_if_accepted(make_client: MakeClient) -> None:
    plain = make_client().get("/graphiql/static/graphiql-AAAA.js", headers={"accept-encoding": "identity"})
    assert plain.content == b"graphiql-AAAA.js"
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["vary"] == "Accept-Encoding"
    small = make_client().head("/graphiql/static/graphiql-AAAA.js", headers={"accept-encoding": "gzip"})
    assert (small.headers["content-encoding"], small.headers["content-length"]) == ("gzip", "2")
    assert make_client().get("/graphiql/static/licences.txt").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    ["manifest.json", "graphiql-AAAA.js.gz", "..%2fpages.py", "%2e%2e/pages.py", "..%5cpages.py", "%00", "", "a/b"],
)
def test_only_files_of_the_bundle_are_served(make_client: MakeClient, name: str) -> None:
    assert make_client().get(f"/graphiql/static/{name}").status_code == 404


@pytest.mark.parametrize("name", ["graphiql", "live", "review"])
def test_a_slash_too_many_leads_to_the_page(make_client: MakeClient, name: str) -> None:
    answer = make_client().get(f"/{name}/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, f"../{name}")


def test_the_pages_can_be_switched_off(make_client: MakeClient) -> None:
    for path in ("/", "/graphiql", "/live", "/review", "/graphiql/static/graphiql-AAAA.js"):
        assert make_client(enabled=False).get(path).status_code == 404


def test_a_checkout_that_was_not_installed_says_what_to_do(make_client: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "graphiql-BBBB.css").unlink()
    page = make_client().get("/graphiql")
    assert (page.status_code, "pip install" in page.text) == (503, True)
    assert make_client().get("/graphiql/static/graphiql-AAAA.js").status_code == 404
