"""What the checkout asks, and how the answers are checked."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTRIES = {
    "AT": "Austria",
    "BE": "Belgium",
    "DE": "Germany",
    "FR": "France",
    "IE": "Ireland",
    "IT": "Italy",
    "NL": "Netherlands",
}
DEFAULT_COUNTRY = "DE"
POSTCODE = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9 -]{2,11}")
MAX_NOTE = 300


@dataclass(frozen=True)
class Field:
    """A line of text: its name, what it is called, and what browsers can fill in by themselves."""

    name: str
    label: str
    autocomplete: str
    max_length: int


ADDRESS_FIELDS = (
    Field("name", "Full name", "name", 100),
    Field("street", "Street and number", "street-address", 100),
    Field("postcode", "Postcode", "postal-code", 12),
    Field("city", "Town", "address-level2", 100),
)


@dataclass(frozen=True)
class Delivery:
    """A way for the parcel to arrive; the price in cents."""

    label: str
    time: str
    price: int


DELIVERIES = {
    "post": Delivery("By post", "in three to five days", 490),
    "courier": Delivery("By bicycle courier", "tomorrow, before noon", 890),
    "collect": Delivery("Collect it yourself", "from our counter, any day but Sunday", 0),
}
DEFAULT_DELIVERY = "post"

TYPED = {field.name: field.label for field in ADDRESS_FIELDS} | {"note": "A note for whoever brings it"}
"""What people write themselves, and do not want to write again."""

Errors = dict[str, str]


def check_address(answers: Mapping[str, str]) -> tuple[dict[str, str], Errors]:
    """The address as it will be kept, and a sentence for each field that needs another look."""
    values = {field.name: one_line(answers.get(field.name, "")) for field in ADDRESS_FIELDS}
    values["country"] = one_line(answers.get("country", ""))
    errors: Errors = {}
    for field in ADDRESS_FIELDS:
        if not values[field.name]:
            errors[field.name] = f"{field.label} is missing."
        elif len(values[field.name]) > field.max_length:
            errors[field.name] = f"{field.label} can have at most {field.max_length} characters."
    if "postcode" not in errors and not POSTCODE.fullmatch(values["postcode"]):
        errors["postcode"] = "This does not look like a postcode. Examples: 10115, D02 X285."
    if values["country"] not in COUNTRIES:
        errors["country"] = "Choose one of the countries we deliver to."
    return values, errors


def check_delivery(answers: Mapping[str, str]) -> tuple[dict[str, str], Errors]:
    """The way of delivery and the note, and a sentence for each that needs another look."""
    values = {"method": one_line(answers.get("method", "")), "note": some_lines(answers.get("note", ""))}
    errors: Errors = {}
    if values["method"] not in DELIVERIES:
        errors["method"] = "Choose how the parcel should arrive."
    if len(values["note"]) > MAX_NOTE:
        errors["note"] = f"The note can have at most {MAX_NOTE} characters."
    return values, errors


def one_line(text: str) -> str:
    """The text without control characters, and with single blanks."""
    return " ".join(_printable(text).split())


def some_lines(text: str) -> str:
    """The same for text of several lines."""
    lines = [one_line(line) for line in text.splitlines()]
    return "\n".join(lines).strip()


def _printable(text: str) -> str:
    # Control characters (NUL among them) and lone surrogates are no text: databases refuse them.
    return "".join(
        " " if unicodedata.category(character) == "Cc" else character
        for character in text
        if unicodedata.category(character) != "Cs"
    )
