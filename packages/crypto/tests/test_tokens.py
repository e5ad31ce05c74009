"""Tokens: what goes in comes out, for the same purpose under a key of the ring, and nothing else does."""

import copy
import pickle
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websession_crypto import (
    CIPHER_LIBRARIES,
    MAX_PAYLOAD_LENGTH,
    MAX_PURPOSE_LENGTH,
    MAX_TOKEN_LENGTH,
    CryptoError,
    Keyring,
    MalformedTokenError,
    Opened,
    PayloadTooLongError,
    SecretKey,
    TokenCodec,
    TokenError,
    UnauthenticTokenError,
    UnknownTokenVersionError,
    Xaes256Gcm,
)

FIRST = "uF0h-Zbq3N_kD8yRr1WmXo5vTgQeJ7cPzB2sLiA4KwU"
SECOND = "Zt6GxqJ1-dYv0NfRwS9uKc3MbHhPiE7oTaL5kXgVz8A"
THIRD = "n4CrQ8wMyXs1eUfB_7ZkVtJ2hGdLp0aRiO3cTqYvK5o"

CODEC = TokenCodec(Keyring.from_text(FIRST), purpose="session")
ALPHABET = string.ascii_letters + string.digits + "-_"


def spelled(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def refusal(codec: TokenCodec, token: object) -> TokenError:
    with pytest.raises(TokenError) as caught:
        codec.decrypt(token)  # type: ignore[arg-type]
    return caught.value


def unspelled(token: str) -> bytes:
    return urlsafe_b64decode(token + "=" * (-len(token) % 4))


class TestRoundTrip:
    @settings(max_examples=50)
    @given(payload=st.binary(max_size=300), purpose=st.text(min_size=1, max_size=60))
    def test_what_was_encrypted_is_decrypted(self, payload: bytes, purpose: str) -> None:
        codec = TokenCodec(Keyring.from_text(FIRST), purpose=purpose)
        assert codec.purpose == purpose
        token = codec.encrypt(payload)

        assert codec.decrypt(token) == payload
        assert codec.decrypt(token.encode("ascii")) == payload
        assert codec.open(token) == Opened(payload, key_index=0)

    @settings(max_examples=100, deadline=None)
    @given(payload=st.binary(max_size=300), purpose=st.text(min_size=1, max_size=60))
    def test_a_token_is_the_same_whatever_library_made_it(self, payload: bytes, purpose: str) -> None:
        codecs = [
            TokenCodec(Keyring.from_text(FIRST, library=library), purpose=purpose, nonce_source=bytes)
            for library in CIPHER_LIBRARIES
        ]

        (token,) = {codec.encrypt(payload) for codec in codecs}

        assert [codec.open(token) for codec in codecs] == [Opened(payload, 0)] * len(codecs)

    def test_keys_of_different_libraries_make_one_keyring(self) -> None:
        keys = [SecretKey.from_text(FIRST, library="openssl"), SecretKey.from_text(SECOND)]
        codec = TokenCodec(Keyring(keys), purpose="session")
        old = TokenCodec(Keyring.from_text(SECOND, library="openssl"), purpose="session")

        assert codec.open(old.encrypt(b"payload")) == Opened(b"payload", 1)
        assert codec.open(CODEC.encrypt(b"payload")) == Opened(b"payload", 0)
        assert codec.keyring.library == old.keyring.library == "openssl"

    def test_a_token_is_a_cookie_value_as_it_stands(self) -> None:
        for length in range(40):
            assert set(CODEC.encrypt(bytes(length))) <= set(ALPHABET)

    def test_equal_payloads_make_different_tokens(self) -> None:
        assert len({CODEC.encrypt(b"payload") for _ in range(100)}) == 100

    def test_the_payload_is_not_readable(self) -> None:
        assert b"a secret payload" not in unspelled(CODEC.encrypt(b"a secret payload"))

    def test_threads_share_one_codec(self) -> None:
        codec = TokenCodec(Keyring.from_text([FIRST, SECOND]), purpose="session")
        old = TokenCodec(Keyring.from_text(SECOND), purpose="session")

        def round_trip(number: int) -> bool:
            payload = b"%d" % number
            tokens = codec.encrypt(payload), old.encrypt(payload)
            return [codec.open(token) for token in tokens] == [Opened(payload, 0), Opened(payload, 1)]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(round_trip, range(500)))


