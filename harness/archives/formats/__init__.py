"""Plug-ins of the kind `formats` for archives."""
