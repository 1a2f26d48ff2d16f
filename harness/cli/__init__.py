"""The command line: `joulemark VERB`, one file a verb, loaded when it is asked for."""

from harness.cli.group import main

__all__ = ["main"]
