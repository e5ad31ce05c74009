"""What an attacker sends instead of a cookie, and an application at which it is aimed.

Everything is drawn from one `random.Random`, so that a seed repeats a run; Hypothesis brings one of its own.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from site_under_test import SECRET_KEY, FullSession
from sqlalchemy import select
from websession_core.state import Ticket
from websession_crypto import Keyring, TokenCodec, generate_secret_key
from websession_models import fresh_session_id

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from site_under_test import Site

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LONGEST = 4400
_NAMES = ("Websession", "websession ", "xwebsession", "$websession", "", "websession=websession")
_STRANGERS = 16


def decoded(token: str) -> bytes:
    return urlsafe_b64decode(token + "=" * (-len(token) % 4))


def spelled(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


class Target:
    """An application with users' sessions, shot at by WSGI calls without a client in between.

    Args:
        make_site: Makes the application.
        settings: Settings beside the timeouts.
    """

    def __init__(self, make_site: Callable[..., Site], **settings: Any) -> None:
        timeouts = {"idle_timeout": 600, "absolute_timeout": 3600, "renewal_timeout": 300}
        self.site = make_site(
            model=FullSession,
            settings={f"session.{name}": value for name, value in {**timeouts, **settings}.items()},
        )
        self.site.views["start"] = lambda request: request.session.update(secret="of-a-user")
        self.genuine = [self._victim() for _ in range(2)]
        self._codec = TokenCodec(Keyring.from_text(SECRET_KEY), purpose="websession")
        tickets = [self._codec.decrypt(token) for token in self.genuine]
        others = [
            TokenCodec(Keyring.from_text(generate_secret_key()), purpose="websession"),
            TokenCodec(Keyring.from_text(SECRET_KEY), purpose="admin"),
            TokenCodec(Keyring.from_text(SECRET_KEY), purpose="Websession"),
        ]
        self.foreign = [codec.encrypt(ticket) for codec in others for ticket in tickets]
        self.unknown = [
            self._codec.encrypt(Ticket(fresh_session_id(), issued_at=self.site.clock.now).to_bytes())
            for _ in range(_STRANGERS)
        ]
        self.no_tickets = [
            self._codec.encrypt(payload)
            for payload in (b"", b"\0", tickets[0][:-1], tickets[0] + b"\0", b"\xff" * len(tickets[0]))
        ]
        self.stored = self.state()

    def _victim(self) -> str:
        browser = self.site.browser()
        for path in ("/start", "/login", "/look"):
            browser.get(path)
        return str(browser.cookies["websession"])

    def state(self) -> list[Any]:
        """Return everything in both tables."""
        tables = FullSession.metadata.tables
        with self.site.engine.connect() as connection:
            return [
                tuple(row)
                for name in ("full_session", "full_session_activity")
                for row in connection.execute(select(tables[name]).order_by("id"))
            ]

    def send(self, header: str) -> tuple[str, dict[str, str], bytes, list[str]]:
        """Send a request with this cookie header.

        Returns:
            The status, the headers, the body and the first words of the SQL statements.
        """
        started: list[Any] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/look",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "HTTP_COOKIE": header,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        self.site.statements.clear()
        body = b"".join(self.site.app(environ, lambda status, headers, *_: started.append((status, headers))))
        ((status, headers),) = started
        return status, dict(headers), body, self.site.statements

    def refuses(self, header: str) -> None:
        """Check that nothing was accepted, changed or broken."""
        status, headers, body, statements = self.send(header)
        assert status == "200 OK", header
        assert body == b"{}", header
        assert "Set-Cookie" not in headers, header
        assert headers["Vary"] == "Cookie", header
        selects = statements.count("SELECT")
        assert selects <= 1, header
        assert selects + statements.count("BEGIN") + statements.count("COMMIT") == len(statements), header

    def opens_what_is_genuine(self) -> None:
        """Check that the victims' own cookies still work, and that nothing was stored."""
        for token in self.genuine:
            assert b"of-a-user" in self.send(f"websession={token}")[2]
        assert self.state() == self.stored

    # -- what is sent --------------------------------------------------------------------------------------

    def headers(self, draw: random.Random) -> Iterator[str]:
        """Draw cookie headers without end."""
        while True:
            yield self.header(draw)

    def header(self, draw: random.Random) -> str:
        """Draw one cookie header, of one cookie or of several, well-formed or not."""
        count = draw.choice((1, 1, 1, 1, 2, 3, 6))
        parts = [self._part(draw) for _ in range(count)]
        return draw.choice(("; ", ";", " ;\t", ";;")).join(parts)

    def _part(self, draw: random.Random) -> str:
        value = self.value(draw)
        name = draw.choice(("session",) * 12 + _NAMES)
        quote = draw.choice(("",) * 9 + ('"',))
        return f"{name}={quote}{value}{quote}"

    def value(self, draw: random.Random) -> str:
        """Draw a value that is no genuine token, however it is stripped."""
        while True:
            kind = draw.choice(KINDS)
            value = kind(self, draw)
            if not any(token in value for token in self.genuine):
                return value

    def _flipped(self, draw: random.Random) -> str:
        raw = bytearray(decoded(draw.choice(self.genuine)))
        for _ in range(draw.choice((1, 1, 1, 2, 8))):
            raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
        return spelled(bytes(raw))

    def _retyped(self, draw: random.Random) -> str:
        token = draw.choice(self.genuine)
        place = draw.randrange(len(token))
        return token[:place] + chr(draw.randrange(256)) + token[place + 1 :]

    def _cut(self, draw: random.Random) -> str:
        token = draw.choice(self.genuine)
        start = draw.randrange(len(token))
        return draw.choice((token[:start], token[start + 1 :], token[:start] + token[start + 1 :]))

    def _spliced(self, draw: random.Random) -> str:
        one, other = self.genuine
        place = draw.randrange(1, len(one) - 1)
        return one[:place] + other[place:]

    def _versioned(self, draw: random.Random) -> str:
        return spelled(bytes([draw.choice((0, *range(2, 256)))]) + decoded(draw.choice(self.genuine))[1:])

    def _long(self, draw: random.Random) -> str:
        token = draw.choice(self.genuine)
        return (token * (_LONGEST // len(token) + 1))[1 : draw.randrange(2, _LONGEST)]

    def _noise(self, draw: random.Random) -> str:
        length = draw.choice((draw.randrange(40), draw.randrange(300), draw.randrange(_LONGEST)))
        return spelled(draw.randbytes(length * 3 // 4 + 1))[:length]

    def _bytes(self, draw: random.Random) -> str:
        return draw.randbytes(draw.randrange(200)).decode("latin-1")

    def _foreign(self, draw: random.Random) -> str:
        return draw.choice(self.foreign)

    def _unknown(self, draw: random.Random) -> str:
        return draw.choice(self.unknown)

    def _no_ticket(self, draw: random.Random) -> str:
        return draw.choice(self.no_tickets)


KINDS: tuple[Callable[[Target, random.Random], str], ...] = (
    *(Target._flipped,) * 3,
    Target._retyped,
    Target._cut,
    Target._spliced,
    Target._versioned,
    Target._long,
    Target._noise,
    Target._bytes,
    Target._foreign,
    Target._unknown,
    Target._no_ticket,
)
