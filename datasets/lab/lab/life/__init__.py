"""Ordinary life: importing this registers every server and every activity, those that others need first."""

from . import infrastructure, remote, shares, web, clinical, office, mail, voice, discovery, unusual  # noqa: F401,I001
