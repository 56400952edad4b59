"""The web: sites outside."""

from ..work import Work, life, server
