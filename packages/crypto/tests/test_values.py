"""Encrypted values: readable in the place they were made for, with a key of the ring, and nowhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websession_crypto import (
    Keyring,
    MalformedTokenError,
    Opened,
    TokenCodec,
    UnauthenticTokenError,
    UnknownTokenVersionError,
    ValueCodec,
)

FIRST = "uF0h-Zbq3N_kD8yRr1WmXo5vTgQeJ7cPzB2sLiA4KwU"
SECOND = "Zt6GxqJ1-dYv0NfRwS9uKc3MbHhPiE7oTaL5kXgVz8A"
RING = Keyring.from_text(FIRST)
CODEC = ValueCodec(RING, purpose="letters")


class TestRoundTrip:
    @settings(max_examples=50)
    @given(value=st.binary(max_size=5000), context=st.binary(max_size=100))
    def test_what_was_encrypted_is_decrypted_in_its_place(self, value: bytes, context: bytes) -> None:
        assert CODEC.decrypt(CODEC.encrypt(value, context), context) == value

    def test_a_value_may_be_longer_than_any_token(self) -> None:
        value = b"x" * 1_000_000
        assert CODEC.decrypt(CODEC.encrypt(value, b"place"), b"place") == value

    def test_values_of_this_release_stay_readable(self) -> None:
        kept = "AW5vbmNlIG5vbmNlIG5vbmNlIG5vbmNlIOnDLneaJz_yDscLe31KQsYbEdSnn-AdM6FgArY"
        assert CODEC.decrypt(kept, b"row 1, column data") == b"three apples"

    def test_equal_values_are_encrypted_differently(self) -> None:
        assert CODEC.encrypt(b"a", b"place") != CODEC.encrypt(b"a", b"place")


class TestRefusal:
    @given(first=st.binary(max_size=40), second=st.binary(max_size=40))
    def test_in_another_place_it_is_refused(self, first: bytes, second: bytes) -> None:
        encrypted = CODEC.encrypt(b"value", first)
        if first != second:
            with pytest.raises(UnauthenticTokenError):
                CODEC.decrypt(encrypted, second)

    def test_for_another_purpose_it_is_refused(self) -> None:
        with pytest.raises(UnauthenticTokenError):
            ValueCodec(RING, purpose="diaries").decrypt(CODEC.encrypt(b"value", b""), b"")

    def test_the_context_cannot_be_shifted_into_the_purpose(self) -> None:
        shifted = ValueCodec(RING, purpose="letters!").encrypt(b"value", b"")
        with pytest.raises(UnauthenticTokenError):
            CODEC.decrypt(shifted, b"!")

    def test_a_token_is_no_value_and_a_value_no_token_under_one_key(self) -> None:
        tokens = TokenCodec(RING, purpose="letters")
        with pytest.raises(UnauthenticTokenError):
            CODEC.decrypt(tokens.encrypt(b"value"), b"")
        with pytest.raises(UnauthenticTokenError):
            tokens.decrypt(CODEC.encrypt(b"value", b""))

    def test_every_changed_character_is_refused(self) -> None:
        encrypted = CODEC.encrypt(b"value", b"place")
        for place, character in enumerate(encrypted):
            changed = encrypted[:place] + ("A" if character != "A" else "B") + encrypted[place + 1 :]
            with pytest.raises((UnauthenticTokenError, MalformedTokenError, UnknownTokenVersionError)):
                CODEC.decrypt(changed, b"place")

    @pytest.mark.parametrize("found", ["", "{}", "AQ", None, 7, b"\x00" * 60, "ä" * 60])
    def test_what_was_never_encrypted_is_called_malformed(self, found: object) -> None:
        with pytest.raises(MalformedTokenError):
            CODEC.decrypt(found, b"")  # type: ignore[arg-type]

    def test_a_refused_value_is_a_value_error(self) -> None:
        with pytest.raises(ValueError, match="characters"):
            CODEC.decrypt("{}", b"")

    @pytest.mark.parametrize("value", ["text", bytearray(b"x"), None])
    def test_other_types_are_type_errors(self, value: object) -> None:
        with pytest.raises(TypeError, match="a value is bytes"):
            CODEC.encrypt(value, b"")  # type: ignore[arg-type]


class TestRotation:
    def test_old_values_are_read_and_new_ones_made_with_the_first_key(self) -> None:
        old = CODEC.encrypt(b"value", b"place")
        rotated = ValueCodec(Keyring.from_text(f"{SECOND} {FIRST}"), purpose="letters")
        assert rotated.open(old, b"place") == Opened(b"value", key_index=1)
        new = rotated.encrypt(b"value", b"place")
        assert rotated.open(new, b"place").made_with_current_key
        with pytest.raises(UnauthenticTokenError):
            CODEC.decrypt(new, b"place")