class TestFormat:
    def test_the_format_is_version_nonce_ciphertext_and_tag_under_the_documented_associated_data(
        self,
    ) -> None:
        codec = TokenCodec(
            Keyring.from_text(FIRST), purpose="größe", nonce_source=lambda length: b"N" * length
        )
        associated_data = b"websession-crypto token" + b"\x01" + b"\x07" + "größe".encode()

        raw = unspelled(codec.encrypt(b"payload"))

        assert raw[:25] == b"\x01" + b"N" * 24
        assert Xaes256Gcm(unspelled(FIRST)).decrypt(b"N" * 24, raw[25:], associated_data) == b"payload"
        assert len(raw) == 1 + 24 + len(b"payload") + 16

    def test_tokens_of_this_release_stay_readable(self) -> None:
        # Made by the first release. If this fails, every user of every site is logged out by the upgrade.
        assert CODEC.decrypt("ATVRaPMSRTT4A0uvb1N56q4uyjTq5Nl7SD64twTbIRyuvees04L0z9qi6mgKumZW") == b"payload"

    def test_the_nonce_source_is_asked_once_per_token(self) -> None:
        numbers = count()
        codec = TokenCodec(
            Keyring.from_text(FIRST),
            purpose="session",
            nonce_source=lambda length: next(numbers).to_bytes(length, "big"),
        )

        nonces = [unspelled(codec.encrypt(b""))[1:25] for _ in range(3)]

        assert nonces == [number.to_bytes(24, "big") for number in range(3)]

    def test_a_nonce_source_of_the_wrong_length_is_refused(self) -> None:
        codec = TokenCodec(Keyring.from_text(FIRST), purpose="session", nonce_source=lambda _: b"short")

        with pytest.raises(ValueError, match="24 bytes, not 5"):
            codec.encrypt(b"payload")


class TestRotation:
    def test_the_first_key_encrypts_and_every_key_decrypts(self) -> None:
        before = TokenCodec(Keyring.from_text(FIRST), purpose="session")
        during = TokenCodec(Keyring.from_text([SECOND, FIRST]), purpose="session")
        after = TokenCodec(Keyring.from_text(SECOND), purpose="session")
        old, new = before.encrypt(b"old"), during.encrypt(b"new")

        assert during.decrypt(old) == b"old"
        assert during.decrypt(new) == after.decrypt(new) == b"new"
        with pytest.raises(UnauthenticTokenError):
            after.decrypt(old)
        with pytest.raises(UnauthenticTokenError):
            before.decrypt(new)

    @pytest.mark.parametrize(("key", "index"), [(FIRST, 0), (SECOND, 1), (THIRD, 2)])
    def test_opening_tells_which_key_it_was(self, key: str, index: int) -> None:
        codec = TokenCodec(Keyring.from_text([FIRST, SECOND, THIRD]), purpose="session")
        token = TokenCodec(Keyring.from_text(key), purpose="session").encrypt(b"payload")

        opened = codec.open(token)

        assert opened == Opened(b"payload", key_index=index)
        assert opened.made_with_current_key is (index == 0)
        assert codec.keyring.keys[opened.key_index] == Keyring.from_text(key).current


