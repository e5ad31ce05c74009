"""The ticket: what the cookie carries, and its one byte form."""

from __future__ import annotations

import uuid
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websession_core.errors import TicketError
from websession_core.state import COUNTER_MAX, Ticket

ID = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")
TICKET = Ticket(ID, epoch=1, generation=2, attempt=3, cookie_version=4, issued_at=5)
SEED = bytes(range(16))
WITH_SEED = replace(TICKET, owned=True, seed=SEED)
NUMBERS = ("epoch", "generation", "attempt", "cookie_version", "issued_at")

numbers = st.integers(0, COUNTER_MAX)
old_tickets = st.builds(Ticket, st.uuids(), numbers, numbers, numbers, numbers, numbers)
tickets = old_tickets | st.builds(
    Ticket,
    *(st.uuids(), numbers, numbers, numbers, numbers, numbers),
    owned=st.none() | st.booleans(),
    stored=st.booleans(),
    seed=st.binary(min_size=16, max_size=16),
)


@given(tickets)
def test_a_ticket_comes_back_from_its_bytes(ticket: Ticket) -> None:
    assert Ticket.from_bytes(ticket.to_bytes()) == ticket


@given(st.binary(max_size=80) | st.binary(min_size=73, max_size=73).map(lambda rest: b"\2" + rest))
def test_other_bytes_are_refused_or_are_exactly_one_ticket(data: bytes) -> None:
    try:
        ticket = Ticket.from_bytes(data)
    except TicketError:
        return
    assert ticket.to_bytes() == data


def test_the_byte_form_is_a_version_and_fixed_width_big_endian_fields() -> None:
    expected = b"\x01" + ID.bytes + b"".join(n.to_bytes(8, "big") for n in (1, 2, 3, 4, 5))
    assert TICKET.to_bytes() == expected
    assert WITH_SEED.to_bytes() == b"\x02" + expected[1:] + b"\x02" + SEED


@pytest.mark.parametrize(
    ("owned", "stored", "flags"), [(None, True, 0), (False, True, 1), (True, True, 2), (False, False, 5)]
)
def test_flags_say_whose_it_is_and_whether_it_names_a_row(*, owned: bool, stored: bool, flags: int) -> None:
    assert replace(WITH_SEED, owned=owned, stored=stored).to_bytes()[57] == flags


@pytest.mark.parametrize("flags", [3, 7, 8, 255])
def test_unknown_flags_are_refused(flags: int) -> None:
    data = bytearray(WITH_SEED.to_bytes())
    data[57] = flags
    with pytest.raises(TicketError, match="flags"):
        Ticket.from_bytes(bytes(data))


def test_a_ticket_of_0_2_0_is_readable() -> None:
    data = bytes.fromhex(
        "01123456789abcdef0123456789abcdef0"
        "00000000000000010000000000000002000000000000000300000000000000040000000000000005"
    )
    assert Ticket.from_bytes(data) == TICKET
    assert Ticket.from_bytes(data).seed is None


@pytest.mark.parametrize("change", [{"owned": True}, {"owned": False}, {"stored": False}])
def test_a_ticket_without_a_seed_is_of_version_1_and_cannot_say_more(change: dict[str, bool]) -> None:
    with pytest.raises(ValueError, match="without a seed"):
        replace(TICKET, **change)


@pytest.mark.parametrize("seed", [b"", bytes(15), bytes(17)])
def test_a_seed_has_128_bits(seed: bytes) -> None:
    with pytest.raises(ValueError, match="seed"):
        replace(TICKET, seed=seed)


@pytest.mark.parametrize("change", [{"owned": 1}, {"stored": None}, {"seed": "0" * 16}])
def test_what_is_of_a_wrong_type_makes_no_ticket(change: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        replace(WITH_SEED, **change)


@pytest.mark.parametrize("ticket", [TICKET, WITH_SEED], ids=["version 1", "version 2"])
@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b + b])
def test_another_length_is_refused(change, ticket: Ticket) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TicketError, match=f"{len(ticket.to_bytes())} bytes"):
        Ticket.from_bytes(change(ticket.to_bytes()))


def test_nothing_is_no_ticket() -> None:
    with pytest.raises(TicketError):
        Ticket.from_bytes(b"")


@pytest.mark.parametrize("version", [0, 3, 255])
def test_another_version_is_refused_by_name(version: int) -> None:
    with pytest.raises(TicketError, match=f"version {version} "):
        Ticket.from_bytes(bytes([version]) + TICKET.to_bytes()[1:])


@pytest.mark.parametrize("field", range(5))
def test_a_number_no_column_could_hold_is_refused(field: int) -> None:
    data = bytearray(TICKET.to_bytes())
    data[17 + 8 * field] |= 0x80
    with pytest.raises(TicketError, match="out of range"):
        Ticket.from_bytes(bytes(data))


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, COUNTER_MAX + 1])
def test_an_impossible_number_makes_no_ticket(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=name):
        replace(TICKET, **{name: value})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [None, "1", 1.0, True])
def test_only_integers_are_numbers(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=name):
        replace(TICKET, **{name: value})


def test_the_identifier_must_be_a_uuid() -> None:
    with pytest.raises(TypeError, match="session_id"):
        Ticket(ID.hex)  # type: ignore[arg-type]


def test_a_ticket_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        TICKET.epoch = 9  # type: ignore[misc]


def test_the_repr_shows_four_digits_of_the_identifier_and_no_attempt() -> None:
    shown = repr(replace(WITH_SEED, attempt=987654321))
    assert SEED.hex()[:8] not in shown
    assert repr(SEED)[2:20] not in shown
    assert "1234…" in shown
    assert "12345" not in shown
    assert "987654321" not in shown


def test_an_error_repeats_nothing_of_the_content() -> None:
    data = bytearray(TICKET.to_bytes())
    data[17] = 0xFF
    with pytest.raises(TicketError) as caught:
        Ticket.from_bytes(bytes(data))
    assert ID.hex[:5] not in str(caught.value)
    assert caught.value.__cause__ is None
