"""Where requests may go: out into the Internet, over TLS, and to what the hub's keeper allows; nowhere else.

A host is resolved here and every address looked at; the caller connects to one of those, and nobody is asked a second time."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# Whatever is not for everybody, by the registries of IANA; also what leads to such addresses in the clothes of others.
INSIDE = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
OUTSIDE_6 = ip_network("2000::/3")  # all that is given out so far
INSIDE_6 = tuple(
    ip_network(each)
    for each in (
        "2001::/23",  # Teredo, ORCHID and the like
        "2001:db8::/32",
        "2002::/16",  # 6to4, which may hold any IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
THREADS = 64  # hosts that may be slow to be found before others wait for them
LEAST_PORT = 1_024  # below it only that of https


class Barred(Exception):
    """A request that does not leave; the message tells why and what can be done."""


class Target(NamedTuple):
    """Where a request goes: the host as it is named, and the addresses that it may be sent to."""

    host: str
    port: int
    secure: bool
    addresses: tuple[str, ...]


def public(address: Address) -> bool:
    """Whether an address belongs to the Internet."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return public(address.ipv4_mapped)
        if address.scope_id is not None:
            return False
        return address in OUTSIDE_6 and not any(address in each for each in INSIDE_6)
    return not any(address in each for each in INSIDE)


class Resolver:
    """The system's resolver: a thread waits for each host, however many ask for it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "resolver")
        self._asked: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host."""
        asked = self._asked.get((host, port))
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, _resolved, host, port)
            self._asked[host, port] = asked
            asked.add_done_callback(lambda done: self._answered((host, port), done))
        return await asyncio.shield(asked)

    def _answered(self, place: tuple[str, int], done: asyncio.Future[Sequence[str]]) -> None:
        del self._asked[place]
        if not done.cancelled():
            done.exception()  # perhaps nobody waits any more


def _resolved(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(each[4][0]) for each in found]


class Egress:
    """What may be reached. `allowed` names networks, or hosts of whatever address, that may be reached too, also without TLS."""

    def __init__(self, allowed: Sequence[str] = (), resolve: Resolve | None = None) -> None:
        self._resolve = resolve or Resolver()
        self._networks: list[Network] = []
        self._hosts: set[str] = set()
        for each in allowed:
            try:
                self._networks.append(ip_network(each, strict=False))
            except ValueError:
                self._hosts.add(each.lower())

    async def target(self, url: str) -> Target:
        """Where a URL leads; raises Barred when it must not go there. One bad address among several bars them all."""
        parts = urlsplit(url)
        host, secure = (parts.hostname or "").rstrip("."), parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        addresses = await self._addresses(host, port)
        if host in self._hosts or all(self._let_through(each) for each in addresses):
            return Target(host, port, secure, tuple(str(each) for each in addresses))
        for each in addresses:
            if not (public(each) or self._let_through(each)):
                raise Barred(f"{host} leads to an address inside; name it in HUB_WEBHOOK_ALLOW if that is meant.")
        if not secure:
            raise Barred("http is not encrypted; use https, or name the host in HUB_WEBHOOK_ALLOW.")
        if port != 443 and port < LEAST_PORT:
            raise Barred(f"port {port} is not one of the web; use 443, or {LEAST_PORT} and above.")
        return Target(host, port, secure, tuple(str(each) for each in addresses))

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            pass
        try:
            found = await self._resolve(host, port)
            addresses = [ip_address(each) for each in dict.fromkeys(found)]
        except (OSError, ValueError, UnicodeError):
            addresses = []
        if not addresses:
            raise Barred(f"{host} has no address; mend the URL, or the name.")
        return addresses

    def _let_through(self, address: Address) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in each for each in self._networks)
