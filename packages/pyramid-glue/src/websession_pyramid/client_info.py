"""What a session records about the browser it is used with: see `ClientInfoMixin`."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from websession_core.settings import ClientAddress

if TYPE_CHECKING:
    from pyramid.request import Request

__all__ = ["client_info"]

_AGENT_LENGTH = 255
# What is left of an address is shared by a neighbourhood: the usual borders of a network that is handed out.
_NETWORK_BITS = {4: 24, 6: 48}


def client_info(request: Request, precision: ClientAddress) -> dict[str, str | None]:
    """Return the columns of `ClientInfoMixin` for the browser that sent a request.

    Args:
        request: The request. Its ``REMOTE_ADDR`` is taken, and no header that anybody can send: behind a
            proxy the WSGI server has to put the right one there (waitress: ``trusted_proxy``).
        precision: How much of the address.
    """
    agent = "".join(character for character in request.user_agent or "" if character.isprintable())
    return {
        "user_agent": agent[:_AGENT_LENGTH] or None,
        "client_address": _address(request.remote_addr, precision),
    }


def _address(text: str | None, precision: ClientAddress) -> str | None:
    if precision is ClientAddress.NONE:
        return None
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:  # a socket's path, or anything else that a server says
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if precision is ClientAddress.FULL:
        return str(address)
    network = ipaddress.ip_network((address, _NETWORK_BITS[address.version]), strict=False)
    return str(network.network_address)
