"""Launcher `landlock`: Landlock and seccomp, for machines where user namespaces are blocked.

Weaker than bubblewrap: names and sizes of files can be seen, processes share one table, and the
scratch folder has no size limit. A root conductor needs an interpreter that others can read.
Narrower, too: what Landlock does not govern is refused whole, so there are no sockets, no changes
of modes or owners, and no named semaphores, which Python's `multiprocessing` is built on.
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
    """Starts a command that has bound itself."""

    level: Literal["none", "landlock", "bubblewrap"] = "landlock"

    def probe(self) -> Availability:
        """Start `true` in it."""
        if not _restrict.version():
            advice = "boot with landlock in the kernel's lsm= list (Linux 5.13 or newer)"
            return Availability(ok=False, reason="this kernel has no Landlock", advice=advice)
        if not _seccomp.supported():
            return Availability(ok=False, reason="no seccomp filter for this processor")
        if failed := _try():
            return failed
        return Availability(ok=True, reason=f"Landlock {_restrict.version()} binds programs here")

    def launch(self, request: SandboxRequest) -> RunningSandbox:
        """Start it; call from a thread that outlives it.

        Raises:
            OSError: it could not be started; the message says why.
        """
        return _without_namespace.start(request, bound=True)


def _try() -> Availability | None:
    """Why `true` cannot be started, and what to do; None where it can."""
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "wb") as null:  # noqa: PTH123
        Path(folder).chmod(0o755)
        end = null.fileno()
        request = SandboxRequest(
            command=("/bin/true",), source=Path(folder), stdout=end, stderr=end
        )
        try:
            ended = _without_namespace.start(request, bound=True).reap(_TRY_S)
        except _without_namespace.ClosedToOthers as error:
            return Availability(ok=False, reason=error.reason, advice=error.advice)
        except OSError as error:
            return Availability(ok=False, reason=str(error))
    if ended.code == 0:
        return None
    return Availability(ok=False, reason=f"`true` ended with {ended.code or ended.signal}")


LAUNCHER = Landlock()
