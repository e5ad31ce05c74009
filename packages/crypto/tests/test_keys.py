"""Secret keys and keyrings: what is accepted, what is refused, and that neither is ever shown."""

import copy
import logging
import pickle
import subprocess
import sys
import uuid
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from math import comb

import pytest
from websession_crypto import CryptoError, KeyFormatError, Keyring, SecretKey, Xaes256Gcm, generate_secret_key
from websession_crypto import _lookalikes as lookalikes

# Not random to us, but so to everybody's eyes; with digits that differ between the two alphabets.
TEXT = "uF0h-Zbq3N_kD8yRr1WmXo5vTgQeJ7cPzB2sLiA4KwU"
RAW = urlsafe_b64decode(TEXT + "=")
OTHER = "Zt6GxqJ1-dYv0NfRwS9uKc3MbHhPiE7oTaL5kXgVz8A"
THIRD = "n4CrQ8wMyXs1eUfB_7ZkVtJ2hGdLp0aRiO3cTqYvK5o"


def text_of(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def refusal(text: str) -> KeyFormatError:
    with pytest.raises(KeyFormatError) as caught:
        SecretKey.from_text(text)
    return caught.value


class TestGenerating:
    def test_a_generated_key_is_43_url_safe_characters_of_32_bytes(self) -> None:
        text = generate_secret_key()

        assert len(text) == 43
        assert "=" not in text
        assert len(urlsafe_b64decode(text + "=")) == 32

    def test_every_generated_key_is_another_one_and_is_accepted(self) -> None:
        texts = {generate_secret_key() for _ in range(2_000)}

        assert len(texts) == 2_000
        assert len({SecretKey.from_text(text) for text in texts}) == 2_000

    def test_the_module_prints_a_key_for_a_shell(self) -> None:
        printed = subprocess.run(
            [sys.executable, "-m", "websession_crypto"], capture_output=True, text=True, check=True
        )

        assert printed.stderr == ""
        assert printed.stdout == printed.stdout.strip() + "\n"
        SecretKey.from_text(printed.stdout.strip())

    def test_the_module_refuses_arguments_rather_than_print_a_key_nobody_asked_for(self) -> None:
        printed = subprocess.run(
            [sys.executable, "-m", "websession_crypto", "--length=16"],
            capture_output=True,
            text=True,
            check=False,
        )

        assert printed.returncode == 2
        assert printed.stdout == ""
        assert "unrecognized arguments" in printed.stderr


class TestReadingAKey:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(TEXT, id="url-safe"),
            pytest.param(TEXT + "=", id="url-safe-padded"),
            pytest.param(b64encode(RAW).decode(), id="standard-padded"),
            pytest.param(b64encode(RAW).decode().rstrip("="), id="standard"),
        ],
    )
    def test_every_usual_spelling_of_32_bytes_is_the_same_key(self, text: str) -> None:
        assert SecretKey.from_text(text) == SecretKey(RAW)

    def test_the_key_encrypts_as_its_bytes_do(self) -> None:
        key = SecretKey.from_text(TEXT)

        assert key.aead.encrypt(bytes(24), b"payload") == Xaes256Gcm(RAW).encrypt(bytes(24), b"payload")
        assert key.aead is key.aead

    def test_an_empty_text_is_named_so(self) -> None:
        assert refusal("").problem == "the secret key is empty"

    @pytest.mark.parametrize("length", [1, 2, 16, 24, 31, 33, 48, 64])
    def test_a_wrong_length_is_told_in_bytes(self, length: int) -> None:
        raw = (RAW + RAW)[:length]
        problem = f"the secret key is {length} bytes long instead of 32"

        assert refusal(text_of(raw)).problem == problem
        assert refusal(b64encode(raw).decode()).problem == problem

    def test_a_lost_character_is_told_as_part_of_a_byte(self) -> None:
        assert refusal(TEXT[:41]).problem == (
            "the secret key is not base64: 41 characters are 30 bytes and a part of one, instead of 32 bytes"
        )

    @pytest.mark.parametrize(
        ("text", "position"),
        [
            ("!" + TEXT[1:], 1),
            (TEXT[:20] + " " + TEXT[21:], 21),
            (TEXT + "\n", 44),
            (TEXT[:9] + "=" + TEXT[10:], 10),
            (TEXT[:30] + "ä" + TEXT[31:], 31),
            (TEXT[:30] + "\N{FULLWIDTH DIGIT ONE}" + TEXT[31:], 31),
            ("correct horse battery staple", 8),
            ("%(here)s/key", 1),
        ],
    )
    def test_a_foreign_character_is_told_by_its_position(self, text: str, position: int) -> None:
        assert refusal(text).problem == (
            f"the secret key is not base64: character {position} does not belong there"
        )

    @pytest.mark.parametrize("text", [TEXT + "==", TEXT + "=====", text_of(RAW[:31]) + "=", "====", "="])
    def test_wrong_padding_is_named_so(self, text: str) -> None:
        assert refusal(text).problem == "the secret key is not base64: it ends in too many or too few '='"

    def test_bits_that_no_encoder_sets_are_a_typing_mistake(self) -> None:
        assert refusal(TEXT[:-1] + "V").problem == (
            "the secret key was mistyped or cut: no key ends in such a character"
        )

    def test_the_remedy_is_to_generate_one(self) -> None:
        with pytest.raises(KeyFormatError) as caught:
            SecretKey(RAW[:16])
        texts = ("", TEXT[:41], "!" + TEXT[1:], TEXT + "==", TEXT[:-1] + "V", text_of(bytes(32)))
        for error in (caught.value, *map(refusal, texts)):
            assert "generate_secret_key()" in error.remedy
            assert "python -m websession_crypto" in error.remedy
            assert str(error) == f"{error.problem}. {error.remedy}"
            assert error.args == (error.problem, error.remedy)

    @pytest.mark.parametrize("value", [None, 5, b"bytes", bytearray(43), ["list"]])
    def test_another_type_is_a_type_error(self, value: object) -> None:
        with pytest.raises(TypeError, match=f"given as str, not as {type(value).__name__}"):
            SecretKey.from_text(value)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"made of bytes, not of"):
            SecretKey("text" if isinstance(value, bytes) else value)  # type: ignore[arg-type]

    def test_bytes_are_held_to_the_same_rules(self) -> None:
        with pytest.raises(KeyFormatError, match="is 16 bytes long instead of 32"):
            SecretKey(RAW[:16])
        with pytest.raises(KeyFormatError, match="is not random: it repeats a pattern"):
            SecretKey(bytes(32))

    def test_the_error_is_a_value_error_of_the_family_and_survives_pickling(self) -> None:
        error = refusal("")

        assert isinstance(error, ValueError)
        assert isinstance(error, CryptoError)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


