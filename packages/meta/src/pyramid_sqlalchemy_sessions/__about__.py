"""The version of pyramid-sqlalchemy-sessions; `hatch version` in the member's folder changes it."""

__version__ = "0.3.0"
