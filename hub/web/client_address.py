"""The address of a client: that of the connection, or the one that trusted proxies name in X-Forwarded-For."""

from collections.abc import Sequence

from hub.model.ip_networks import IpAddress, contains, parse_address, parse_network


class TrustedProxies:
    """The reverse proxies whose X-Forwarded-For is believed."""

    __slots__ = ("_networks",)

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(parse_network(network) for network in networks)

    def client_address(self, peer: str | None, forwarded: bytes | None) -> IpAddress | None:
        """The address of the client behind a connection from `peer`; None if it is not known.

        Each proxy appends the address that it was called from, so the list is read from its end, as far as proxies are
        trusted. What a client wrote into it itself stands before that and does not count."""
        address = None if peer is None else parse_address(peer)
        hops = forwarded.decode("latin-1").split(",") if forwarded else []
        while hops and address is not None and contains(self._networks, address):
            address = parse_address(hops.pop())
        return address

    def client_network(self, peer: str | None, forwarded: bytes | None) -> str:
        """The same as text, for the audit log; empty if it is not known. Costs nothing where no proxy is trusted."""
        if not self._networks:
            return peer or ""
        return str(self.client_address(peer, forwarded) or "")
