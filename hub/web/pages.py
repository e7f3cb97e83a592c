"""The GraphiQL page and its files: security headers, caching, and who is shown the demo's key.

What the page does is written in ui/ and built into static/; this file knows its names only from the manifest
that the build leaves there.
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
NOT_BUILT = "The pages' files are made when the hub is installed. In a checkout, run `pip install --no-deps -e .`\n"
HOST_PATTERN = re.compile(r"(?:\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<name>[a-zA-Z0-9.-]+))(?::\d+)?")
# What a proxy adds (a bare one speaks HTTP/1.0, which no browser does). Behind one, every client seems to be local.
FORWARDING_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


class PageEntry(NamedTuple):
    """The files that a page begins with."""

    script: str
    style: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the build made: the names of each page's entry files, and every file as it is and compressed, in memory.

    (2 MB. So a file is served by its name in a table, never by a path, and a rebuild cannot break a running hub.)
    """

    pages: Mapping[str, PageEntry]
    icon: str
    files: Mapping[str, tuple[bytes, bytes | None]]

    @classmethod
    def read(cls, folder: Path) -> "Bundle | None":
        """The bundle in the folder; None when it was not built, or not completely."""
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
    """Whether an address or the name `localhost` is this machine; no other name is, wherever it may resolve to."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(connection: HTTPConnection, bound_to: str) -> bool:
    """True only for a client on this machine that asks, by a loopback name, a hub that nobody else can reach.

    The name matters: a foreign page can make its own host name resolve to 127.0.0.1, and is then of one origin with us.
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
    # Addresses are relative, so that the page works under any prefix that a proxy puts before it.
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
    """The answers: the pages, one of their files, and what only a browser on this machine is told."""

    bundle: Bundle | None
    demo_key: Callable[[], str | None]
    bound_to: str
    title: str

    async def graphiql(self, request: Request) -> Response:
        return self._page("graphiql", self.title, request)

    async def live(self, request: Request) -> Response:
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
        headers = {**PAGE_SECURITY_HEADERS, "Cache-Control": "no-store"}
        # A page of another port of this machine is local too, but not ours.
        same_origin = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        key = self.demo_key() if same_origin and is_local(request, self.bound_to) else None
        if key is None:
            return PlainTextResponse("not found\n", 404, headers)
        return JSONResponse({"headers": {"Authorization": f"Bearer {key}"}}, 200, headers)

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        contents = self.bundle.files.get(name) if self.bundle else None
        if contents is None:
            return PlainTextResponse("not found\n", 404, {**PAGE_SECURITY_HEADERS, "Cache-Control": "no-store"})
        body, compressed = contents
        suffix = Path(name).suffix
        # Every name but that of the licences holds a hash of the content.
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
    """The routes of /graphiql and /live; none when they are switched off. `bound_to` is the address that is listened on."""
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
