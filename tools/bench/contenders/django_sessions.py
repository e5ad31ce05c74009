"""Django's `sessions.backends.db`: a signed, compressed text in a table, read and written in autocommit."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from worker import Contender

from contenders import session_views, versions

urlpatterns: list[Any] = []


def make(url: str, size: int = 100) -> Contender:
    """Return the contender."""
    urlpatterns[:] = [
        path(name, lambda request, view=view: HttpResponse(view(request)))
        for name, view in session_views(size).items()
    ]
    settings.configure(
        SECRET_KEY="a secret for the benchmark",
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["django.contrib.sessions"],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
        SESSION_ENGINE="django.contrib.sessions.backends.db",
        DATABASES={"default": _database(url)},
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    return Contender(get_wsgi_application(), versions=versions("django", "psycopg"))


def _database(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": urlsplit(url).path.removeprefix("/"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL"},
        }
    import psycopg  # noqa: PLC0415 - not needed for SQLite

    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.removeprefix("/"),
        "USER": parts.username,
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": parts.port,
        # By default it connects again for each request; the others have a pool.
        "CONN_MAX_AGE": None,
        "OPTIONS": {"isolation_level": psycopg.IsolationLevel.SERIALIZABLE},
    }
