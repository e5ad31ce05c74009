"""A change of the public API shows in a file of its own, which a review sees."""

from __future__ import annotations

from dataclasses import dataclass

import public_api
import pytest
from members import Member, members
from public_api import describe, snapshot


@pytest.mark.parametrize("member", members(), ids=lambda member: member.folder.name)
def test_the_snapshot_is_that_of_the_code(member: Member) -> None:
    stored = (member.folder / "api.txt").read_text("utf-8")
    assert stored == snapshot(member), "run: hatch run checks:api, and look at what it changed"


@dataclass(frozen=True)
class Basket:
    """A class to describe."""

    apples: int = 0

    @property
    def weight(self) -> float:
        return self.apples * 0.2

    def add(self, apples: int, *, ripe: bool = True) -> Basket:
        return Basket(self.apples + apples * ripe)

    def _count(self) -> int:
        return self.apples


def test_a_class_is_described_by_what_its_user_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_api, "is_ours", lambda thing: thing is Basket)
    package = Basket.__module__.partition(".")[0]
    assert list(describe("Basket", Basket, package)) == [
        "class Basket(apples: int = 0)",
        "    add(apples: int, *, ripe: bool = True) -> Basket",
        "    apples: int",
        "    weight: float (read-only)",
    ]


def test_what_a_package_passes_on_is_named_with_its_home() -> None:
    home = Basket.__module__.partition(".")[0]
    assert list(describe("Basket", Basket, "elsewhere")) == [f"Basket, from {home}"]
