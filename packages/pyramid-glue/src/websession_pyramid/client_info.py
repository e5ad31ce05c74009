"""What a session notes down about the browser it is used with: see `ClientInfoMixin`."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from websession_core.settings import ClientAddress

if TYPE_CHECKING:
    from pyramid.request import Request

__all__ = ["client_info"]

_LONGEST = 255
# What is left of an address is shared by a neighbourhood: the usual borders of a network that is handed out.
_KEPT_BITS = {4: 24, 6: 48}


def client_info(request: Request, wanted: ClientAddress) -> dict[str, str | None]:
    """Return the columns of `ClientInfoMixin` for the browser that sent a request.

    Args:
        request: The request. Its ``REMOTE_ADDR`` is taken, and no header that anybody can send: behind a
            proxy the WSGI server has to put the right one there (waitress: ``trusted_proxy``).
        wanted: How much of the address.
    """
    agent = "".join(character for character in request.user_agent or "" if character.isprintable())
    return {"user_agent": agent[:_LONGEST] or None, "client_address": _address(request.remote_addr, wanted)}


def _address(text: str | None, wanted: ClientAddress) -> str | None:
    if wanted is ClientAddress.NONE:
        return None
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:  # a socket's path, or whatever else a server says
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if wanted is ClientAddress.FULL:
        return str(address)
    network = ipaddress.ip_network((address, _KEPT_BITS[address.version]), strict=False)
    return str(network.network_address)
