"""Where requests may go: out into the Internet, over TLS, and to what the hub's keeper allows; nowhere else.

A host is resolved here and every address looked at; the caller connects to one of those, and nobody is asked a second time."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network
ResolveHost = Callable[[str, int], Awaitable[Sequence[str]]]

# Whatever is not for everybody, by the registries of IANA; also what leads to such addresses in the clothes of others.
NON_PUBLIC_NETWORKS = tuple(
    ip_network(network)
    for network in (
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
PUBLIC_IPV6 = ip_network("2000::/3")  # all that is given out so far
NON_PUBLIC_IPV6_NETWORKS = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and the like
        "2001:db8::/32",
        "2002::/16",  # 6to4, which may hold any IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
RESOLVER_THREADS = 64  # hosts that may be slow to be found before others wait for them
MIN_PORT = 1_024  # below it only that of https


class EgressDenied(Exception):
    """A request that does not leave; the message tells why and what can be done."""


class EgressTarget(NamedTuple):
    """Where a request goes: the host as it is named, and the addresses that it may be sent to."""

    host: str
    port: int
    secure: bool
    addresses: tuple[str, ...]


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the Internet."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.scope_id is not None:
            return False
        return address in PUBLIC_IPV6 and not any(address in network for network in NON_PUBLIC_IPV6_NETWORKS)
    return not any(address in network for network in NON_PUBLIC_NETWORKS)


class HostResolver:
    """The system's resolver: a thread waits for each host, however many ask for it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, "resolver")
        self._lookups: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host."""
        lookup = self._lookups.get((host, port))
        if lookup is None:
            lookup = asyncio.get_running_loop().run_in_executor(self._threads, _resolve_host, host, port)
            self._lookups[host, port] = lookup
            lookup.add_done_callback(lambda lookup_done: self._on_resolved((host, port), lookup_done))
        return await asyncio.shield(lookup)

    def _on_resolved(self, host_port: tuple[str, int], lookup: asyncio.Future[Sequence[str]]) -> None:
        del self._lookups[host_port]
        if not lookup.cancelled():
            lookup.exception()  # perhaps nobody waits any more


def _resolve_host(host: str, port: int) -> Sequence[str]:
    results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(result[4][0]) for result in results]


class EgressPolicy:
    """What may be reached. `allowed` names networks, or hosts of whatever address, that may be reached too, also without TLS."""

    def __init__(self, allowed: Sequence[str] = (), resolve: ResolveHost | None = None) -> None:
        self._resolve = resolve or HostResolver()
        self._networks: list[IpNetwork] = []
        self._hosts: set[str] = set()
        for entry in allowed:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._hosts.add(entry.lower())

    async def target(self, url: str) -> EgressTarget:
        """Where a URL leads; raises EgressDenied when it must not go there. One bad address among several denies them all."""
        parts = urlsplit(url)
        host, secure = (parts.hostname or "").rstrip("."), parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        addresses = await self._addresses(host, port)
        if host in self._hosts or all(self._is_allowed(address) for address in addresses):
            return EgressTarget(host, port, secure, tuple(str(address) for address in addresses))
        for address in addresses:
            if not (is_public(address) or self._is_allowed(address)):
                raise EgressDenied(f"{host} leads to an address inside; name it in HUB_WEBHOOK_ALLOW if that is meant.")
        if not secure:
            raise EgressDenied("http is not encrypted; use https, or name the host in HUB_WEBHOOK_ALLOW.")
        if port != 443 and port < MIN_PORT:
            raise EgressDenied(f"port {port} is not one of the web; use 443, or {MIN_PORT} and above.")
        return EgressTarget(host, port, secure, tuple(str(address) for address in addresses))

    async def _addresses(self, host: str, port: int) -> list[IpAddress]:
        try:
            return [ip_address(host)]
        except ValueError:
            pass
        try:
            resolved = await self._resolve(host, port)
            addresses = [ip_address(address) for address in dict.fromkeys(resolved)]
        except (OSError, ValueError, UnicodeError):
            addresses = []
        if not addresses:
            raise EgressDenied(f"{host} has no address; mend the URL, or the name.")
        return addresses

    def _is_allowed(self, address: IpAddress) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)
