"""A test kit that ships with the system: conformance suites, a model filesystem, hubs to test against."""
