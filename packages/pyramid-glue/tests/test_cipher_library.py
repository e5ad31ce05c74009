"""The setting that chooses whose AES encrypts, through the whole stack."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pyramid.interfaces import ISessionFactory
from site_under_test import SECRET_KEY, FullSession, SealedSession
from websession_core.errors import ConfigurationError
from websession_crypto import Keyring, generate_secret_key
from websession_pyramid import factory_args_from_settings, get_session_factory

LIBRARIES = ("pycryptodome", "openssl")
ON_SQLITE = pytest.mark.parametrize("websession_engine_name", ["sqlite"])

START = """
import sys

for name in sys.argv[2:]:
    sys.modules[name] = None  # as if it were not installed

from site_under_test import SECRET_KEY
from websession_core.errors import ConfigurationError
from websession_pyramid import factory_args_from_settings

settings = {
    "session.secret_key": SECRET_KEY,
    "session.model_class": "site_under_test.Session",
    **({"session.cipher_library": sys.argv[1]} if sys.argv[1] else {}),
}
try:
    print(factory_args_from_settings(settings)["secret_key"].library)
except ConfigurationError as error:
    print(error)
"""


def start(library: str, *missing: str) -> str:
    """Read the settings in a process that lacks some packages; return what it prints."""
    command = [sys.executable, "-c", START, library, *missing]
    paths = ":".join(filter(None, sys.path))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": paths})
    return done.stdout.strip()


def note(request):
    request.session["cart"] = "apples"
    return "noted"


def look(request):
    return {"cart": request.session.get("cart")}


@ON_SQLITE
@pytest.mark.parametrize(("before", "after"), [LIBRARIES, LIBRARIES[::-1]])
def test_a_change_of_the_library_loses_no_cookie_and_no_encrypted_data(make_site, before, after):
    keys = {"session.data_secret_key": generate_secret_key()}
    first = make_site(model=SealedSession, settings={**keys, "session.cipher_library": before})
    first.view(note)
    browser = first.browser()
    browser.get("/note")

    second = make_site(model=SealedSession, settings={**keys, "session.cipher_library": after})
    second.view(look)
    again = second.browser()
    again.cookiejar = browser.cookiejar
    assert again.get("/look").json == {"cart": "apples"}
    factory = second.app.registry.getUtility(ISessionFactory)
    assert factory.settings.secret_key.library == after
    assert factory.settings.data_secret_key.library == after


def test_without_the_setting_it_is_pycryptodome():
    assert start("") == "pycryptodome"
    assert start("", "cryptography") == "pycryptodome"


def test_openssl_needs_no_pycryptodome():
    assert start(" OpenSSL ", "Crypto", "Cryptodome") == "openssl"


def test_a_library_that_is_not_installed_stops_the_start_with_setting_value_and_remedy():
    text = start("openssl", "cryptography")
    assert "session.cipher_library = 'openssl': cannot be used: the package cryptography, which" in text
    assert "install it, by the extra [openssl] of pyramid-sqlalchemy-sessions, or leave this out" in text
    assert "secret_key" not in text


def test_a_default_that_is_not_installed_stops_the_start_too():
    text = start("", "Crypto", "Cryptodome")
    assert "session.cipher_library: cannot be used: PyCryptodome cannot be imported" in text


@pytest.mark.parametrize("value", ["boringssl", "", 3])
def test_another_library_is_refused(value):
    with pytest.raises(ConfigurationError, match=r"cipher_library.*use pycryptodome or openssl"):
        get_session_factory(SECRET_KEY, FullSession, cipher_library=value)


def test_a_keyring_made_in_code_brings_its_library():
    keyring = Keyring.from_text(SECRET_KEY, library="openssl")
    values = factory_args_from_settings(
        {"session.secret_key": keyring, "session.model_class": "site_under_test.Session"}
    )
    assert values["secret_key"] is keyring


def test_a_keyring_made_for_another_library_than_the_setting_names_is_refused():
    keyring = Keyring.from_text(SECRET_KEY)
    with pytest.raises(ConfigurationError, match="secret_key: is a Keyring for pycryptodome") as caught:
        get_session_factory(keyring, FullSession, cipher_library="openssl")
    assert 'library="openssl"' in str(caught.value)
