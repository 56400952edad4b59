"""Medical devices and the systems that they talk to: DICOM, HL7, FHIR and MQTT."""
