"""The version of websession-core; `hatch version` in the member's folder changes it."""

__version__ = "0.2.0"
