"""Every block of settings in the documentation starts: its settings are known, and go together."""

from __future__ import annotations

import configparser
import re

import pytest
from pages import DOCS, PAGES, blocks
from pyramid_sqlalchemy_sessions import (
    ClientInfoMixin,
    EncryptedDataMixin,
    FullyFeaturedSession,
    SessionLimitMixin,
    factory_args_from_settings,
    generate_secret_key,
)
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


class Session(ClientInfoMixin, SessionLimitMixin, FullyFeaturedSession, Base):
    """A model that has what any setting needs."""

    __tablename__ = "session"


class SealedSession(EncryptedDataMixin, FullyFeaturedSession, Base):
    """The same for settings of encrypted data."""

    __tablename__ = "sealed_session"


README = DOCS.parent / "README.md"
BLOCKS = [
    pytest.param(block, id=f"{page.stem} {number}")
    for page in (README, *PAGES)
    for number, block in enumerate(blocks(page, "ini"))
]
# Of a page's second session.
PREFIXES = ("session.", "admin_session.")


@pytest.fixture
def key_file(tmp_path):
    """A file with a key, for the one that a page names."""
    file = tmp_path / "session_key"
    file.write_text(generate_secret_key())
    return file


def test_there_are_blocks():
    assert len(BLOCKS) > 15


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_settings_starts(block, monkeypatch, key_file):
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string(f"[app:main]\n{block}")
    settings = dict(ini["app:main"])
    for prefix in PREFIXES:
        if not any(name.startswith(prefix) for name in settings):
            continue
        for name in ("secret_key", "data_secret_key"):
            for source in settings.get(f"{prefix}{name}", "").split():
                monkeypatch.setenv(source.removeprefix("env:"), generate_secret_key())
        file = f"file:{key_file}"
        ours = {name: re.sub(r"file:/\S+/session_key", file, value) for name, value in settings.items()}
        ours[f"{prefix}model_class"] = SealedSession if f"{prefix}data_secret_key" in ours else Session
        if ours.get(f"{prefix}secret_key", "(").startswith("("):
            ours[f"{prefix}secret_key"] = generate_secret_key()
        assert factory_args_from_settings(ours, prefix=prefix)["model_class"] is ours[f"{prefix}model_class"]
