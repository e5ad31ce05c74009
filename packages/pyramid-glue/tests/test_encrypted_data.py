"""Sessions whose data is encrypted in the database, through the whole stack."""

from __future__ import annotations

import json

import pytest
from site_under_test import SECRET_KEY, FullSession, SealedSession
from sqlalchemy import select, update
from websession_core.errors import ConfigurationError
from websession_crypto import generate_secret_key
from websession_pyramid import get_session_factory

OLD, NEW = generate_secret_key(), generate_secret_key()
ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])


@pytest.fixture
def make_sealed(make_site):
    def make(keys=OLD, **settings):
        return make_site(model=SealedSession, settings={"session.data_secret_key": keys, **settings})

    return make


def put(request):
    request.session["cart"] = {**request.session.get("cart", {}), request.params["what"]: 3}
    request.session.flash("Put in the cart.")
    return "done"


def look(request):
    return {"cart": request.session.get("cart"), "flash": request.session.pop_flash()}


def served(site):
    site.views.update(put=put, look=look)
    return site.browser()


def stored(site):
    table = SealedSession.__table__
    with site.engine.connect() as connection:
        return connection.execute(select(table.c.data, table.c.flash)).one()


def test_the_application_notices_nothing_and_the_database_shows_nothing(make_sealed):
    site = make_sealed()
    browser = served(site)
    browser.get("/put?what=apples")
    browser.get("/put?what=pears")
    data, flash = stored(site)
    assert not any(word in data + flash for word in ("cart", "apples", "pears", "Put"))
    answer = browser.get("/look").json
    assert answer["cart"] == {"apples": 3, "pears": 3}
    assert answer["flash"] == ["Put in the cart.", "Put in the cart."]


def test_keys_can_be_changed_with_nothing_lost(make_sealed):
    site = make_sealed(OLD)
    browser = served(site)
    browser.get("/put?what=apples")
    before = stored(site)

    rotated = make_sealed(f"{NEW} {OLD}")
    second = served(rotated)
    second.cookiejar = browser.cookiejar
    assert second.get("/look").json["cart"] == {"apples": 3}
    second.get("/put?what=pears")
    assert stored(site) != before

    third = served(make_sealed(NEW))
    third.cookiejar = browser.cookiejar
    assert third.get("/look").json["cart"] == {"apples": 3, "pears": 3}


def test_without_the_key_the_log_is_clear_and_shows_nothing(make_sealed, caplog):
    site = make_sealed(OLD)
    browser = served(site)
    browser.get("/put?what=apples")
    data, _ = stored(site)
    stranger = served(make_sealed(NEW))
    stranger.cookiejar = browser.cookiejar
    assert stranger.get("/look").json["cart"] is None
    assert "no key of session.data_secret_key made it" in caplog.text
    assert data not in caplog.text
    assert "apples" not in caplog.text


def test_data_copied_from_anothers_session_is_refused(make_sealed, caplog):
    site = make_sealed()
    served(site).get("/put?what=apples")
    data, _ = stored(site)
    thief = site.browser()
    thief.get("/put?what=nothing")
    table = SealedSession.__table__
    with site.engine.begin() as connection:
        connection.execute(update(table).values(data=data))
    assert thief.get("/look").json["cart"] is None
    assert "copied from another row" in caplog.text


def test_a_leaked_database_reveals_neither_data_nor_a_cookie_that_is_usable(make_sealed):
    site = make_sealed()
    browser = served(site)
    browser.get("/put?what=apples")
    with site.engine.connect() as connection:
        row = connection.execute(select(SealedSession.__table__)).mappings().one()
    name = "session"
    (cookie,) = (each for each in browser.cookiejar if name in each.name)
    guesses = [row["id"].hex, str(row["id"]), row["data"], *(str(value) for value in row.values())]
    for guess in guesses:
        stranger = site.browser()
        stranger.set_cookie(cookie.name, guess.replace(" ", "")[:3000])
        assert stranger.get("/look").json["cart"] is None


