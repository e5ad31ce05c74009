"""The cookie: its attributes, the headers beside it, and what a client may send instead of it."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyramid.httpexceptions import HTTPNotFound
from pyramid.response import Response
from site_under_test import SECRET_KEY, FullSession
from websession_crypto import Keyring, TokenCodec, generate_secret_key

pytestmark = pytest.mark.parametrize("websession_engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def cookie_of(make_site):
    """Return the cookie (a `Morsel`) and the response of a request that begins a session."""

    def make(settings=None, environ=None, response=None):
        site = make_site(settings=settings)

        @site.view
        def it(request):
            request.session["a"] = 1
            return response or "done"

        got = site.browser(**(environ or {})).get("/it")
        (header,) = got.headers.getall("Set-Cookie")
        (morsel,) = SimpleCookie(header).values()
        return morsel, got

    return make


def test_its_attributes_are_safe_by_default(cookie_of):
    cookie, response = cookie_of()
    assert cookie.key == "websession"
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert not cookie["max-age"]
    assert not cookie["expires"]
    assert response.headers["Cache-Control"] == 'private, no-cache="Set-Cookie"'
    assert response.headers["Vary"] == "Cookie"


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_secure_whenever_the_request_came_by_https(cookie_of, scheme, secure):
    cookie, _ = cookie_of(environ={"wsgi.url_scheme": scheme})
    assert bool(cookie["secure"]) is secure


def test_every_attribute_can_be_set(cookie_of):
    cookie, _ = cookie_of(
        {
            "session.cookie_name": "id",
            "session.cookie_max_age": "3600",
            "session.cookie_path": "/it",
            "session.cookie_domain": "example.com",
            "session.cookie_secure": "true",
            "session.cookie_httponly": "false",
            "session.cookie_samesite": "Strict",
        },
        environ={"HTTP_HOST": "www.example.com"},
    )
    assert cookie.key == "id"
    assert cookie["max-age"] == "3600"
    assert (cookie["path"], cookie["domain"]) == ("/it", "example.com")
    assert cookie["secure"]
    assert not cookie["httponly"]
    assert cookie["samesite"].lower() == "strict"


def test_the_cookie_can_be_partitioned(make_site):
    # `http.cookies` knows the attribute from Python 3.14 on.
    site = make_site(settings={"session.cookie_partitioned": "true", "session.cookie_secure": "true"})
    browser = site.browser(**{"wsgi.url_scheme": "https"})
    for path in ("/start", "/leave"):
        assert browser.get(path).headers["Set-Cookie"].endswith("; SameSite=Lax; Partitioned")


def test_a_removed_cookie_has_the_attributes_of_the_one_it_removes(make_site):
    site = make_site(settings={"session.cookie_path": "/", "session.cookie_domain": "example.com"})
    browser = site.browser(HTTP_HOST="www.example.com", **{"wsgi.url_scheme": "https"})
    browser.get("/start")
    header = browser.get("/leave").headers["Set-Cookie"]
    assert header.startswith("websession=;")
    for attribute in ("Max-Age=0", "Path=/", "Domain=example.com", "secure", "HttpOnly", "SameSite=Lax"):
        assert attribute.lower() in header.lower()


@pytest.mark.parametrize("host", ["shop.example", "192.0.2.1:6543", "127.example", "[2001:db8::1]:80"])
def test_plain_http_to_a_real_host_is_warned_of_once(make_site, caplog, host):
    site = make_site()
    site.views["it"] = lambda request: request.session.update(a=1)
    for _ in range(2):
        site.browser(HTTP_HOST=host).get("/it")
    assert len([record for record in caplog.records if "plain http" in record.getMessage()]) == 1


@pytest.mark.parametrize("host", ["localhost", "localhost:6543", "app.localhost", "127.0.0.1", "[::1]:80"])
def test_plain_http_on_the_machine_itself_is_not(make_site, caplog, host):
    site = make_site()
    site.views["it"] = lambda request: request.session.update(a=1)
    site.browser(HTTP_HOST=host).get("/it")
    assert not caplog.records


def lost_cookies(site, caplog, environ):
    site.views["it"] = lambda request: request.session.update(a=1)
    for _ in range(2):
        site.browser(**environ).get("/it")
    return [record for record in caplog.records if "nobody stays logged in" in record.getMessage()]


@pytest.mark.parametrize(
    ("host", "headers", "count"),
    [
        ("shop.example", {}, 1),
        ("192.0.2.1:6543", {}, 1),
        ("localhost:6543", {}, 0),
        ("shop.example", {"wsgi.url_scheme": "https"}, 0),
        # A proxy has ended TLS, of which the WSGI server was not told.
        ("shop.example", {"HTTP_X_FORWARDED_PROTO": "https"}, 0),
        ("shop.example", {"HTTP_SEC_FETCH_SITE": "none"}, 0),
    ],
)
def test_a_secure_cookie_to_plain_http_is_warned_of_once(make_site, caplog, host, headers, count):
    site = make_site(settings={"session.cookie_secure": "true"})
    assert len(lost_cookies(site, caplog, {"HTTP_HOST": host, **headers})) == count


@pytest.mark.parametrize(
    ("host", "count"),
    [
        ("example.com", 0),
        ("www.Example.com:8443", 0),
        ("example.org", 1),
        ("badexample.com", 1),
        ("localhost", 1),
        ("[::1]:80", 1),
    ],
)
def test_a_domain_that_is_not_the_hosts_is_warned_of_once(make_site, caplog, host, count):
    site = make_site(settings={"session.cookie_domain": "example.com"})
    environ = {"HTTP_HOST": host, "wsgi.url_scheme": "https"}
    assert len(lost_cookies(site, caplog, environ)) == count


@pytest.mark.parametrize(
    ("header", "said", "sent"),
    [
        ("CDN-Cache-Control", "max-age=600", "no-store"),
        ("Cloudflare-CDN-Cache-Control", "public, max-age=600, stale-if-error=60", "no-store"),
        ("cdn-cache-control", "private", "private, no-store"),
        ("Surrogate-Control", 'content="ESI/1.0", max-age=600', 'content="ESI/1.0", no-store'),
    ],
)
def test_a_cookie_is_kept_out_of_caches_that_have_a_header_of_their_own(cookie_of, header, said, sent):
    response = Response("done", headers={header: said})
    _, got = cookie_of(response=response)
    assert got.headers.getall(header) == [sent]


def test_such_a_header_stays_as_it_is_where_no_cookie_is_sent(make_site):
    site = make_site()
    site.views["it"] = lambda request: Response("done", headers={"CDN-Cache-Control": "max-age=600"})
    assert site.browser().get("/it").headers["CDN-Cache-Control"] == "max-age=600"


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("no-store", "no-store"),
        ("no-cache", "no-cache, private"),
        ("private, NO-CACHE", "private, NO-CACHE"),
        ("private", 'private, no-cache="Set-Cookie"'),
        ("max-age=60", 'max-age=60, private, no-cache="Set-Cookie"'),
        ("Public, max-age=60", 'max-age=60, private, no-cache="Set-Cookie"'),
        ('no-cache="Set-Cookie"', 'no-cache="Set-Cookie", private'),
    ],
)
def test_what_a_view_says_to_caches_is_never_weakened(cookie_of, said, sent):
    _, response = cookie_of(response=Response(headerlist=[("Cache-Control", said)]))
    assert response.headers["Cache-Control"] == sent


@pytest.mark.parametrize(
    ("said", "sent"),
    [("Accept", "Accept, Cookie"), ("*", "*"), ("cookie", "cookie"), ("COOKIE, A", "COOKIE, A")],
)
def test_vary_is_completed(cookie_of, said, sent):
    _, response = cookie_of(response=Response(headerlist=[("Vary", said)]))
    assert response.headers["Vary"] == sent


def test_a_persistent_cookie_is_sent_again_before_it_runs_out(make_site):
    site = make_site(settings={"session.cookie_max_age": 1000})
    browser = site.browser()
    browser.get("/start")
    site.clock.advance(99)
    assert "Set-Cookie" not in browser.get("/look").headers
    site.clock.advance(1)
    assert "Max-Age=1000" in browser.get("/look").headers["Set-Cookie"]
    site.clock.advance(99)
    assert "Set-Cookie" not in browser.get("/look").headers
    assert browser.get("/look").json_body == {"a": 1}


class TestCaches:
    """What caches are told, whatever becomes of the request."""

    @pytest.fixture
    def site(self, make_site):
        site = make_site(
            model=FullSession,
            settings={"session.idle_timeout": 600, "session.renewal_timeout": 300},
            error_page=lambda exception, request: Response("sorry", status=500),
        )
        site.views["idle"] = lambda request: None
        site.views["gone"] = lambda request: HTTPNotFound() if request.session.userid else None

        @site.view
        def fail(request):
            return request.session["missing"]

        @site.view
        def doomed(request):
            request.session["a"] = 1
            request.tm.doom()

        return site

    @pytest.mark.parametrize("cookie", ["good", "none", "junk", "expired", "ended"])
    @pytest.mark.parametrize("path", ["/look", "/gone", "/fail", "/doomed"])
    def test_a_response_that_depends_on_the_session_says_so(self, site, cookie, path):
        browser = site.browser()
        if cookie != "none":
            browser.get("/login")
        if cookie == "junk":
            browser.set_cookie("websession", "junk")
        elif cookie == "expired":
            site.clock.advance(600)
        elif cookie == "ended":
            token = browser.cookies["websession"]
            browser.get("/leave")
            browser.set_cookie("websession", token)
        assert browser.get(path, status="*").headers["Vary"] == "Cookie"

    def test_one_that_does_not_can_be_cached_for_all(self, site):
        browser = site.browser()
        browser.get("/login")
        headers = browser.get("/idle").headers
        assert "Vary" not in headers
        assert "Cache-Control" not in headers

    @pytest.mark.parametrize("path", ["/login", "/leave", "/look", "/fail"])
    def test_one_that_sets_the_cookie_is_stored_by_no_shared_cache_with_it(self, site, path):
        browser = site.browser()
        browser.get("/login")
        browser.get("/look")
        site.clock.advance(300)  # a renewal is due, which goes out with an error page, too
        headers = browser.get(path, status="*").headers
        assert "Set-Cookie" in headers
        assert headers["Cache-Control"] == 'private, no-cache="Set-Cookie"'
        assert headers["Vary"] == "Cookie"


class TestKeys:
    """Several keys: the first one encrypts, every one decrypts."""

    def test_a_session_survives_a_new_key_in_front_of_the_old_one(self, make_site):
        old, new = SECRET_KEY, generate_secret_key()
        before = make_site()
        after = make_site(settings={"session.secret_key": f"{new}\n{old}"})
        browser = before.browser()
        browser.get("/start")
        browser.app = after.app
        assert browser.get("/look").json_body == {"a": 1}

    def test_without_the_old_key_the_session_is_unknown_and_the_cookie_stays(self, make_site):
        before = make_site()
        after = make_site(settings={"session.secret_key": generate_secret_key()})
        browser = before.browser()
        browser.get("/start")
        browser.app = after.app
        response = browser.get("/look")
        assert response.json_body == {}
        assert "Set-Cookie" not in response.headers


class TestWhatAClientMaySend:
    """Nothing it sends causes an error, is accepted, or makes the server write."""

    def send(self, site, header):
        site.statements.clear()
        response = site.browser().get("/look", headers={"Cookie": header})
        assert "Set-Cookie" not in response.headers
        assert [each for each in site.statements if each != "BEGIN"] in ([], ["SELECT"])
        return response.json_body

    @given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=300))
    @example("ÿ" * 10)
    @example("=" * 5000)
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_bytes(self, site, junk):
        assert self.send(site, junk) == {}
        assert self.send(site, f"websession={junk}") == {}

    def test_another_cookie_that_is_not_utf_8_does_no_harm(self, site):
        browser = site.browser()
        browser.get("/start")
        token = browser.cookies["websession"]
        assert self.send(site, f"other=\xff\xfe; websession={token}") == {"a": 1}

    def test_a_planted_cookie_of_the_same_name_does_not_hide_the_honest_one(self, site):
        browser = site.browser()
        browser.get("/start")
        token = browser.cookies["websession"]
        assert self.send(site, f"websession=junk; websession={token}") == {"a": 1}
        assert self.send(site, f"websession={token}; websession=junk") == {"a": 1}

    def test_a_token_made_for_another_cookie_is_refused(self, site):
        browser = site.browser()
        browser.get("/start")
        keyring = Keyring.from_text(SECRET_KEY)
        payload = TokenCodec(keyring, purpose="websession").decrypt(browser.cookies["websession"])
        foreign = TokenCodec(keyring, purpose="admin_session").encrypt(payload)
        assert self.send(site, f"websession={foreign}") == {}

    @pytest.mark.parametrize("payload", [b"", b"x", b"\0" * 57, b"\1" + b"\xff" * 56, b"\2" + b"\0" * 56])
    def test_an_authentic_token_that_holds_no_ticket_is_refused(self, site, payload):
        token = TokenCodec(Keyring.from_text(SECRET_KEY), purpose="websession").encrypt(payload)
        assert self.send(site, f"websession={token}") == {}

    def test_every_truncation_and_bit_flip_of_a_token_is_refused(self, site):
        browser = site.browser()
        browser.get("/start")
        token = browser.cookies["websession"]
        tampered = [token[:length] for length in range(len(token))]
        tampered += [
            token[:index] + chr(ord(character) ^ 1) + token[index + 1 :]
            for index, character in enumerate(token)
            if (chr(ord(character) ^ 1)).isalnum()
        ]
        for each in tampered:
            assert self.send(site, f"websession={each}") == {}
        assert self.send(site, f"websession={token}") == {"a": 1}

    def test_a_session_that_is_gone_is_no_reason_to_remove_the_cookie(self, site):
        browser = site.browser()
        browser.get("/start")
        with site.dbsession_maker.begin() as other:
            other.delete(other.query(site.model).one())
        response = browser.get("/look")
        assert response.json_body == {}
        assert "Set-Cookie" not in response.headers

    def test_a_logout_removes_even_a_cookie_that_opens_nothing(self, site):
        response = site.browser().get("/leave", headers={"Cookie": "websession=junk"})
        assert "Max-Age=0" in response.headers["Set-Cookie"]