class TestRefusal:
    def test_every_single_changed_bit_is_refused(self) -> None:
        raw = int.from_bytes(unspelled(CODEC.encrypt(b"payload")), "big")

        for bit in range((1 + 24 + 7 + 16) * 8):
            with pytest.raises(TokenError):
                CODEC.decrypt(spelled((raw ^ 1 << bit).to_bytes(48, "big")))

    @pytest.mark.parametrize("payload", [b"", b"1", b"12", b"123"])
    def test_every_single_changed_character_is_refused(self, payload: bytes) -> None:
        token = CODEC.encrypt(payload)

        for position, character in enumerate(token):
            for other in ("A", "B", "Q", "_", "=", " ", "+", "ä"):
                if other != character:
                    with pytest.raises(TokenError):
                        CODEC.decrypt(token[:position] + other + token[position + 1 :])

    def test_every_truncation_is_refused_at_either_end(self) -> None:
        token = CODEC.encrypt(b"payload")

        for length in range(len(token)):
            with pytest.raises(TokenError):
                CODEC.decrypt(token[:length])
            with pytest.raises(TokenError):
                CODEC.decrypt(token[len(token) - length :])

    @pytest.mark.parametrize("more", ["A", "AA", "AAA", "AAAA", "=", "==", " ", "\n", "\0", ";", '"'])
    def test_every_extension_is_refused_at_either_end(self, more: str) -> None:
        token = CODEC.encrypt(b"payload")

        for longer in (token + more, more + token):
            with pytest.raises(TokenError):
                CODEC.decrypt(longer)

    @pytest.mark.parametrize("length", range(6))
    def test_a_token_has_exactly_one_spelling(self, length: int) -> None:
        token = CODEC.encrypt(bytes(length))

        accepted = []
        for last in ALPHABET:
            try:
                CODEC.decrypt(token[:-1] + last)
            except TokenError:
                continue
            accepted.append(last)

        assert accepted == [token[-1]]

    def test_bits_after_the_last_byte_are_named_as_the_reason(self) -> None:
        token = CODEC.encrypt(b"")
        assert len(token) % 4 == 3
        stray = next(
            other
            for other in ALPHABET
            if unspelled(token[:-1] + other) == unspelled(token) and other != token[-1]
        )

        with pytest.raises(MalformedTokenError, match="bits after the last byte are not zero"):
            CODEC.decrypt(token[:-1] + stray)

    @settings(max_examples=25)
    @given(
        payload=st.binary(max_size=60),
        purpose=st.text(min_size=1, max_size=40).filter(lambda p: p != "session"),
    )
    def test_a_foreign_purpose_is_refused(self, payload: bytes, purpose: str) -> None:
        foreign = TokenCodec(Keyring.from_text(FIRST), purpose=purpose)

        with pytest.raises(UnauthenticTokenError):
            CODEC.decrypt(foreign.encrypt(payload))
        with pytest.raises(UnauthenticTokenError):
            foreign.decrypt(CODEC.encrypt(payload))

    @settings(max_examples=25)
    @given(payload=st.binary(max_size=60))
    def test_a_foreign_key_is_refused(self, payload: bytes) -> None:
        foreign = TokenCodec(Keyring.from_text([SECOND, THIRD]), purpose="session")

        with pytest.raises(UnauthenticTokenError):
            CODEC.decrypt(foreign.encrypt(payload))
        with pytest.raises(UnauthenticTokenError):
            foreign.decrypt(CODEC.encrypt(payload))

    def test_wrong_key_wrong_purpose_and_tampering_cannot_be_told_apart(self) -> None:
        foreign_key = TokenCodec(Keyring.from_text(SECOND), purpose="session").encrypt(b"payload")
        foreign_purpose = TokenCodec(Keyring.from_text(FIRST), purpose="other").encrypt(b"payload")
        raw = bytearray(unspelled(CODEC.encrypt(b"payload")))
        raw[30] ^= 1

        errors = [refusal(CODEC, token) for token in (foreign_key, foreign_purpose, spelled(bytes(raw)))]

        assert {type(error) for error in errors} == {UnauthenticTokenError}
        assert len({(error.args, error.__cause__, error.__context__) for error in errors}) == 1

    def test_the_associated_data_cannot_be_shifted_between_version_and_purpose(self) -> None:
        token = TokenCodec(Keyring.from_text(FIRST), purpose="ab").encrypt(b"payload")

        for purpose in ("a", "b", "abc", "\x02ab", "ab\x00", "\x01\x02ab"):
            with pytest.raises(UnauthenticTokenError):
                TokenCodec(Keyring.from_text(FIRST), purpose=purpose).decrypt(token)

    @pytest.mark.parametrize("version", [0, 2, 3, 128, 255])
    def test_another_version_is_named_so(self, version: int) -> None:
        raw = bytes((version,)) + unspelled(CODEC.encrypt(b"payload"))[1:]

        with pytest.raises(UnknownTokenVersionError, match=f"version {version} is not known"):
            CODEC.decrypt(spelled(raw))

    @pytest.mark.parametrize(
        "value", [None, 5, 1.5, True, [], {}, object(), bytearray(60), memoryview(bytes(60))]
    )
    def test_other_types_are_malformed_tokens(self, value: object) -> None:
        with pytest.raises(MalformedTokenError, match=f"str or bytes, not {type(value).__name__}"):
            CODEC.decrypt(value)  # type: ignore[arg-type]

    @settings(max_examples=300)
    @given(
        st.one_of(
            st.text(),
            st.binary(),
            st.text(alphabet=ALPHABET, min_size=50, max_size=90),
            st.text(alphabet=ALPHABET + "=+/ \n\x00äß€\ud800", min_size=50, max_size=90),
            st.binary(min_size=50, max_size=90),
            st.binary(min_size=41, max_size=80).map(spelled),
            st.binary(min_size=40, max_size=80).map(lambda raw: spelled(b"\x01" + raw)),
        )
    )
    def test_anything_else_is_a_token_error_and_no_other(self, value: str | bytes) -> None:
        with pytest.raises(TokenError):
            CODEC.decrypt(value)

    @pytest.mark.parametrize(
        "characters", ["ä", "\N{FULLWIDTH LATIN CAPITAL LETTER A}", "\ud800", "\0", "+", "/", "=", "\x80"]
    )
    def test_characters_outside_the_alphabet_are_named_as_the_reason(self, characters: str) -> None:
        token = CODEC.encrypt(b"payload")
        broken = token[:20] + characters + token[21:]

        with pytest.raises(MalformedTokenError, match="characters outside URL-safe base64"):
            CODEC.decrypt(broken)
        with pytest.raises(MalformedTokenError, match="characters outside URL-safe base64"):
            CODEC.decrypt(broken.encode("utf-8", "surrogatepass"))

    def test_part_of_a_byte_is_named_as_the_reason(self) -> None:
        with pytest.raises(MalformedTokenError, match="cut off in the middle of a byte"):
            CODEC.decrypt("A" * 61)


