"""Sessions stay on the primary where an application reads from replicas, as docs/how-to/clusters.md says."""

from __future__ import annotations

import re
from pathlib import Path

import zope.sqlalchemy
from site_under_test import FullSession, User, make_engine
from sqlalchemy import event, insert, select

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "clusters.md"


def routing_session(primary, replica):
    """Return the class that the page shows."""
    recipes = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (recipe,) = [recipe for recipe in recipes if "RoutingSession" in recipe]
    names = {"WebSessionModel": FullSession, "primary": primary, "replica": replica}
    exec(recipe.replace("from yourproject.models.session import Session as WebSessionModel\n", ""), names)
    return names["RoutingSession"]


def test_every_statement_of_a_session_goes_to_the_primary(make_site, tmp_path):
    # Nothing is replicated, so that whatever went to the wrong one would find nothing there.
    replica = make_engine(f"sqlite:///{tmp_path / 'replica.sqlite'}")
    User.__table__.create(replica)
    with replica.begin() as connection:
        connection.execute(insert(User).values(id=1, name="on the replica"))
    asked = []
    made = []

    def dbsession(request):
        if not made:
            made.append(routing_session(site.engine, replica))
        session = made[0]()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    site = make_site(
        model=FullSession,
        settings={"session.idle_timeout": 1000, "session.extension_delay": 10},
        dbsession_factory=dbsession,
    )

    @event.listens_for(replica, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_rest):
        asked.append(statement)

    @site.view
    def start(request):
        request.session["name"] = request.dbsession.scalar(select(User.name))

    browser = site.browser()
    try:
        browser.get("/start")
        site.clock.advance(100)
        assert browser.get("/look").json_body == {"name": "on the replica"}
        assert site.activity()[0]["active_at"] == site.clock.now
        browser.get("/leave")
        assert site.rows() == []
        reads = [statement for statement in asked if statement.startswith("SELECT")]
        assert [statement for statement in reads if "session" in statement] == []
        assert len(reads) == 1
    finally:
        replica.dispose()
