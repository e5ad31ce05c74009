"""pyramid_session_redis: the session is in Redis, outside of the application's transaction."""

from __future__ import annotations

from worker import Contender

from contenders import session_views, versions
from contenders.pyramid_app import make_app


def make(redis_url: str, size: int = 100) -> Contender:
    """Return the contender, with its own defaults; the URL has the server's password."""
    app = make_app(
        session_views(size),
        settings={
            "redis.sessions.secret": "a secret for the benchmark",
            "redis.sessions.redis_url": redis_url,
        },
        configure=lambda config: config.include("pyramid_session_redis"),
    )
    return Contender(app, versions=versions("pyramid-session-redis", "redis", "pyramid", "pyramid-tm"))
