"""The address that both ports listen on: whether it is one."""

import ipaddress

ADDRESSES = "give an address of this machine; 0.0.0.0 is every IPv4 address, :: is every address"


def check_address(host: str) -> str:
    """Reject a name: it may stand for several addresses, and BentoML listens on one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"not an IP address: {ADDRESSES}") from None
    return host
