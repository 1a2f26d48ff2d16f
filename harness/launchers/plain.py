"""Launcher `plain`: no isolation; the command can read what its user can read.

Its runs are recorded with isolation level `none`. A root conductor still gives the command a user
of its own if that user can read the interpreter.
"""

from typing import Literal

from harness.launchers import _without_namespace
from harness.launchers._sandbox import RunningSandbox
from harness.plugins import Availability, SandboxRequest


class Plain:
    """Starts a command without restrictions."""

    level: Literal["none", "landlock", "bubblewrap"] = "none"

    def probe(self) -> Availability:
        """Report that it is always available."""
        return Availability(ok=True, reason="no isolation: the submission sees the whole machine")

    def launch(self, request: SandboxRequest) -> RunningSandbox:
        """Start a sandbox; call from a thread that outlives it.

        Raises:
            OSError: it could not be started; the message says why.
        """
        return _without_namespace.start(request, restricted=False)


LAUNCHER = Plain()
