"""A session whose model is a declarative dataclass is like any other."""

from __future__ import annotations

import pytest
from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship
from websession_crypto import generate_secret_key
from websession_models import ClientInfoMixin, EncryptedDataMixin, FullyFeaturedSession, SessionLimitMixin


class Base(MappedAsDataclass, DeclarativeBase):
    """The declarative base of an application that likes dataclasses."""


class User(Base):
    """Who logs in."""

    __tablename__ = "user_of_dataclass"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


class Session(EncryptedDataMixin, SessionLimitMixin, ClientInfoMixin, FullyFeaturedSession, Base):
    """The session, with everything."""

    __tablename__ = "session_of_dataclass"
    userid: Mapped[int | None] = mapped_column(
        ForeignKey("user_of_dataclass.id", ondelete="CASCADE"), index=True, default=None
    )
    language: Mapped[str] = mapped_column(String(10), default="en")
    user: Mapped[User | None] = relationship(lazy="joined", default=None)


@pytest.fixture
def site(make_site):
    site = make_site(
        model=Session,
        settings={
            "session.data_secret_key": generate_secret_key(),
            "session.idle_timeout": "600",
            "session.extension_delay": "60",
            "session.max_per_user": "2",
        },
    )

    @site.view
    def sign_up(request):
        request.dbsession.add(User(id=7, name="ada"))
        request.dbsession.flush()
        request.session.login(7)

    @site.view
    def speak(request):
        request.session.row().language = "de"

    @site.view
    def tell(request):
        row = request.session.row()
        return [row.language, row.user and row.user.name, request.session.copy()]

    return site


def test_its_own_columns_and_relationships_are_on_its_row(site):
    browser = site.browser()
    browser.get("/start")
    assert browser.get("/tell").json_body == ["en", None, {"a": 1}]
    browser.get("/speak")
    browser.get("/sign_up")
    assert browser.get("/tell").json_body == ["de", "ada", {"a": 1}]
    site.clock.advance(500)
    browser.get("/tell")
    site.clock.advance(500)
    assert browser.get("/who").json_body == 7
    browser.get("/leave")
    assert browser.get("/who").json_body is None
    assert site.rows() == []


def test_its_users_sessions_are_limited(site):
    browser = site.browser()
    browser.get("/sign_up")
    others = [site.browser() for _ in range(2)]
    for other in others:
        site.clock.advance(1)
        other.get("/login")
    assert browser.get("/who").json_body is None
    assert [other.get("/who").json_body for other in others] == [7, 7]


def test_it_can_be_queried(site):
    site.browser().get("/sign_up")
    with site.dbsession_maker() as dbsession:
        (row,) = dbsession.scalars(select(Session).where(Session.userid == 7)).unique()
        assert (row.language, row.user) == ("en", User(id=7, name="ada"))
