"""Rulesets as TOML with `extends`, and the named checks they ask for."""
