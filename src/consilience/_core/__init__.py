"""Errors, parameters, arrays, seeds, registries: what every other layer stands on."""
