"""Keys from environment variables and files, and what a refused key leaves in a traceback."""

from __future__ import annotations

import os
import traceback
from errno import ENOENT
from typing import TYPE_CHECKING

import pytest
from websession_crypto import KeyFormatError, Keyring, SecretKey, Xaes256Gcm, generate_secret_key

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

    @pytest.mark.parametrize("prefix", ["env:", "file:"])
    def test_a_key_behind_the_colon_is_not_shown(self, prefix: str) -> None:
        key = "K" + generate_secret_key()[1:]
        assert key not in problems(prefix + key)[0]

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
