"""What an empty database is filled with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from .models import Product, User
from .passwords import hash_password

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as DatabaseSession


@dataclass(frozen=True)
class DemoUser:
    """Somebody to log in as. The password is public: it protects nothing."""

    name: str
    full_name: str
    password: str
    is_admin: bool = False


DEMO_USERS = (
    DemoUser("ada", "Ada Lindqvist", "tea-at-four"),
    DemoUser("noor", "Noor Haddad", "biscuits-first"),
    DemoUser("pim", "Pim Verbeek", "keys-to-the-shop", is_admin=True),
)

PRODUCTS = (
    {
        "slug": "round-teapot",
        "name": "Round teapot",
        "summary": "Stoneware for four cups, and a spout that does not drip.",
        "description": (
            "Thrown in one piece and glazed inside and out. The lid has a stop, so it stays on to the last "
            "drop, and the handle is wide enough for a whole hand. Holds one litre."
        ),
        "price": 3900,
        "picture": "teapot",
    },
    {
        "slug": "copper-kettle",
        "name": "Copper kettle",
        "summary": "Hammered copper, tinned inside, sings at ninety-five degrees.",
        "description": (
            "It gave the shop its name. Copper takes the heat quickly and hands it on evenly; the handle "
            "stays cool. It darkens with the years unless you polish it. Holds a litre and a half."
        ),
        "price": 8450,
        "picture": "kettle",
    },
    {
        "slug": "everyday-cup",
        "name": "Everyday cup",
        "summary": "The one that is always in the sink, because it is used.",
        "description": (
            "A quarter of a litre, a thin rim, a thick foot. Goes into the dishwasher and comes out of it as "
            "it went in. No two have quite the same glaze."
        ),
        "price": 1450,
        "picture": "cup",
    },
    {
        "slug": "assam-tin",
        "name": "Assam, second flush",
        "summary": "Malty and dark; stands up to milk. 125 grams in a tin.",
        "description": (
            "Whole leaves from one garden, picked in June. Three minutes for a light cup, four with milk. "
            "The tin closes tightly and is worth keeping."
        ),
        "price": 1190,
        "picture": "tin",
    },
    {
        "slug": "heather-honey",
        "name": "Heather honey",
        "summary": "From the moor in August. Almost a jelly, never too sweet.",
        "description": (
            "The bees do what they like; the keeper, two villages away, only writes the labels. 250 grams, "
            "in a jar with a deposit of nothing at all."
        ),
        "price": 840,
        "picture": "honey",
    },
    {
        "slug": "oat-biscuits",
        "name": "Oat biscuits",
        "summary": "Butter, oats, a little salt. They break when they should.",
        "description": (
            "Baked on Tuesdays and Fridays. Dunk for two seconds; at three you are on your own. "
            "A dozen in a paper bag."
        ),
        "price": 520,
        "picture": "biscuit",
    },
    {
        "slug": "leaf-strainer",
        "name": "Leaf strainer",
        "summary": "Fine steel mesh with a drip bowl of its own.",
        "description": (
            "Fits every cup we know of. The mesh holds back broken leaves, and the bowl keeps the tablecloth "
            "out of the story."
        ),
        "price": 980,
        "picture": "strainer",
    },
    {
        "slug": "wooden-tray",
        "name": "Wooden tray",
        "summary": "Oiled ash with a raised edge. Breakfast fits, so does supper.",
        "description": (
            "Forty by thirty centimetres, dovetailed at the corners. Wipe it, do not soak it, and oil it "
            "once a year if you think of it."
        ),
        "price": 2700,
        "picture": "tray",
    },
)


def fill(dbsession: DatabaseSession) -> None:
    """Add the products and the demo users, unless there are some."""
    if dbsession.scalar(select(Product.id).limit(1)) is None:
        dbsession.add_all(Product(**product) for product in PRODUCTS)
    if dbsession.scalar(select(User.id).limit(1)) is None:
        dbsession.add_all(
            User(
                name=user.name,
                full_name=user.full_name,
                password_hash=hash_password(user.password),
                is_admin=user.is_admin,
            )
            for user in DEMO_USERS
        )
