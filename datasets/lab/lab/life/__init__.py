"""Ordinary life: importing this registers every server and every activity."""

from . import clinical, dicom, hl7, infrastructure, office, records, telemetry  # noqa: F401
