"""Serves the GraphiQL and live pages and their files, with security headers, caching and the demo key for local browsers.

The pages' source is in ui/, built into static/. The build's manifest lists the file names.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
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
CACHE_FOREVER = "public, max-age=31536000, immutable"
NOT_BUILT = "The pages are built when the hub is installed. In a checkout, run `pip install --no-deps -e .`\n"
HOST_PATTERN = re.compile(r"(?:\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<name>[a-zA-Z0-9.-]+))(?::\d+)?")
# Headers that a proxy adds. Behind a proxy, every client seems to be local. (A proxy without them uses HTTP/1.0.)
FORWARDING_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


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


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address or `localhost`. Other names count as remote, even if they resolve to loopback."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(connection: HTTPConnection, bound_to: str) -> bool:
    """Whether the hub listens on loopback only, and the client connects from loopback with a loopback Host header.

    The Host check prevents DNS rebinding: a foreign page's host name can resolve to 127.0.0.1 and be same-origin.
    """
    if connection.scope["http_version"] == "1.0" or any(name in connection.headers for name in FORWARDING_HEADERS):
        return False
    client = connection.client.host if connection.client else ""
    host_match = HOST_PATTERN.fullmatch(",".join(connection.headers.getlist("host")))
    host = (host_match["address"] or host_match["name"]) if host_match else ""
    return is_loopback(bound_to) and is_loopback(client) and is_loopback(host)


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
    """The handlers for the pages, their files, and the configuration that only local browsers get."""

    bundle: Bundle | None
    demo_key: Callable[[], str | None]
    bound_to: str
    title: str

    async def graphiql(self, request: Request) -> Response:
        """GET /graphiql"""
        return self._page("graphiql", self.title, request)

    async def live(self, request: Request) -> Response:
        """GET /live"""
        return self._page("live", f"{self.title}, live", request)

    def _page(self, name: str, title: str, request: Request) -> Response:
        if self.bundle is None:
            return PlainTextResponse(NOT_BUILT, 503, PAGE_SECURITY_HEADERS)
        has_demo_key = is_local(request, self.bound_to) and self.demo_key() is not None
        metas = {"endpoint": "graphql"} | ({"config": "graphiql/config.json"} if has_demo_key else {})
        body = _html(self.bundle, name, title, metas).encode()
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {**PAGE_SECURITY_HEADERS, "Cache-Control": "no-cache", "ETag": etag}
        if etag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(body, 200, headers, "text/html")

    async def config(self, request: Request) -> Response:
        """GET /graphiql/config.json: the headers with the demo key, for local same-origin requests only; else 404."""
        headers = {**PAGE_SECURITY_HEADERS, "Cache-Control": "no-store"}
        # A page on another port of this machine is local too, but of another origin.
        same_origin = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        key = self.demo_key() if same_origin and is_local(request, self.bound_to) else None
        if key is None:
            return PlainTextResponse("not found\n", 404, headers)
        return JSONResponse({"headers": {"Authorization": f"Bearer {key}"}}, 200, headers)

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
    demo_key: Callable[[], str | None],
    bound_to: str,
    title: str = "Customer hub",
    folder: Path = STATIC_FOLDER,
) -> list[BaseRoute]:
    """Returns the routes of /graphiql and /live, or none if they are disabled. `bound_to` is the listening address."""
    if not enabled:
        return []
    pages = Pages(Bundle.read(folder), demo_key, bound_to, title)
    return [
        Route("/graphiql", pages.graphiql, methods=["GET"]),
        Route("/live", pages.live, methods=["GET"]),
        Route("/live/", RedirectResponse("../live", headers=PAGE_SECURITY_HEADERS), methods=["GET"]),
        Route("/graphiql/", RedirectResponse("../graphiql", headers=PAGE_SECURITY_HEADERS), methods=["GET"]),
        Route("/graphiql/config.json", pages.config, methods=["GET"]),
        Route("/graphiql/static/{name}", pages.file, methods=["GET"]),
    ]
