"""Keys from environment variables and files, and what a refused key leaves in a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from base64 import b64encode, urlsafe_b64decode
from errno import ENOENT
from functools import cache
from itertools import product
from math import log2
from random import Random
from string import ascii_letters, digits
from typing import TYPE_CHECKING

import pytest
from websession_crypto import (
    KeyFormatError,
    Keyring,
    SecretKey,
    Xaes256Gcm,
    conceal_keys,
    generate_secret_key,
)

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND, THIRD = (generate_secret_key() for _ in range(3))


def ring(*keys: str) -> tuple[SecretKey, ...]:
    return tuple(map(SecretKey.from_text, keys))


def problems(text: object, **environ: str) -> list[str]:
    with pytest.raises(KeyFormatError) as caught:
        Keyring.from_sources(text, environ)  # type: ignore[arg-type]
    return caught.value.problem.split("; ")


class TestSources:
    def test_keys_sources_and_lines_mix_in_order(self, tmp_path: Path) -> None:
        file = tmp_path / "old"
        file.write_text(f"{SECOND}\n")

        keyring = Keyring.from_sources(f"\n    {FIRST}\n    file:{file}\n    env:OLDER\n", {"OLDER": THIRD})

        assert keyring.keys == ring(FIRST, SECOND, THIRD)

    @pytest.mark.parametrize("form", ["{} {}", "\n{}\r\n{}\r\n"])
    def test_a_source_may_hold_several_keys(self, tmp_path: Path, form: str) -> None:
        file, held = tmp_path / "keys", form.format(FIRST, SECOND)
        file.write_text(held, newline="")

        assert Keyring.from_sources(f"file:{file}").keys == ring(FIRST, SECOND)
        assert Keyring.from_sources(["env:KEYS"], {"KEYS": held}).keys == ring(FIRST, SECOND)

    def test_variables_come_from_the_process_where_none_are_given(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COOKIE_KEYS", FIRST)
        assert Keyring.from_sources("env:COOKIE_KEYS").keys == ring(FIRST)

    def test_a_sequence_may_name_a_path_with_spaces_and_a_byte_order_mark_is_no_key(
        self, tmp_path: Path
    ) -> None:
        file = tmp_path / "my keys"
        file.write_text(FIRST, encoding="utf-8-sig")

        assert Keyring.from_sources([f"file:{file}"]).keys == ring(FIRST)

    def test_a_link_to_a_file_will_do(self, tmp_path: Path) -> None:
        (tmp_path / "..data").mkdir()
        (tmp_path / "..data" / "key").write_text(FIRST)
        (tmp_path / "key").symlink_to("..data/key")

        assert Keyring.from_sources(f"file:{tmp_path}/key").keys == ring(FIRST)

    def test_what_a_source_holds_is_no_source(self) -> None:
        assert "not base64" in problems("env:A", A="env:B", B=FIRST)[0]

    def test_keys_alone_are_read_as_by_from_text(self) -> None:
        assert Keyring.from_sources(f"{FIRST} {SECOND}").keys == Keyring.from_text(f"{FIRST} {SECOND}").keys


class TestMistakes:
    def test_everything_wrong_is_told_at_once_by_source_and_position(self, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        file.write_text(f"{FIRST} short! {FIRST}")

        absent = f"{tmp_path}/none cannot be read ({os.strerror(ENOENT)})"
        told = problems(f"env:NONE file:{tmp_path}/none file:{file} env:EMPTY", EMPTY=" ")

        assert told == [
            "secret key 1 of 4 is not there: the environment variable NONE is not set",
            f"secret key 2 of 4 is not there: the file {absent}",
            "secret key 4 of 4 is not there: the environment variable EMPTY is empty",
            f"secret key 2 of 3 in file:{file} is not base64: character 6 does not belong there",
            f"secret key 3 of 3 in file:{file} is the same as secret key 1 of 3 in file:{file}",
        ]

    def test_the_remedy_says_what_a_source_is(self) -> None:
        with pytest.raises(KeyFormatError, match=r"A source is env: with .* or file: with an absolute path"):
            Keyring.from_sources("env:NONE", {})

    @pytest.mark.parametrize("text", ["env:", "env:1", "env:A-B", "file:", "file:keys.txt", "file:~/keys"])
    def test_what_names_nothing_is_refused(self, text: str) -> None:
        assert "names no " in problems(text)[0]

    def test_a_weak_key_is_refused_wherever_it_comes_from(self) -> None:
        assert problems("env:WEAK", WEAK="a" * 43) == [
            "the secret key in env:WEAK is not random: it repeats a pattern"
        ]

    def test_a_file_that_everybody_can_write_to_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "key"
        file.write_text(FIRST)
        file.chmod(0o666)
        assert problems(f"file:{file}") == [
            f"the secret key is not safe: everybody can write to the file {file}"
        ]
        file.chmod(0o444)
        assert Keyring.from_sources(f"file:{file}").keys == ring(FIRST)
        (tmp_path / "as large as can be").write_text(FIRST.rjust(64 * 1024))
        assert Keyring.from_sources([f"file:{tmp_path}/as large as can be"]).keys == ring(FIRST)

    def test_what_is_no_regular_file_of_text_is_refused_without_waiting(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "large").write_bytes(b"x" * (64 * 1024 + 1))
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        (tmp_path / "nothing").touch()
        for name, why in {
            "": "is no regular file",
            "pipe": "is no regular file",
            "large": "is larger than 65536 bytes",
            "binary": "is not text",
            "nothing": "is empty",
        }.items():
            assert why in problems(f"file:{tmp_path}/{name}")[0]
        assert "no such path" in problems("file:/a\0b")[0]


# Not random to us, but so to everybody's eyes; in the standard alphabet it begins with a slash.
KEY = urlsafe_b64decode("_BF0h-Zbq3N_kD8yRr1WmXo5vTgQeJ7cPzB2sLiA4Kw=")
STANDARD, URL_SAFE = b64encode(KEY).decode(), "_BF0h-Zbq3N_kD8yRr1WmXo5vTgQeJ7cPzB2sLiA4Kw"


def window_shown(told: str) -> str | None:
    """Return eight characters of the key, in any spelling, that a text shows; None: it shows none."""
    for spelling in (STANDARD, URL_SAFE, KEY.hex()):
        for start in range(len(spelling) - 7):
            window = spelling[start : start + 8]
            if window.lower() in told.lower():
                return window
    return None


class TestAKeyWhereASourceIsNamed:
    """It is shown nowhere, whole, cut or mistyped; what is told instead says where it stands and why."""

    @pytest.mark.parametrize(
        "name",
        [
            STANDARD,
            STANDARD.rstrip("="),
            STANDARD[:-6],
            STANDARD[:20],
            STANDARD[:21] + STANDARD[22:],
            STANDARD[:20] + "!" + STANDARD[21:],
            STANDARD[:20] + "ß" + STANDARD[21:],
            STANDARD[:20] + "\u200b" + STANDARD[20:],
            "\0".join(STANDARD),
            "".join(chr(ord(each) + 0xFEE0) for each in STANDARD),
            STANDARD.upper(),
            STANDARD.lower(),
            STANDARD * 2,
            URL_SAFE,
            URL_SAFE[:20],
            KEY.hex(),
            KEY.hex().upper(),
            f"'{STANDARD}'",
            f"run/secrets/{URL_SAFE}",
            f"run/secrets/session_key={STANDARD}",
            f"run/secrets/session_key,{URL_SAFE}",
            f"run/secrets/session_key:{URL_SAFE}",
        ],
    )
    def test_a_file_that_may_be_a_key_is_not_named(self, name: str) -> None:
        for path in (name, f"/{name.removeprefix('/')}", f"//{name}"):
            (told,) = problems([f"file:{path}"])
            assert told.startswith("the secret key "), told
            assert window_shown(told.replace("\0", "")) is None

    @pytest.mark.parametrize(
        "name", [f"K{URL_SAFE.replace('-', 'x')}", f"K{URL_SAFE[:18]}", URL_SAFE, KEY.hex(), f"A{KEY.hex()}"]
    )
    def test_a_variable_that_may_be_a_key_is_not_named(self, name: str) -> None:
        for spelling in (name, name.upper(), name.lower()):
            (told,) = problems(f"env:{spelling}")
            assert "environment variable" in told
            assert window_shown(told) is None

    def test_nor_where_the_file_or_the_variable_exists(self, tmp_path: Path) -> None:
        file = tmp_path / URL_SAFE
        file.write_text("short!")
        told = problems(
            f"file:{file} env:K{URL_SAFE.replace('-', 'x')}", **{f"K{URL_SAFE.replace('-', 'x')}": ""}
        )
        assert len(told) == 2
        assert all(window_shown(each) is None for each in told)
        file.write_bytes(b"\xff")
        assert window_shown(problems(f"file:{file}")[0]) is None
        file.write_bytes(b"x" * (64 * 1024 + 1))
        assert window_shown(problems(f"file:{file}")[0]) is None
        file.chmod(0o666)
        assert window_shown(problems(f"file:{file}")[0]) is None
        file.unlink()
        file.mkdir()
        assert window_shown(problems(f"file:{file}")[0]) is None

    def test_every_wrong_source_keeps_its_position_and_the_harmless_their_names(self) -> None:
        unread = f"cannot be read ({os.strerror(ENOENT)})"
        assert problems(f"file:{STANDARD} env:SHOP_SESSION_KEY file:/run/secrets/none") == [
            f"secret key 1 of 3 is not there: the file (not shown: it may be a key) {unread}",
            "secret key 2 of 3 is not there: the environment variable SHOP_SESSION_KEY is not set",
            f"secret key 3 of 3 is not there: the file /run/secrets/none {unread}",
        ]

    def test_neither_the_chain_nor_a_frame_of_ours_shows_it(self) -> None:
        with pytest.raises(KeyFormatError) as caught:
            Keyring.from_sources([f"file:{STANDARD}", f"env:{URL_SAFE}"])
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert window_shown("".join(list(report.format())[1:]).partition("test_neither")[0]) is None
        for frame in report.stack[1:]:
            assert window_shown(str(frame.locals)) is None
        assert window_shown(repr(caught.value) + repr(caught.value.args)) is None

    @pytest.mark.skipif(sys.platform != "linux", reason="has no file that opens and cannot be read")
    def test_a_file_that_opens_and_cannot_be_read_is_a_mistake_like_any_other(self) -> None:
        (told,) = problems(["file:/proc/self/mem"])
        assert told.startswith("the secret key is not there: the file /proc/self/mem cannot be read")


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "/run/secrets/session_key",
            "/run/credentials/shop.service/session-key.txt",
            "/var/run/secrets/kubernetes.io/k8s/..2026_11_28_12_00_00.123456/key2",
            "/home/jürgen/My Keys/SessionKey.2nd",
            "/Users/Ada/Library/Keys/shopSessionKey2026",
            "/tmp/pytest-of-root/pytest-120/popen-gw0/test_x0/none",
            r"C:\\Program Files (x86)\\Shop\\keys.ini",
            "SHOP_PRODUCTION_SESSION_COOKIE_SECRET_KEY_2",
            "No module named 'yourproject.models.session'",
            "cannot import name 'Session' (/usr/lib/python3.12/site-packages/shop/models/__init__.py)",
            'connection to server at "127.0.0.1", port 5432 failed: Connection refused',
            "Could not parse SQLAlchemy URL from given URL string; PostgreSQL, MySQL, MariaDB or SQLite",
        ],
    )
    def test_a_text_of_names_is_shown_as_it_is(self, name: str) -> None:
        assert conceal_keys(name) == name

    def test_only_the_word_that_may_be_a_key_is_left_out(self) -> None:
        assert conceal_keys(f"No module named '{URL_SAFE}'\nin a") == (
            "No module named (not shown: it may be a key)\nin a"
        )

    def test_a_random_text_is_hardly_ever_taken_for_a_name(self) -> None:
        @cache
        def humps(letters: int, *, first: bool = False) -> int:
            """Return in how many cases letters make humps of [A-Z][a-z]{2,20}; the first may lack [A-Z]."""
            if not letters:
                return 1
            lengths = [*range(2, 21)] if first else []
            return sum(humps(letters - length) for length in [*lengths, *range(3, 22)] if length <= letters)

        @cache
        def names(length: int) -> int:
            """Return how many names there are at most of so many characters."""
            count = 10**length if length <= 14 else 0
            for before, between, after in product((0, 1), (1, 2), (1, 2)):
                count += (before + between + after == length) * 26 ** (before + after) * 10**between
            for behind in range(min(5, length)):
                letters = length - behind
                cases = (letters <= 20) + (letters <= 2) + humps(letters, first=True)
                count += cases * 26**letters * 10**behind
            return count

        @cache
        def shown(length: int) -> int:
            """Return how many texts of so many of base64's characters are of names and the two separators."""
            parts = (names(part) * 2 * shown(length - part - 1) for part in range(1, length))
            return 1 if length == 0 else 2 * shown(length - 1) + names(length) + sum(parts)

        assert log2(shown(43)) - 43 * 6 < -29
        assert log2(shown(24)) - 24 * 6 < -16
        assert log2(shown(12)) - 12 * 6 < -8
        alphabet, drawn = f"{ascii_letters}{digits}+/", Random(1)
        for length, most in ((43, 0), (24, 5), (12, 120)):
            texts = ["".join(drawn.choices(alphabet, k=length)) for _ in range(20_000)]
            assert sum(conceal_keys(text) == text for text in texts) <= most