class TestErrors:
    def test_the_family_is_documented_by_its_bases(self) -> None:
        assert {
            MalformedTokenError.__base__,
            UnknownTokenVersionError.__base__,
            UnauthenticTokenError.__base__,
        } == {TokenError}
        assert TokenError.__base__ is CryptoError
        assert issubclass(PayloadTooLongError, CryptoError)
        assert not issubclass(PayloadTooLongError, TokenError)

    def test_no_message_holds_a_part_of_the_token(self) -> None:
        token = CODEC.encrypt(b"payload")
        foreign = TokenCodec(Keyring.from_text(SECOND), purpose="session")
        broken = [token[:-1], token + "A", token[:30] + "!" + token[31:], "_" + token[1:], token * 80]

        errors = [refusal(CODEC, value) for value in broken] + [refusal(foreign, token)]

        for error in errors:
            text = f"{error} {error!r}"
            assert not [token[at : at + 5] for at in range(len(token) - 4) if token[at : at + 5] in text]
            assert error.__context__ is None

    def test_every_error_survives_pickling(self) -> None:
        with pytest.raises(PayloadTooLongError) as caught:
            CODEC.encrypt(bytes(5_000))

        for error in (refusal(CODEC, "short"), caught.value):
            again = pickle.loads(pickle.dumps(error))
            assert (type(again), str(again)) == (type(error), str(error))


