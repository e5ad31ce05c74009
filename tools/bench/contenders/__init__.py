"""The contenders: small applications that do the same thing with a session, each in its library's own way.

Each module has a function `make` that returns a `worker.Contender`. Its options are the `url` of a database,
where it has one, and the `size` of the payload in bytes of JSON. The views are:

- ``/untouched`` does not look at the session,
- ``/read`` answers with the session's ``counter``,
- ``/write`` adds one to it,
- ``/new`` stores `payload()` in a new session,
- ``/take`` answers with the length of the session's ``cart``, which it takes out for that,
- ``/change`` adds one to the pieces of the first article in the cart, in place.
"""

from __future__ import annotations

import contextlib
import json
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def payload(size: int = 100) -> dict[str, Any]:
    """Return what a session holds: a counter, a cart, and a note that makes its JSON `size` bytes long."""
    items = [{"article": number, "name": "earl grey, loose", "pieces": 2} for number in range(size // 100)]
    data = {"counter": 1, "cart": items, "language": "en", "note": ""}
    return data | {"note": "x" * max(0, size - len(json.dumps(data)))}


def versions(*names: str) -> dict[str, str]:
    """Return the versions of the distributions that are installed."""
    result = {}
    for name in names:
        with contextlib.suppress(PackageNotFoundError):
            result[name] = version(name)
    return result


def session_views(size: int = 100) -> dict[str, Callable[[Any], str]]:
    """Return the views for what is the attribute `session` of their argument, a request mostly."""
    data = payload(size)

    def read(request: Any) -> str:
        return str(request.session["counter"])

    def write(request: Any) -> str:
        request.session["counter"] += 1
        return str(request.session["counter"])

    def new(request: Any) -> str:
        request.session.update(data)
        return ""

    def take(request: Any) -> str:
        return str(len(request.session["cart"]))

    def change(request: Any) -> str:
        article = request.session["cart"][0]
        article["pieces"] += 1
        return str(article["pieces"])

    views = {"read": read, "write": write, "new": new, "take": take, "change": change}
    return {"untouched": lambda _request: "", **views}


def let_sqlite_hurry(connection: Any, _record: object) -> None:
    """Flush nothing to disk, and let readers and writers work side by side; for SQLAlchemy's `connect`."""
    for pragma in ("synchronous=OFF", "journal_mode=WAL"):
        connection.execute(f"PRAGMA {pragma}").close()
