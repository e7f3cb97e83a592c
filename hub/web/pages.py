"""Serves the GraphiQL, live and review pages and their files, with security headers and caching. They contain no key and no data.

The pages' source is in ui/, built into static/. The build's manifest lists the file names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

STATIC_FOLDER = Path(__file__).with_name("static")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; "
    "font-src 'self' data:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)
CONTENT_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
# Addresses for the scripts, relative to the page.
METAS: Mapping[str, str] = MappingProxyType({"endpoint": "graphql", "session": "graphiql/session"})
CACHE_FOREVER = "public, max-age=31536000, immutable"
NOT_BUILT = "The pages are built when the hub is installed. In a checkout, run `pip install --no-deps -e .`\n"


class PageEntry(NamedTuple):
    """The entry files of a page."""

    script: str
    style: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The build's output in memory (2 MB): each page's entry files, and every file plain and compressed.

    So requests look up a name in a table, never a path, and a rebuild cannot break a running hub.
    """

    pages: Mapping[str, PageEntry]
    icon: str
    files: Mapping[str, tuple[bytes, bytes | None]]

    @classmethod
    def read(cls, folder: Path) -> "Bundle | None":
        """Reads the bundle from a folder; returns None if the build is missing or incomplete."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            files = {
                name: ((folder / name).read_bytes(), (folder / f"{name}.gz").read_bytes() if compressed else None)
                for name, compressed in manifest["files"].items()
            }
        except FileNotFoundError:
            return None
        return cls({name: PageEntry(**entry) for name, entry in manifest["pages"].items()}, manifest["icon"], files)


def _html(bundle: Bundle, name: str, title: str, metas: Mapping[str, str]) -> str:
    script, style = bundle.pages[name]
    meta_tags = "\n".join(f'<meta name="hub:{name}" content="{escape(value)}">' for name, value in metas.items())
    # URLs are relative, so that the page works under any path prefix of a proxy.
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
{meta_tags}
<title>{escape(title)}</title>
<link rel="icon" href="graphiql/static/{bundle.icon}">
<link rel="stylesheet" href="graphiql/static/{style}">
<script type="module" src="graphiql/static/{script}"></script>
</head>
<body>
<div id="{name}"></div>
<noscript>This page needs JavaScript. The API itself does not: POST to /graphql.</noscript>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Pages:
    """The handlers for the pages and their files."""

    bundle: Bundle | None
    title: str

    async def graphiql(self, request: Request) -> Response:
        """GET /graphiql"""
        return self._page("graphiql", self.title, request)

    async def live(self, request: Request) -> Response:
        """GET /live"""
        return self._page("live", f"{self.title}, live", request)

    async def review(self, request: Request) -> Response:
        """GET /review"""
        return self._page("review", f"{self.title}, review", request)

    def _page(self, name: str, title: str, request: Request) -> Response:
        if self.bundle is None:
            return PlainTextResponse(NOT_BUILT, 503, PAGE_SECURITY_HEADERS)
        body = _html(self.bundle, name, title, METAS).encode()
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {**PAGE_SECURITY_HEADERS, "Cache-Control": "no-cache", "ETag": etag}
        if etag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(body, 200, headers, "text/html")

    async def file(self, request: Request) -> Response:
        """GET /graphiql/static/{name}: a file of the bundle, compressed if the client accepts gzip."""
        name = request.path_params["name"]
        contents = self.bundle.files.get(name) if self.bundle else None
        if contents is None:
            return PlainTextResponse("not found\n", 404, {**PAGE_SECURITY_HEADERS, "Cache-Control": "no-store"})
        body, compressed = contents
        suffix = Path(name).suffix
        # Every file name except that of the licences contains a content hash.
        headers = {
            **PAGE_SECURITY_HEADERS,
            "Cache-Control": "no-cache" if suffix == ".txt" else CACHE_FOREVER,
            "Content-Type": CONTENT_TYPES[suffix],
        }
        if compressed is None:
            return Response(body, 200, headers)
        headers["Vary"] = "Accept-Encoding"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(body, 200, headers)
        return Response(compressed, 200, {**headers, "Content-Encoding": "gzip"})


def routes(
    *,
    enabled: bool,
    title: str = "Customer hub",
    folder: Path = STATIC_FOLDER,
) -> list[BaseRoute]:
    """Returns the routes of /graphiql, to which / leads, /live and /review; none if they are disabled."""
    if not enabled:
        return []
    pages = Pages(Bundle.read(folder), title)
    return [
        Route("/", RedirectResponse("graphiql", headers=PAGE_SECURITY_HEADERS), methods=["GET"]),
        Route("/graphiql", pages.graphiql, methods=["GET"]),
        Route("/live", pages.live, methods=["GET"]),
        Route("/live/", RedirectResponse("../live", headers=PAGE_SECURITY_HEADERS), methods=["GET"]),
        Route("/review", pages.review, methods=["GET"]),
        Route("/review/", RedirectResponse("../review", headers=PAGE_SECURITY_HEADERS), methods=["GET"]),
        Route("/graphiql/", RedirectResponse("../graphiql", headers=PAGE_SECURITY_HEADERS), methods=["GET"]),
        Route("/graphiql/static/{name}", pages.file, methods=["GET"]),
    ]
