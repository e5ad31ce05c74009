"""Pyramid's `SignedCookieSessionFactory`: everything is in the cookie, and no database is asked."""

from __future__ import annotations

from pyramid.session import SignedCookieSessionFactory
from worker import Contender

from contenders import session_views, versions
from contenders.pyramid_app import make_app


def make(size: int = 100) -> Contender:
    """Return the contender; a cookie holds 4,064 bytes."""
    # Without `reissue_time` it would send the cookie again with every request.
    factory = SignedCookieSessionFactory("a secret for the benchmark", reissue_time=60)
    app = make_app(session_views(size), configure=lambda config: config.set_session_factory(factory))
    return Contender(app, versions=versions("pyramid", "pyramid-tm"))