class TestConfiguration:
    def test_the_mixin_without_a_key_stops_the_start(self):
        with pytest.raises(ConfigurationError, match="data_secret_key: is missing, and SealedSession has"):
            get_session_factory(SECRET_KEY, SealedSession)

    def test_a_key_without_the_mixin_stops_the_start(self):
        with pytest.raises(ConfigurationError, match="Session lacks EncryptedDataMixin"):
            get_session_factory(SECRET_KEY, FullSession, data_secret_key=OLD)

    @pytest.mark.parametrize("keys", [SECRET_KEY, [OLD, SECRET_KEY]], ids=["alone", "among others"])
    def test_a_key_of_the_cookies_stops_the_start(self, keys):
        with pytest.raises(ConfigurationError, match="is also a key of secret_key") as caught:
            get_session_factory(SECRET_KEY, SealedSession, data_secret_key=keys)
        assert SECRET_KEY not in str(caught.value)

    @pytest.mark.parametrize("keys", ["", "password", "env:NO_SUCH_VARIABLE", 7])
    def test_what_is_no_key_stops_the_start_and_is_not_shown(self, keys):
        with pytest.raises(ConfigurationError, match="data_secret_key") as caught:
            get_session_factory(SECRET_KEY, SealedSession, data_secret_key=keys)
        assert "password" not in str(caught.value)

    def test_keys_may_come_from_the_environment(self, monkeypatch):
        monkeypatch.setenv("DATA_KEYS", f"{NEW} {OLD}")
        factory = get_session_factory(SECRET_KEY, SealedSession, data_secret_key="env:DATA_KEYS")
        assert len(factory.settings.data_secret_key) == 2


class TestTheEncryptCommand:
    def test_encrypts_old_and_plain_rows_so_that_the_old_key_can_go(self, make_sealed, command, ini):
        site = make_sealed(OLD)
        browser = served(site)
        browser.get("/put?what=apples")
        uri = ini(
            session__model_class="site_under_test.SealedSession",
            session__data_secret_key=f"{NEW} {OLD}",
        )
        assert json.loads(command("encrypt", "--json", "--dry-run", uri).stdout)["written"] == 1
        result = command("encrypt", uri)
        assert (result.exit_code, result.stdout) == (0, "1 session: 1 encrypted, 0 refused\n")
        third = served(make_sealed(NEW))
        third.cookiejar = browser.cookiejar
        assert third.get("/look").json["cart"] == {"apples": 3}

    def test_reports_rows_of_an_unknown_key_and_leaves_them_alone(self, make_sealed, command, ini):
        served(make_sealed(OLD)).get("/put?what=apples")
        uri = ini(session__model_class="site_under_test.SealedSession", session__data_secret_key=NEW)
        result = command("encrypt", uri)
        assert result.exit_code == 1
        assert "No key of data_secret_key opens the data of 1 session" in result.stderr

    def test_refuses_a_row_that_somebody_has_written_by_hand(self, make_sealed, command, ini):
        site = make_sealed(OLD)
        browser = served(site)
        browser.get("/put?what=apples")
        with site.engine.begin() as connection:
            connection.execute(update(SealedSession.__table__).values(data={"role": "admin"}))
        uri = ini(session__model_class="site_under_test.SealedSession", session__data_secret_key=OLD)
        result = command("encrypt", uri)
        assert (result.exit_code, result.stdout) == (1, "1 session: 0 encrypted, 1 refused\n")
        assert "--plaintext" in result.stderr
        assert browser.get("/look").json["cart"] is None  # nor does the session open
        told = command("encrypt", "--plaintext", uri).stdout
        assert told == "1 session: 1 encrypted (1 for the first time), 0 refused\n"
        assert browser.get("/look").json["cart"] is None

    @ON_SQLITE
    def test_says_that_the_model_does_not_encrypt(self, command, ini):
        result = command("encrypt", ini())
        assert result.exit_code == 3
        assert "EncryptedDataMixin" in result.stderr
