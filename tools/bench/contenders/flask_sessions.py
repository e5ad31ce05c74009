"""Flask-Session with its SQLAlchemy back end, as its documentation sets it up."""

from __future__ import annotations

from flask import Flask, session
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from worker import Contender

from contenders import payload, versions


def make(url: str, size: int = 100) -> Contender:
    """Return the contender.

    Args:
        url: Of the database.
        size: Of the payload, in bytes of JSON.
    """
    data = payload(size)
    app = Flask("contender")
    app.config.update(
        SECRET_KEY="a secret for the benchmark",
        SQLALCHEMY_DATABASE_URI=url,
        SESSION_TYPE="sqlalchemy",
    )
    if not url.startswith("sqlite"):
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"isolation_level": "SERIALIZABLE"}
    database = SQLAlchemy(app)
    if url.startswith("sqlite"):
        with app.app_context():

            @event.listens_for(database.engine, "connect")
            def _connect(connection: object, _record: object) -> None:
                for pragma in ("synchronous=OFF", "journal_mode=WAL"):
                    connection.execute(f"PRAGMA {pragma}").close()  # type: ignore[attr-defined]

    app.config["SESSION_SQLALCHEMY"] = database
    Session(app)

    @app.get("/untouched")
    def untouched() -> str:
        return ""

    @app.get("/read")
    def read() -> str:
        return str(session["counter"])

    @app.get("/write")
    def write() -> str:
        session["counter"] += 1
        return str(session["counter"])

    @app.get("/new")
    def new() -> str:
        session.update(data)
        return ""

    return Contender(
        app.wsgi_app,
        versions=versions("flask-session", "flask", "flask-sqlalchemy", "sqlalchemy", "psycopg"),
    )
