"""IP networks and addresses: IPv4, IPv6, and IPv4 mapped into IPv6, which counts as the IPv4 that it is."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")
_IPV4_BITS, _IPV6_BITS = 32, 128


def parse_network(text: str) -> IpNetwork:
    """A network like 10.1.0.0/16, or an address as the network of itself; raises ValueError with the remedy."""
    text = text.strip()
    try:
        network = ip_network(text, strict=False)
        if "%" in text:
            raise ValueError
    except ValueError:
        raise ValueError(f"{text[:60]!r} is no network; give one like 10.1.0.0/16 or 2001:db8::/32") from None
    if network.network_address != ip_address(text.partition("/")[0]):
        raise ValueError(f"{text[:60]!r} names an address within a network; give {network} or the address alone")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
        return IPv4Network((mapped, network.prefixlen - (_IPV6_BITS - _IPV4_BITS)))
    return network


def parse_address(text: str) -> IpAddress | None:
    """An address as a peer or a proxy writes it, perhaps with a zone, brackets or a port; None for any other text."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def contains(networks: Iterable[IpNetwork], address: IpAddress) -> bool:
    """Whether one of the networks contains the address."""
    return any(address in network for network in networks)
