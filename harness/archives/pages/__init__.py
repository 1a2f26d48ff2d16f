"""Plug-ins of the kind `pages` for archives."""
