"""The egress policy: requests may go to public addresses over TLS, and to the destinations in HUB_WEBHOOK_ALLOW.

A host is resolved once and every address is checked. The caller connects to a checked address, so DNS rebinding fails."""

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

# Special-purpose networks of the IANA registries, and networks that embed or translate to such addresses.
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
PUBLIC_IPV6 = ip_network("2000::/3")  # the only global unicast range that is allocated so far
NON_PUBLIC_IPV6_NETWORKS = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and the like
        "2001:db8::/32",
        "2002::/16",  # 6to4, which can embed any IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
LOOKUP_TIMEOUT = 3.0  # seconds for a look-up while a command waits
RESOLVER_THREADS = 64  # slow look-ups that may run before others wait
MIN_PORT = 1_024  # below it, only 443 is allowed


class EgressDenied(Exception):
    """The policy forbids the request; the message gives the reason and the remedy."""


class EgressTarget(NamedTuple):
    """The destination of a request: the host from the URL and its checked addresses."""

    host: str
    port: int
    secure: bool
    addresses: tuple[str, ...]


def is_public(address: IpAddress) -> bool:
    """Whether an address is globally reachable."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.scope_id is not None:
            return False
        return address in PUBLIC_IPV6 and not any(address in network for network in NON_PUBLIC_IPV6_NETWORKS)
    return not any(address in network for network in NON_PUBLIC_NETWORKS)


class HostResolver:
    """The system's resolver in threads; concurrent look-ups of a host share one thread."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, "resolver")
        self._lookups: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Returns the addresses of a host."""
        lookup = self._lookups.get((host, port))
        if lookup is None:
            lookup = asyncio.get_running_loop().run_in_executor(self._threads, _resolve_host, host, port)
            self._lookups[host, port] = lookup
            lookup.add_done_callback(lambda lookup_done: self._on_resolved((host, port), lookup_done))
        return await asyncio.shield(lookup)

    def _on_resolved(self, host_port: tuple[str, int], lookup: asyncio.Future[Sequence[str]]) -> None:
        del self._lookups[host_port]
        if not lookup.cancelled():
            lookup.exception()  # retrieves the exception even if no caller awaits it any more


def _resolve_host(host: str, port: int) -> Sequence[str]:
    results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(result[4][0]) for result in results]


class EgressPolicy:
    """The permitted destinations. `allowed` adds networks and host names, which need neither public addresses nor TLS."""

    def __init__(self, allowed: Sequence[str] = (), resolve: ResolveHost | None = None) -> None:
        self.allowed = allowed
        self._resolve = resolve or HostResolver()
        self._networks: list[IpNetwork] = []
        self._hosts: set[str] = set()
        for entry in allowed:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._hosts.add(entry.lower())

    async def target(self, url: str) -> EgressTarget:
        """Returns the target of a URL; raises EgressDenied if any of the host's addresses is forbidden."""
        parts = urlsplit(url)
        host, secure = (parts.hostname or "").rstrip("."), parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        addresses = await self._addresses(host, port)
        if host in self._hosts or all(self._is_allowed(address) for address in addresses):
            return EgressTarget(host, port, secure, tuple(str(address) for address in addresses))
        for address in addresses:
            if not (is_public(address) or self._is_allowed(address)):
                raise _no_public_address(host)
        if not secure:
            raise EgressDenied("http is not encrypted; use https, or add the host to HUB_WEBHOOK_ALLOW.")
        if port != 443 and port < MIN_PORT:
            raise EgressDenied(f"port {port} is not allowed; use 443, or {MIN_PORT} and above.")
        return EgressTarget(host, port, secure, tuple(str(address) for address in addresses))

    async def refusal(self, url: str) -> str | None:
        """Returns why the policy forbids a URL now; None if it permits it. A host that the settings name may be down."""
        if (urlsplit(url).hostname or "").rstrip(".") in self._hosts:
            return None
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                await self.target(url)
        except EgressDenied as error:
            return str(error)
        except TimeoutError:
            return "its host cannot be looked up now; try again, or check the host's DNS records."
        return None

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
            raise _no_public_address(host)
        return addresses

    def _is_allowed(self, address: IpAddress) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self._networks)


def _no_public_address(host: str) -> EgressDenied:
    """The same reason for a name without an address and for one with an inside address, so that nobody maps a network."""
    return EgressDenied(f"{host} has no public address; correct the URL, or add the host to HUB_WEBHOOK_ALLOW.")