class TestLookalikes:
    @pytest.mark.parametrize(
        "text",
        [
            "a" * 43,
            "A" * 43,
            "0" * 43,
            text_of(b"\xff" * 32),
            ("changeme" * 6)[:43],
            ("swordfish" * 5)[:42] + "A",
            ("0123456789abcdefghijklmnopqrst" * 2)[:42] + "c",
            text_of(RAW[:16] * 2),
            text_of((RAW[:24] * 2)[:32]),
            text_of(
                bytes(
                    RAW[number % 11]
                    for number in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 3, 1, 4) * 2 + (5, 9, 2, 6)
                )
            ),
            "31415926535897932384626433832795028841971Ao"[:42] + "8",
        ],
    )
    def test_repetition_is_refused(self, text: str) -> None:
        assert refusal(text).problem == "the secret key is not random: it repeats a pattern"

    @pytest.mark.parametrize(
        "text",
        [
            text_of(bytes(range(32))),
            text_of(bytes(range(255, 0, -8))),
            text_of(bytes(7 * number % 256 for number in range(32))),
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopo",
            "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"[:42] + "E",
        ],
    )
    def test_a_sequence_is_refused(self, text: str) -> None:
        assert refusal(text).problem == "the secret key is not random: it is a regular sequence"

    @pytest.mark.parametrize(
        "words",
        [
            b"correct horse battery staple 123",
            b"Tr0ub4dor-and-3-other-passwords-",
            b"Please, change me (in production)"[:32],
            b"do not use this. really, do not!",
            uuid.UUID(int=0x1B4E28BA2FA111D2883F0016D3CCA427).hex.encode(),
            b"0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        ],
    )
    def test_encoded_text_is_refused(self, words: bytes) -> None:
        assert refusal(text_of(words)).problem == (
            "the secret key is not random: it decodes to text, not to random bytes"
        )

    @pytest.mark.parametrize(
        "text",
        [
            "the-quick-brown-fox-jumps-over-the-lazy-dog",
            "correct-horse-battery-staple-and-some-words",
            "correct_horse_battery_staple_and_some_wordo",
            "please/change/me/before/going/to/production"[:42] + "s",
            "thissecretmustbechangedbeforegoingintopubli"[:42] + "c",
            "nobody-will-ever-guess-this-passphrase-of-4",
        ],
    )
    def test_a_passphrase_is_refused(self, text: str) -> None:
        assert refusal(text).problem == "the secret key is not random: it is a passphrase"

    def test_the_rules_together_refuse_a_random_key_with_less_than_two_to_the_minus_60(self) -> None:
        distinct, steps = lookalikes._DISTINCT, lookalikes._STEPS
        text_periods = range(1, int(42 * lookalikes._PERIOD) + 1)
        raw_periods = range(1, int(32 * lookalikes._PERIOD) + 1)
        refused = [
            16 * sum(64**period for period in text_periods),
            sum(256**period for period in raw_periods),
            16 * comb(64, distinct) * distinct**42,
            comb(256, distinct) * distinct**32,
            16 * 64 * comb(256, steps) * steps**41,
            256 * comb(256, steps) * steps**31,
            len(lookalikes._PLAIN) ** 32,
            16 * 5 * 2**lookalikes._PROSE_BITS_OF_TEXT,
            5 * 2**lookalikes._PROSE_BITS_OF_RAW,
        ]

        assert sum(refused) < 2**195.6
        assert sum(refused) / 2**256 < 2**-60
        assert len(lookalikes._SEPARATORS) + 1 == 5

    def test_the_probabilities_of_what_follows_a_character_sum_up_to_one(self) -> None:
        rows = lookalikes._SEPARATED + lookalikes._UNSEPARATED

        assert len(rows) == 8
        assert [sum(2**-bits for bits in row.values()) for row in rows] == pytest.approx([1] * 8)


class TestSecrecy:
    @pytest.mark.parametrize(
        "text",
        [
            TEXT[:-1],
            TEXT[:-1] + "V",
            TEXT + "!",
            "correct-horse-battery-staple-and-some-words",
            "hunter2 hunter2",
        ],
    )
    def test_no_part_of_a_refused_text_is_in_the_error(self, text: str) -> None:
        with pytest.raises(KeyFormatError) as caught:
            Keyring.from_text([TEXT, text])

        for error in (refusal(text), caught.value):
            message = f"{error} {error!r} {error.args}"
            assert not [text[at : at + 6] for at in range(len(text) - 5) if text[at : at + 6] in message]
            assert error.__cause__ is None
            assert error.__context__ is None or error.__suppress_context__

    def test_neither_key_nor_keyring_shows_bytes_or_text(self, caplog: pytest.LogCaptureFixture) -> None:
        keyring = Keyring.from_text([TEXT, OTHER])
        key = keyring.current
        caplog.set_level(logging.DEBUG)
        logging.getLogger("operators").info("%s %r %s %r", key, key, keyring, keyring)

        shown = f"{caplog.text} {key.__getstate__()} {keyring.__getstate__()} {dir(key)}"

        for form in (TEXT, RAW.hex(), repr(RAW)[2:-1], TEXT[:8], RAW.hex()[:8], str(list(RAW))[1:-1]):
            assert form not in shown

    def test_the_repr_tells_keys_apart_by_fingerprint(self) -> None:
        first, second = SecretKey.from_text(TEXT), SecretKey.from_text(OTHER)

        assert repr(first) == f"<SecretKey {first.fingerprint}>"
        assert repr(Keyring([first, second])) == f"<Keyring {first.fingerprint} {second.fingerprint}>"

    def test_the_fingerprint_is_short_stable_and_of_the_bytes_alone(self) -> None:
        fingerprint = SecretKey.from_text(TEXT).fingerprint

        assert len(fingerprint) == 12
        assert int(fingerprint, 16) >= 0
        assert SecretKey(b64decode(b64encode(RAW))).fingerprint == fingerprint
        assert SecretKey.from_text(OTHER).fingerprint != fingerprint
        # Operators compare it between servers and releases: changing it is a change of the interface.
        assert fingerprint == "432096e34e2f"

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_keys_and_keyrings_refuse_to_be_pickled(self, protocol: int) -> None:
        key = SecretKey.from_text(TEXT)

        with pytest.raises(
            TypeError, match="SecretKey objects are not pickled, because they hold key material"
        ):
            pickle.dumps(key, protocol)
        with pytest.raises(TypeError, match="Keyring objects are not pickled"):
            pickle.dumps({"settings": Keyring([key])}, protocol)

    def test_keys_and_keyrings_are_their_own_copies(self) -> None:
        keyring = Keyring.from_text(TEXT)

        assert copy.copy(keyring) is keyring
        assert copy.deepcopy({"keys": keyring})["keys"] is keyring
        assert copy.copy(keyring.current) is keyring.current
        assert copy.deepcopy(keyring.current) is keyring.current

    def test_keys_and_keyrings_cannot_be_changed(self) -> None:
        keyring = Keyring.from_text(TEXT)

        for thing, name in (
            (keyring, "keys"),
            (keyring, "current"),
            (keyring.current, "aead"),
            (keyring, "new"),
        ):
            with pytest.raises(AttributeError):
                setattr(thing, name, None)


class TestEquality:
    def test_equal_bytes_make_equal_keys_with_equal_hashes(self) -> None:
        assert SecretKey(RAW) == SecretKey.from_text(TEXT)
        assert hash(SecretKey(RAW)) == hash(SecretKey.from_text(TEXT))
        assert SecretKey(RAW) != SecretKey.from_text(OTHER)

    def test_a_key_equals_nothing_that_is_no_key(self) -> None:
        assert SecretKey(RAW) != RAW
        assert SecretKey(RAW) != TEXT


class TestKeyring:
    @pytest.mark.parametrize(
        "text",
        [
            f"{TEXT} {OTHER} {THIRD}",
            f"\n    {TEXT}\n    {OTHER}\r\n\t{THIRD}\n",
            [TEXT, OTHER, THIRD],
            (f" {TEXT}\n", OTHER + "=", THIRD),
        ],
    )
    def test_keys_are_read_in_order_and_the_first_is_current(self, text: str | list[str]) -> None:
        keyring = Keyring.from_text(text)

        assert keyring.keys == tuple(map(SecretKey.from_text, (TEXT, OTHER, THIRD)))
        assert list(keyring) == list(keyring.keys)
        assert len(keyring) == 3
        assert keyring.current == SecretKey.from_text(TEXT)

    @pytest.mark.parametrize("text", ["", " \n ", [], ()])
    def test_no_key_at_all_is_refused(self, text: str | list[str]) -> None:
        with pytest.raises(
            KeyFormatError, match=r"^there is no secret key\. Make a key with generate_secret_key"
        ):
            Keyring.from_text(text)

    def test_a_keyring_of_no_keys_is_refused(self) -> None:
        with pytest.raises(KeyFormatError, match="there is no secret key"):
            Keyring([])

    def test_a_single_wrong_key_needs_no_number(self) -> None:
        with pytest.raises(KeyFormatError, match=r"^the secret key is 31 bytes long instead of 32"):
            Keyring.from_text(text_of(RAW[:31]))

    def test_every_wrong_key_is_reported_at_once_by_its_position(self) -> None:
        with pytest.raises(KeyFormatError) as caught:
            Keyring.from_text([TEXT, TEXT[:20], OTHER, "", "a" * 43, TEXT + "=", "no, key"])

        assert caught.value.problem.split("; ") == [
            "secret key 2 of 7 is 15 bytes long instead of 32",
            "secret key 4 of 7 is empty",
            "secret key 5 of 7 is not random: it repeats a pattern",
            "secret key 7 of 7 is not base64: character 3 does not belong there",
            "secret key 6 of 7 is the same as secret key 1 of 7",
        ]
        assert caught.value.remedy.startswith("Make a key with generate_secret_key()")
        assert caught.value.remedy.endswith(". List each key once")

    def test_a_key_given_twice_in_two_spellings_is_refused(self) -> None:
        with pytest.raises(KeyFormatError) as caught:
            Keyring.from_text(f"{OTHER} {TEXT} {b64encode(RAW).decode()}")

        assert caught.value.problem == "secret key 3 of 3 is the same as secret key 2 of 3"
        assert caught.value.remedy == "List each key once"
        with pytest.raises(KeyFormatError, match="secret key 2 of 2 is the same as secret key 1 of 2"):
            Keyring([SecretKey(RAW), SecretKey.from_text(TEXT)])

    @pytest.mark.parametrize("value", [None, 5, b"bytes", bytearray(43), {"set"}, iter([TEXT])])
    def test_other_types_are_type_errors(self, value: object) -> None:
        with pytest.raises(TypeError, match="given as str or as a sequence of str, not as"):
            Keyring.from_text(value)  # type: ignore[arg-type]

    def test_items_of_other_types_are_type_errors(self) -> None:
        with pytest.raises(TypeError, match="secret key 2 of 2 is given as str, not as NoneType"):
            Keyring.from_text([TEXT, None])  # type: ignore[list-item]
        with pytest.raises(TypeError, match="made of SecretKey objects, not of str"):
            Keyring([TEXT])  # type: ignore[list-item]
