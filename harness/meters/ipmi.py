"""Power of the whole node from its management controller: `ipmitool dcmi power reading`.

The controller updates its value once a second or slower, and states an averaging period of its
own; the value covers everything behind the node's power supplies.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from harness.meters._sensing import check_options, timed
from harness.plugins import Availability, Domain, Reader, Reading

_COMMAND = ("ipmitool", "dcmi", "power", "reading")
_TIMEOUT_S = 8.0
_GAIN = 0.05
"""Controllers are specified to a few percent of full scale; few are calibrated."""

_POWER_MAX_W = 20_000.0
_PERIOD_S = 1.0

_INSTANT = re.compile(r"Instantaneous power reading:\s*(\d+)\s*Watts")
_SAMPLING = re.compile(r"Sampling period:\s*(\d+)\s*(Milliseconds|Seconds)", re.IGNORECASE)
_STATE = re.compile(r"Power reading state is:\s*(\w+)")


def watts(text: str) -> float:
    """The power in the output of ipmitool.

    Raises:
        ValueError: there is none, or the controller does not measure.
    """
    state = _STATE.search(text)
    if state and state[1].lower() != "activated":
        raise ValueError(f"the controller's power reading is {state[1].lower()}")
    match = _INSTANT.search(text)
    if not match:
        raise ValueError(f"no power reading in ipmitool's answer: {text.strip()[:80]!r}")
    return float(match[1])


def sampling_s(text: str) -> float | None:
    """The averaging period that the controller states, seconds."""
    match = _SAMPLING.search(text)
    if not match:
        return None
    return float(match[1]) / (1000 if match[2].lower() == "milliseconds" else 1)


def _run() -> str:
    """Run ipmitool once.

    Raises:
        OSError: it is missing, failed or took too long; the message says which.
    """
    program = shutil.which(_COMMAND[0])
    if program is None:
        raise OSError("ipmitool is not installed")
    try:
        done = subprocess.run(
            [program, *_COMMAND[1:]],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"ipmitool gave no answer within {_TIMEOUT_S:g} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise OSError(f"ipmitool failed: {lines[-1] if lines else f'code {done.returncode}'}")
    return done.stdout


class IpmiReader(Reader):
    """Queries the controller."""

    period_s = _PERIOD_S

    def __init__(self, first: str) -> None:
        self.domains = (
            Domain(
                name="node",
                kind="node",
                method="sampled",
                meter="ipmi",
                source=" ".join(_COMMAND),
                resolution_w=1.0,
                update_period_s=max(_PERIOD_S, sampling_s(first) or 0.0),
                averaging_window_s=sampling_s(first),
                power_low_w=0.0,
                power_high_w=_POWER_MAX_W,
                gain_error_ratio=_GAIN,
            ),
        )

    def read(self) -> Sequence[Reading]:
        """One answer.

        Raises:
            OSError: ipmitool failed or took too long.
            ValueError: its answer has no power.
        """
        text, t_ns, u_ns = timed(_run)
        return [Reading(t_ns, "node", None, watts(text), u_ns)]


class IpmiMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("node",)

    def probe(self) -> Availability:
        """Query once."""
        if shutil.which(_COMMAND[0]) is None:
            return Availability(
                ok=False, reason="ipmitool is not installed", advice="apt-get install ipmitool"
            )
        try:
            power_w = watts(_run())
        except (OSError, ValueError) as error:
            advice = "load ipmi_devintf and ipmi_si, and run as a user that may open /dev/ipmi0"
            return Availability(ok=False, reason=str(error), advice=advice)
        return Availability(ok=True, reason=f"the node's controller reads {power_w:g} W")

    def open(self, options: Mapping[str, str]) -> IpmiReader:
        """Query once and start; it has no options."""
        check_options("ipmi", options, ())
        first = _run()
        watts(first)
        return IpmiReader(first)


METER = IpmiMeter()
