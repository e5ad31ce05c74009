"""The session's cookie: where it is in a request, and the headers that go out with it.

Rules: RFC 6265bis (attributes, name prefixes), RFC 9111 sections 5.2.2.4 and 5.2.2.7 (`no-cache` with
a field name, `private`), OWASP ASVS 5.0, section V3.3.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from webob.cookies import make_cookie

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyramid.request import Request
    from pyramid.response import Response
    from websession_core.settings import Settings

__all__ = ["CookieJar", "keep_out_of_caches"]

log = logging.getLogger(__name__)

# A subdomain an attacker controls can plant cookies of the same name beside ours. Looking at a few of them
# keeps the honest one working; looking at all would let a request cost as much as its header is long.
_TOKENS_LOOKED_AT = 4


class CookieJar:
    """Reads and writes a cookie that one session factory uses.

    Args:
        settings: Its attributes.
        name: Its name.
        visitors: The users' cookie, if this is to be the visitors': each thing is warned of once for both.

    Attributes:
        name: As given.
    """

    def __init__(self, settings: Settings, name: str, visitors: CookieJar | None = None) -> None:
        self._settings = settings
        self._samesite = settings.cookie_samesite
        self.name = name
        self._warned: set[str] = set()
        if visitors is not None:
            self._samesite = settings.visitor_cookie_samesite or settings.cookie_samesite
            self._warned = visitors._warned
        self._pair = f"{name}="
        self._values = re.compile(rf"(?:^|;)\s*{re.escape(name)}=([^;]*)")
        self._attributes: dict[bool, str] = {}  # of a cookie that goes when the browser is closed, by Secure

    def is_in(self, request: Request) -> bool:
        """Return whether `request` carries the cookie, valid or not."""
        return bool(self.tokens(request))

    def is_stored_by(self, response: Response) -> bool:
        """Return whether `response` has the browser store the cookie."""
        return any(
            name.lower() == "set-cookie" and value.startswith(self._pair) and value[len(self._pair)] != ";"
            for name, value in response.headerlist
        )

    def tokens(self, request: Request) -> Sequence[str]:
        """Return the values that `request` carries under the cookie's name, a few at most.

        The header is taken apart here (RFC 6265 section 4.2.1: pairs between semicolons): WebOb's
        `request.cookies` decodes every cookie of the request as UTF-8 and raises on one that is not, no
        matter who set it.
        """
        header = request.environ.get("HTTP_COOKIE")
        if header is None:
            # A bare request (`pyramid.testing.DummyRequest`) has a dictionary and no header.
            cookies = request.cookies
            value = cookies.get(self.name) if isinstance(cookies, dict) else None
            return (value,) if isinstance(value, str) else ()
        pair = self._pair
        place = header.find(pair)
        if place < 0:
            return ()
        if header.find(pair, place + 1) >= 0:
            # In one search, since there may be hundreds of cookies of other names.
            matches = islice(self._values.finditer(header), _TOKENS_LOOKED_AT)
            return [match[1].rstrip().strip('"') for match in matches]
        if header[:place].rstrip()[-1:] not in {"", ";"}:
            return ()  # the end of a longer name
        return (header[place + len(pair) :].partition(";")[0].rstrip().strip('"'),)

    def set(self, request: Request, response: Response, token: str, max_age: int | None) -> None:
        """Add the header that stores `token` in the browser for `max_age` seconds; None: until it closes."""
        self._add(request, response, token, max_age)

    def delete(self, request: Request, response: Response) -> None:
        """Add the header that removes the cookie from the browser."""
        self._add(request, response, None, None)

    def vary(self, response: Response) -> None:
        """Say that the response depends on the request's cookies (RFC 9110 section 12.5.5)."""
        # Not by WebOb's property alone, which takes the header apart and writes it again.
        if _has_header(response, "vary"):
            vary = response.vary or ()
            if "*" not in vary and "cookie" not in (field.lower() for field in vary):
                response.vary = (*vary, "Cookie")
        else:
            response.headerlist.append(("Vary", "Cookie"))

    def _add(self, request: Request, response: Response, token: str | None, max_age: int | None) -> None:
        # A bare request (`pyramid.testing.DummyRequest`) has no scheme.
        is_https = getattr(request, "scheme", "http") == "https"
        is_secure = self._settings.cookie_secure.applies(https=is_https)
        if token is not None:
            self._warn_of_what_is_weak(request, is_https=is_https, is_secure=is_secure)
        if _has_header(response, "set-cookie"):
            # One alone (RFC 6265bis section 4.1.1): a view that commits by itself may have ordered one.
            response.headerlist[:] = [
                (name, value)
                for name, value in response.headerlist
                if name.lower() != "set-cookie" or not value.startswith(self._pair)
            ]
        response.headerlist.append(("Set-Cookie", self._header(token, max_age, is_secure=is_secure)))
        keep_out_of_caches(response)

    def _header(self, token: str | None, max_age: int | None, *, is_secure: bool) -> str:
        if token is None or max_age is not None:
            return self._make(token, max_age, is_secure=is_secure)
        # Always the same but for the token, which needs no quotes: it is URL-safe base64.
        attributes = self._attributes.get(is_secure)
        if attributes is None:
            attributes = self._make("", None, is_secure=is_secure).removeprefix(self._pair)
            self._attributes[is_secure] = attributes
        return f"{self._pair}{token}{attributes}"

    def _make(self, token: str | None, max_age: int | None, *, is_secure: bool) -> str:
        settings = self._settings
        header: str = make_cookie(
            self.name,
            token,
            max_age=max_age,
            path=settings.cookie_path,
            domain=settings.cookie_domain,
            secure=is_secure,
            httponly=settings.cookie_httponly,
            samesite=self._samesite.value,
        )
        if settings.cookie_partitioned:
            header += "; Partitioned"  # WebOb does not know it
        return header

    def _warn_of_what_is_weak(self, request: Request, *, is_https: bool, is_secure: bool) -> None:
        domain = self._settings.cookie_domain
        if domain is not None and not _is_within(request.host, domain):
            self._warn_once(
                "domain",
                f"The session cookie goes out for the domain {domain}, to a request to another host: no "
                "browser takes it from there, so nobody stays logged in. Set cookie_domain to what the hosts "
                "have in common, or leave it out; behind a proxy, let it pass on the Host header. This is "
                "said once.",
            )
        if is_https or _is_loopback(request.host):
            return
        if is_secure:
            if not _came_by_tls_before(request):
                self._warn_once(
                    "secure",
                    "The session cookie goes out as Secure, and the request came by plain http to a host "
                    "that is not loopback: browsers do not take it there, so nobody stays logged in. Serve "
                    "the application by https, or set cookie_secure to auto where that cannot be had. If a "
                    "proxy ends TLS, all is well; let it send X-Forwarded-Proto. This is said once.",
                )
            return
        self._warn_once(
            "plain http",
            "The session cookie goes out without Secure, because the request came by plain http to a host "
            "that is not loopback: anybody on the way can read it. Serve the application by https; behind a "
            "proxy that ends TLS, make the proxy's X-Forwarded-Proto known to the WSGI server (waitress: "
            "trusted_proxy and trusted_proxy_headers). This is said once.",
        )

    def _warn_once(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            log.warning("%s", message)


def _name_of(host: str) -> str:
    """Return the name or address in a Host header."""
    name = host.rsplit("]", 1)[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.rstrip(".").lower()


def _is_within(host: str, domain: str) -> bool:
    """Return whether a browser takes a cookie for `domain` from `host` (RFC 6265 section 5.1.3)."""
    name = _name_of(host)
    return name == domain or name.endswith(f".{domain}")


def _came_by_tls_before(request: Request) -> bool:
    """Return whether the browser has used TLS, as far as headers tell: good for no more than a warning."""
    environ = request.environ
    # Browsers send the second kind by https only (W3C Fetch Metadata, section 2).
    return environ.get("HTTP_X_FORWARDED_PROTO") == "https" or "HTTP_SEC_FETCH_SITE" in environ


def _is_loopback(host: str) -> bool:
    """Return whether `host`, as in the Host header, names this machine (RFC 6761 section 6.3)."""
    name = _name_of(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _has_header(response: Response, header: str) -> bool:
    # Not by `response.headers`, which wraps the list in a new object at each look.
    return header in map(str.lower, map(_name, response.headerlist))


_name = itemgetter(0)

# What headers' names of RFC 9213, vendors' variants of it, and Edge Architecture 1.0 end with: a cache that
# knows one of these takes no notice of Cache-Control.
_FOR_CONTENT_NETWORKS = "cdn-cache-control", "surrogate-control"


def _keep_out_of_content_networks(response: Response) -> None:
    for place, (name, value) in enumerate(response.headerlist):
        if name.lower().endswith(_FOR_CONTENT_NETWORKS):
            response.headerlist[place] = name, _not_stored(value)


def _not_stored(value: str) -> str:
    directives = [directive.strip() for directive in value.split(",")]
    others = [directive for directive in directives if directive.partition("=")[0].lower() not in _STORING]
    return ", ".join([*filter(None, others), "no-store"])


_STORING = frozenset(
    {
        "public",
        "no-store",
        "max-age",
        "s-maxage",
        "stale-while-revalidate",
        "stale-if-error",
    }
)


def keep_out_of_caches(response: Response) -> None:
    """See to it that no shared cache gives a response with a cookie to others."""
    _keep_out_of_content_networks(response)
    # `private` because many caches take no notice of a directive with a field name, and a bare `no-cache`
    # lets them store the cookie and hand it to others after asking us. A view's `no-store` is stricter.
    # By hand: WebOb's setter writes no-cache=Set-Cookie without the quotes the grammar demands.
    if not _has_header(response, "cache-control"):
        response.headerlist.append(("Cache-Control", 'private, no-cache="Set-Cookie"'))
        return
    directives = [directive.strip() for directive in response.headers["Cache-Control"].split(",")]
    names = {directive.lower() for directive in directives}
    if "no-store" in names:
        return
    if "private" not in names:
        directives = [directive for directive in directives if directive.lower() != "public"] + ["private"]
    if "no-cache" not in names and 'no-cache="set-cookie"' not in names:
        directives.append('no-cache="Set-Cookie"')
    response.headers["Cache-Control"] = ", ".join(directives)
