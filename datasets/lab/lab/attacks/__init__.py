"""Attacks: importing this registers all of them."""

from . import scanning  # noqa: F401
