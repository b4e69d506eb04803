"""Which addresses we call: those of registered cameras, as far as they lie in trusted networks.

An address is what somebody claimed when registering. Without this rule whoever may register a camera could have the
server call any address that it can reach.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from securitycamd.domain.errors import CameraUnavailableError


@lru_cache(maxsize=1024)
def checked_host(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> str:
    """The host part of a URL for an address that may be called.

    Args:
        address: what the camera registered: an IPv4 or IPv6 literal. Names are not looked up, as what a name means may
            change between the look and the call.
        networks: the trusted networks, as a tuple.

    Raises:
        CameraUnavailableError: it is no address, or none that we call.
    """
    try:
        found: IPv4Address | IPv6Address = ip_address(address.strip())
    except ValueError:
        raise CameraUnavailableError("This camera registered without a usable IP address.") from None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_multicast or found.is_unspecified or not any(found in network for network in networks):
        raise CameraUnavailableError(
            "This camera's address is in no trusted network (agents.trusted_networks), so it is not called."
        )
    return f"[{found}]" if isinstance(found, IPv6Address) else str(found)
