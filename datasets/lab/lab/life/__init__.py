"""Ordinary life: importing this registers every server and every activity."""

from . import clinical, infrastructure, office  # noqa: F401
