"""Flask-Session with its SQLAlchemy back end, as its documentation sets it up."""

from __future__ import annotations

from functools import partial

import flask
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, event
from worker import Contender

from contenders import let_sqlite_hurry, session_views, versions


def make(url: str, size: int = 100) -> Contender:
    """Return the contender."""
    app = flask.Flask("contender")
    app.config.update(
        SECRET_KEY="a secret for the benchmark", SQLALCHEMY_DATABASE_URI=url, SESSION_TYPE="sqlalchemy"
    )
    if url.startswith("sqlite"):
        event.listen(Engine, "connect", let_sqlite_hurry)
    else:
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"isolation_level": "SERIALIZABLE"}
    database = SQLAlchemy(app)
    app.config["SESSION_SQLALCHEMY"] = database
    Session(app)
    for name, view in session_views(size).items():
        # The module's attribute `session` is that of the request.
        app.add_url_rule(f"/{name}", name, partial(view, flask))
    return Contender(
        app.wsgi_app, versions=versions("flask-session", "flask", "flask-sqlalchemy", "sqlalchemy", "psycopg")
    )
