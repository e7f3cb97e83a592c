"""Webhooks go nowhere inside, however the address is dressed: a table of addresses, and a canary that hears who knocks."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from hub.webhooks.egress import EgressDenied, EgressPolicy, ResolveHost
from hub.webhooks.http_client import HttpClient, HttpResponse

FORBIDDEN = (
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
ALLOWED = (
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.32.0.1",
    "100.63.255.255",
    "2606:4700:4700::1111",
    "2a00:1450::1",
)
DISGUISED = (
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "127.1",
    "0177.0.0.1",
    "0",
    "localhost",
    "LOCALHOST.",
)


def answering(*answers: Sequence[str]) -> ResolveHost:
    """A resolver that gives one answer after the other; the last one stays."""
    remaining = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return resolve


def url_of(address: str) -> str:
    return f"https://[{address}]/" if ":" in address else f"https://{address}/"


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_an_address_inside_is_barred(address: str) -> None:
    with pytest.raises(EgressDenied, match="has no public address"):
        await EgressPolicy().target(url_of(address))
    with pytest.raises(EgressDenied, match="has no public address"):
        await EgressPolicy((), answering([address])).target("https://example.net/")
    with pytest.raises(EgressDenied, match="has no public address"):
        await EgressPolicy((), answering(["1.1.1.1", address])).target("https://example.net/")


@pytest.mark.parametrize("address", ALLOWED)
async def test_an_address_outside_is_not(address: str) -> None:
    assert (await EgressPolicy().target(url_of(address))).addresses == (address,)
    assert (await EgressPolicy((), answering([address])).target("https://example.net/")).addresses == (address,)


@pytest.mark.parametrize("host", DISGUISED)
async def test_a_host_is_judged_by_what_it_leads_to(host: str) -> None:
    with pytest.raises(EgressDenied):
        await EgressPolicy().target(f"https://{host}/")


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.0/8", "http://127.0.0.1:81/"),
        ("127.0.0.0/8", "http://[::ffff:127.0.0.1]:8000/"),
        ("10.1.0.0/16", "http://example.net/"),
        ("example.net", "http://Example.net/"),
    ],
)
async def test_what_the_keeper_names_may_be_reached(allowed: str, url: str) -> None:
    assert (await EgressPolicy((allowed,), answering(["10.1.2.3"])).target(url)).addresses


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://1.1.1.1/", "http is not encrypted"),
        ("https://1.1.1.1:22/", "port 22 is not allowed"),
        ("https://does-not-exist.invalid/", "has no public address"),
        (f"https://{'a' * 300}.net/", "has no public address"),
    ],
)
async def test_and_what_else_is_barred(url: str, why: str) -> None:
    with pytest.raises(EgressDenied, match=why):
        await EgressPolicy().target(url)


class CanaryServer:
    """Listens on every address of this machine, and counts who knocks."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0
        self.answer = b""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def canary_server(answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") -> AsyncIterator[CanaryServer]:
    canary = CanaryServer()
    canary.answer = answer
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    server = await asyncio.start_server(canary.handle, sock=both)
    canary.port = both.getsockname()[1]
    try:
        yield canary
    finally:
        server.close()
        await server.wait_closed()


async def post(egress: EgressPolicy, url: str) -> HttpResponse:
    poster = HttpClient(egress)
    try:
        return await poster.post(url, {"content-type": "application/json"}, json.dumps({"data": 1}).encode())
    finally:
        poster.close()


async def test_the_canary_hears_nobody() -> None:
    hosts = [*DISGUISED, "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "127.1.2.3"]
    async with canary_server() as canary:
        for host in hosts:
            for scheme in ("http", "https"):
                answer = await post(EgressPolicy(), f"{scheme}://{host}:{canary.port}/")
                assert (answer.status, canary.connections) == (None, 0), host
        assert (await post(EgressPolicy(("127.0.0.1",)), f"http://127.0.0.1:{canary.port}/")).status == 200
        assert canary.connections == 1  # it does hear


async def test_a_name_that_leads_elsewhere_the_second_time_is_asked_once() -> None:
    async with canary_server() as canary:
        egress = EgressPolicy(("10.255.255.1",), answering(["10.255.255.1"], ["127.0.0.1"]))
        # The first answer may be reached, so it is what is connected to, in vain; the second is never asked for.
        target = await egress.target(f"http://example.net:{canary.port}/")
        assert target.addresses == ("10.255.255.1",)
        answer = await post(egress, f"http://example.net:{canary.port}/")
        assert ("has no public address" in (answer.error or ""), canary.connections) == (True, 0)


async def test_slow_name_resolution_delays_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved, lookups = threading.Event(), list[str]()

    def slow(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        lookups.append(host)
        if host == "slow.example.net":
            resolved.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    egress = EgressPolicy()
    waiting = [asyncio.create_task(egress.target("https://slow.example.net/")) for _ in range(100)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    async with asyncio.timeout(2):
        assert (await egress.target("https://quick.example.net/")).addresses == ("1.1.1.1",)
    resolved.set()
    assert {(await task).host for task in waiting[1:]} == {"slow.example.net"}
    assert lookups == ["slow.example.net", "quick.example.net"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_no_way(status: int) -> None:
    async with canary_server() as inside:
        where = f"location: http://127.0.0.2:{inside.port}/latest/meta-data\r\ncontent-length: 0\r\n\r\n"
        async with canary_server(f"HTTP/1.1 {status} Moved\r\n{where}".encode()) as canary:
            answer = await post(EgressPolicy(("127.0.0.0/8",)), f"http://127.0.0.1:{canary.port}/")
        assert (answer.status, inside.connections) == (status, 0)


async def test_an_environment_with_a_proxy_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with canary_server() as proxy, canary_server() as canary:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await post(EgressPolicy(("127.0.0.1",)), f"http://127.0.0.1:{canary.port}/")
        assert (proxy.connections, canary.connections) == (0, 1)


@pytest.mark.parametrize(
    ("begin", "status"), [(b"x: ", None), (b"\r\n", 200), (b"transfer-encoding: chunked\r\n\r\n0\r\nx: ", 200)]
)
async def test_an_answer_without_end_is_not_read_to_its_end(begin: bytes, status: int | None) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n" + begin)
        while not writer.is_closing():
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server:
        answer = await post(EgressPolicy(("127.0.0.1",)), f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (answer.status, answer.error is None) == (status, status == 200)
    assert (answer.seconds < 2, sent < 64 * 2**20) == (True, True)
