"""Rulesets that score imported records under the rules of their own field."""