class TestLength:
    def test_the_longest_payload_makes_the_longest_token(self) -> None:
        payload = bytes(MAX_PAYLOAD_LENGTH)

        token = CODEC.encrypt(payload)

        assert len(token) == MAX_TOKEN_LENGTH
        assert CODEC.decrypt(token) == payload

    def test_a_longer_payload_is_refused_with_both_lengths(self) -> None:
        with pytest.raises(
            PayloadTooLongError, match="has 2840 bytes; a token that fits into a cookie holds 2839"
        ) as caught:
            CODEC.encrypt(bytes(MAX_PAYLOAD_LENGTH + 1))

        assert caught.value.args == (caught.value.length, caught.value.maximum) == (2840, 2839)
        assert isinstance(caught.value, ValueError)

    def test_the_longest_token_under_the_longest_name_fits_into_a_cookie(self) -> None:
        assert MAX_PURPOSE_LENGTH + MAX_TOKEN_LENGTH < 4096

    def test_a_longer_token_is_refused_before_any_work(self) -> None:
        asked = []

        class Watched(str):
            __slots__ = ()

            def isascii(self) -> bool:
                asked.append("isascii")
                return super().isascii()

        with pytest.raises(MalformedTokenError, match="55 to 3840 characters, and this one 3841"):
            CODEC.decrypt(Watched("A" * (MAX_TOKEN_LENGTH + 1)))
        with pytest.raises(MalformedTokenError, match="this one 10000000"):
            CODEC.decrypt(b"A" * 10_000_000)

        assert asked == []

    def test_the_shortest_token_is_that_of_an_empty_payload(self) -> None:
        token = CODEC.encrypt(b"")

        assert len(token) == 55
        assert CODEC.decrypt(token) == b""
        with pytest.raises(MalformedTokenError, match="55 to 3840 characters, and this one 54"):
            CODEC.decrypt(token[:-1])


class TestConstruction:
    @pytest.mark.parametrize("purpose", ["", "x" * 256, "ä" * 128])
    def test_a_purpose_is_1_to_255_bytes(self, purpose: str) -> None:
        with pytest.raises(ValueError, match=f"1 to 255 bytes in UTF-8, not {len(purpose.encode())}"):
            TokenCodec(Keyring.from_text(FIRST), purpose=purpose)

    def test_the_longest_purpose_works(self) -> None:
        codec = TokenCodec(Keyring.from_text(FIRST), purpose="x" * MAX_PURPOSE_LENGTH)

        assert codec.decrypt(codec.encrypt(b"payload")) == b"payload"

    def test_a_purpose_of_lone_surrogates_is_refused(self) -> None:
        with pytest.raises(ValueError, match="lone surrogates") as caught:
            TokenCodec(Keyring.from_text(FIRST), purpose="\ud800")

        assert type(caught.value) is ValueError

    def test_other_types_are_type_errors(self) -> None:
        keyring = Keyring.from_text(FIRST)

        with pytest.raises(TypeError, match="takes a Keyring, not str"):
            TokenCodec(FIRST, purpose="session")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="purpose is str, not bytes"):
            TokenCodec(keyring, purpose=b"session")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            TokenCodec(keyring, "session")  # type: ignore[call-arg]

    @pytest.mark.parametrize("payload", ["text", None, bytearray(b"x"), 5])
    def test_a_payload_is_bytes(self, payload: object) -> None:
        with pytest.raises(TypeError, match=f"payload is bytes, not {type(payload).__name__}"):
            CODEC.encrypt(payload)  # type: ignore[arg-type]

    def test_a_codec_shows_its_purpose_and_fingerprints_only(self) -> None:
        keyring = Keyring.from_text(FIRST)

        assert CODEC.purpose == "session"
        assert repr(CODEC) == f"<TokenCodec for 'session' with <Keyring {keyring.current.fingerprint}>>"

    def test_what_was_opened_does_not_show_the_payload(self) -> None:
        assert repr(CODEC.open(CODEC.encrypt(b"payload"))) == "Opened(key_index=0)"

    def test_a_codec_is_its_own_copy_and_refuses_to_be_pickled(self) -> None:
        assert copy.deepcopy(CODEC) is CODEC
        with pytest.raises(TypeError, match="TokenCodec objects are not pickled"):
            pickle.dumps(CODEC)
