"""Launcher `plain`: no isolation; the command sees what its user sees, and is only kept together.

Runs started so are recorded as `isolation: none`. A root conductor still gives the command a user
of its own where that user can read the interpreter.
"""

from typing import Literal

from harness.launchers import _without_namespace
from harness.launchers._sandbox import RunningSandbox
from harness.plugins import Availability, SandboxRequest


class Plain:
    """Starts a command as it is."""

    level: Literal["none", "landlock", "bubblewrap"] = "none"

    def probe(self) -> Availability:
        """Nothing can be missing."""
        return Availability(ok=True, reason="no isolation: the submission sees the whole machine")

    def launch(self, request: SandboxRequest) -> RunningSandbox:
        """Start it; call from a thread that outlives it.

        Raises:
            OSError: it could not be started; the message says why.
        """
        return _without_namespace.start(request, bound=False)


LAUNCHER = Plain()
