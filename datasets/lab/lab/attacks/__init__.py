"""Attacks: importing this registers all of them."""

from . import (  # noqa: F401
    command_and_control,
    credentials,
    delivery,
    devices,
    disruption,
    exfiltration,
    medical,
    movement,
    scanning,
    servers,
)
