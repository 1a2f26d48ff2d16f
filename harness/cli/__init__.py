"""The command line: `joulemark VERB`."""

from harness.cli.group import main

__all__ = ["main"]
