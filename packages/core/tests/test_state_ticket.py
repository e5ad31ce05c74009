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
NUMBERS = ("epoch", "generation", "attempt", "cookie_version", "issued_at")

numbers = st.integers(0, COUNTER_MAX)
tickets = st.builds(Ticket, st.uuids(), numbers, numbers, numbers, numbers, numbers)


@given(tickets)
def test_a_ticket_comes_back_from_its_bytes(ticket: Ticket) -> None:
    assert Ticket.from_bytes(ticket.to_bytes()) == ticket


@given(st.binary(max_size=70))
def test_other_bytes_are_refused_or_are_exactly_one_ticket(data: bytes) -> None:
    try:
        ticket = Ticket.from_bytes(data)
    except TicketError:
        return
    assert ticket.to_bytes() == data


def test_the_byte_form_is_a_version_and_fixed_width_big_endian_fields() -> None:
    expected = b"\x01" + ID.bytes + b"".join(n.to_bytes(8, "big") for n in (1, 2, 3, 4, 5))
    assert TICKET.to_bytes() == expected


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"", lambda b: b + b])
def test_another_length_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TicketError, match="57 bytes"):
        Ticket.from_bytes(change(TICKET.to_bytes()))


@pytest.mark.parametrize("version", [0, 2, 255])
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
    shown = repr(replace(TICKET, attempt=987654321))
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
