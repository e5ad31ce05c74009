"""A change of the public API shows in a file of its own, which a review sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from members import Member, members
from public_api import HEAD, Reader

if TYPE_CHECKING:
    from pathlib import Path

BASKET = """
import dataclasses
import enum
from typing import Final

__all__ = ["Basket", "Ripe", "weigh"]

HEAVY: Final = 7

class Ripe(enum.Enum):
    YES = "yes"
    _MAYBE = "maybe"

class Rooted:
    def root(self) -> None:
        "Take root."

@dataclasses.dataclass(frozen=True)
class Basket(Rooted):
    "What is carried."

    apples: int = 0

    @property
    def weight(self) -> float:
        return self.apples * 0.2

    @classmethod
    def heavy(cls) -> Basket:
        return cls(HEAVY)

    def add(self, apples: int, *, ripe: bool = True) -> Basket:
        return Basket(self.apples + apples * ripe)

    def _count(self) -> int:
        return self.apples

def weigh(basket: Basket, most: int = HEAVY) -> bool:
    return basket.apples < most
"""

DESCRIBED = """
[basket]
class Basket(apples: int = 0), a Rooted
    add(apples: int, *, ripe: bool = True) -> Basket
    apples: int
    class heavy() -> Basket
    root() -> None
    weight: float (read-only)
class Ripe, a enum.Enum
    YES = 'yes'
weigh(basket: Basket, most: int = 7) -> bool
"""


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(members())


@pytest.mark.parametrize("member", members(), ids=lambda member: member.folder.name)
def test_the_snapshot_is_that_of_the_code(member: Member, reader: Reader) -> None:
    stored = (member.folder / "api.txt").read_text("utf-8")
    assert stored == reader.snapshot(member), "run: hatch run checks:api, and look at what it changed"


def describe(folder: Path, name: str = "basket", **packages: str) -> str:
    """Return the snapshot of one of some packages, given by their source."""
    written = {}
    for package, source in packages.items():
        module = folder / package / "src" / package / "__init__.py"
        module.parent.mkdir(parents=True)
        module.write_text(source, "utf-8")
        written[package] = Member(folder / package)
    return Reader(written.values()).snapshot(written[name]).removeprefix(HEAD)


def test_a_package_is_described_by_what_its_user_sees(tmp_path: Path) -> None:
    assert describe(tmp_path, basket=BASKET) == DESCRIBED


def test_what_a_package_passes_on_is_named_with_its_home(tmp_path: Path) -> None:
    shop = (
        'from basket import Basket\nfrom fractions import Fraction\n__all__ = ["Basket", "Fraction", "sold"]'
    )
    described = "\n[shop]\nBasket, from basket\nFraction, from fractions.Fraction\nsold, by `__getattr__`\n"
    assert describe(tmp_path, "shop", shop=shop, basket=BASKET) == described


@pytest.mark.parametrize(
    ("code", "instead"),
    [
        ("apples: int, *,", "apples: int,"),
        ("ripe: bool = True", "ripe: bool = False"),
        ("ripe: bool = True", "ripe: bool"),
        ("add(self, apples: int", "add(self, apples: float"),
        ("def weigh(basket: Basket", "def weigh(bag: Basket"),
        ("-> bool", "-> int"),
        ("HEAVY: Final = 7", "HEAVY: Final = 8"),
        ("    apples: int = 0", "    apples: int = 1"),
        ("    @property\n", ""),
        ("    @classmethod\n", ""),
        ("def add", "def add_some"),
        ("def root", "def _root"),
        ("(Rooted)", ""),
        ('"yes"', '"no"'),
        ('"Ripe", ', ""),
        ('"weigh"]', '"weigh", "HEAVY"]'),
        ("def weigh", "def weight"),
    ],
)
def test_a_change_of_a_name_or_a_signature_is_seen(tmp_path: Path, code: str, instead: str) -> None:
    assert code in BASKET
    assert describe(tmp_path, basket=BASKET.replace(code, instead)) != DESCRIBED


@pytest.mark.parametrize(
    ("code", "instead"),
    [("What is carried", "It carries"), ("_count", "_number"), ("* 0.2", "* 0.3"), ('"maybe"', '"perhaps"')],
)
def test_a_change_of_what_no_user_sees_is_none(tmp_path: Path, code: str, instead: str) -> None:
    assert code in BASKET
    assert describe(tmp_path, basket=BASKET.replace(code, instead)) == DESCRIBED