class TestTracebacks:
    """What crash reports print: the locals of every frame of ours."""

    @pytest.mark.parametrize(
        "read",
        [
            lambda: SecretKey.from_text(PLANTED),
            lambda: SecretKey.from_text(PLANTED.encode()),  # type: ignore[arg-type]
            lambda: SecretKey(PLANTED.encode()),
            lambda: SecretKey(PLANTED),  # type: ignore[arg-type]
            lambda: Keyring.from_text(f"{FIRST} {PLANTED}"),
            lambda: Keyring.from_text([FIRST, PLANTED.encode()]),  # type: ignore[list-item]
            lambda: Keyring.from_sources("env:PLANTED", {"PLANTED": PLANTED}),
            lambda: Keyring.from_sources([PLANTED, 7]),  # type: ignore[list-item]
            lambda: Xaes256Gcm(PLANTED.encode()),
        ],
    )
    def test_a_refused_key_is_not_among_them(self, read: object) -> None:
        with pytest.raises((KeyFormatError, TypeError, ValueError)) as caught:
            read()  # type: ignore[operator]

        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert report.stack
        for frame in report.stack:
            for name, value in (frame.locals or {}).items():
                assert PLANTED not in value, f"{name} in {frame.name}"
        assert caught.value.__context__ is None


PLANTED = "n0t-a-key-but-close-to-one-and-therefore-secret-too"
