"""Launcher `plain`: no isolation; the command can read what its user can read.

Its runs are recorded with isolation level `none`. It is used only if it is named. A root conductor
gives the command a user of its own; if that user cannot read the interpreter, nothing is started.
"""

from typing import Literal

from harness.launchers import _identity, _without_namespace
from harness.launchers._sandbox import RunningSandbox
from harness.launchers.interpreter import python_paths
from harness.plugins import Availability, SandboxRequest


class Plain:
    """Starts a command without restrictions."""

    level: Literal["none", "landlock", "bubblewrap"] = "none"

    def probe(self) -> Availability:
        """Report whether the command can be started as another user than root."""
        closed = _identity.unreachable(python_paths()) if _identity.is_root() else None
        if closed and not _without_namespace.trusted():
            error = _without_namespace.ClosedToOthers(closed)
            return Availability(ok=False, reason=error.reason, advice=error.advice)
        return Availability(ok=True, reason="no isolation: the submission sees the whole machine")

    def launch(self, request: SandboxRequest) -> RunningSandbox:
        """Start a sandbox; call from a thread that outlives it.

        Raises:
            OSError: it could not be started; the message says why.
        """
        return _without_namespace.start(request, restricted=False)


LAUNCHER = Plain()
