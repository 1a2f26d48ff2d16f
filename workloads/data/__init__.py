"""Packaged and generated data, each module one source, with numpy alone."""
