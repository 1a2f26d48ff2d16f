"""Bundles to scores: costs of runs, statistics over seeds, places among entries."""
