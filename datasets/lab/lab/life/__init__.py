"""Ordinary life: importing this registers every server and every activity, those that others need first."""

from . import infrastructure, remote, shares, web, clinical, dicom, hl7, records, telemetry  # noqa: F401,I001
from . import office, mail, voice, discovery, unusual  # noqa: F401,I001
