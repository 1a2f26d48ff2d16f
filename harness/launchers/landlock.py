"""Launcher `landlock`: Landlock and seccomp, for machines where user namespaces are blocked.

It isolates less than bubblewrap: names and sizes of files and other processes are visible, and the
scratch folder has no size limit. A root conductor needs an interpreter that others can read.
It also allows less: what Landlock does not govern is forbidden, so there are no sockets, no changes
of modes or owners, and no named semaphores, which Python's `multiprocessing` needs.
"""

import os
import tempfile
from pathlib import Path
from typing import Literal

from harness.launchers import _restrict, _seccomp, _without_namespace
from harness.launchers._sandbox import RunningSandbox
from harness.plugins import Availability, SandboxRequest

_TRY_S = 10.0


class Landlock:
    """Starts a command that restricts itself first."""

    level: Literal["none", "landlock", "bubblewrap"] = "landlock"

    def probe(self) -> Availability:
        """Start `true` in a sandbox."""
        if not _restrict.version():
            advice = "boot with landlock in the kernel's lsm= list (Linux 5.13 or newer)"
            return Availability(ok=False, reason="this kernel has no Landlock", advice=advice)
        if not _seccomp.supported():
            return Availability(ok=False, reason="no seccomp filter for this processor")
        if failure := _try():
            return failure
        reason = f"Landlock {_restrict.version()} restricts programs here"
        return Availability(ok=True, reason=reason)

    def launch(self, request: SandboxRequest) -> RunningSandbox:
        """Start a sandbox; call from a thread that outlives it.

        Raises:
            OSError: it could not be started; the message says why.
        """
        return _without_namespace.start(request, restricted=True)


def _try() -> Availability | None:
    """Why `true` cannot be started, and what to do; None if it can."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as null:
        Path(folder).chmod(0o755)
        end = null.fileno()
        request = SandboxRequest(
            command=("/bin/true",), source=Path(folder), stdout=end, stderr=end
        )
        try:
            end_status = _without_namespace.start(request, restricted=True).reap(_TRY_S)
        except _without_namespace.ClosedToOthers as error:
            return Availability(ok=False, reason=error.reason, advice=error.advice)
        except OSError as error:
            return Availability(ok=False, reason=str(error))
    if end_status.code == 0:
        return None
    return Availability(
        ok=False, reason=f"`true` ended with {end_status.code or end_status.signal}"
    )


LAUNCHER = Landlock()
