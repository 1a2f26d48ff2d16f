"""Power of the whole node from its management controller: `ipmitool dcmi power reading`.

The controller updates its value once a second or slower; the value covers everything behind the
node's power supplies. Over which time it averages is unknown: the sampling period in the answer is
that of the statistics below the reading, and may be days. A controller without DCMI has a sensor of
the node's power among those of `ipmitool sdr`.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

from harness.meters._sensing import NODE_POWER_MAX_W, check_options, timed
from harness.plugins import Availability, Domain, Reader, Reading

_DCMI = ("dcmi", "power", "reading")
_SDR = ("sdr",)
_TIMEOUT_S = 8.0
_GAIN = 0.05
"""Controllers are specified to a few percent of full scale; few are calibrated."""

_PERIOD_S = 1.0

_INSTANT = re.compile(r"Instantaneous power reading:\s*(\d+)\s*Watts")
_STATE = re.compile(r"Power reading state is:\s*(\w+)")
_SENSOR = re.compile(
    r"^(?:System Level|Pwr Consumption|Power Meter|(?:Total|Sys(?:tem)?|Node|Chassis)[ _]?"
    r"(?:Power|Pwr)(?: Consumption)?)\s*\|(?:[^|\n]*\|)*?\s*([\d.]+)\s*\|?\s*Watts",
    re.IGNORECASE | re.MULTILINE,
)
"""A line of `ipmitool sdr`, `sdr elist` or `sensor`, by the names that Fujitsu, Dell, HPE and
Supermicro give to the power of the whole node."""


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


def sensor_watts(text: str) -> float:
    """The power of the node in the output of `ipmitool sdr` or `ipmitool sensor`.

    Raises:
        ValueError: no sensor with a known name has one.
    """
    match = _SENSOR.search(text)
    if not match:
        raise ValueError("ipmitool sdr lists no sensor of the node's power")
    return float(match[1])


def _run(command: Sequence[str]) -> str:
    """Run ipmitool once.

    Raises:
        OSError: it is missing, failed or took too long; the message says which.
    """
    program = shutil.which("ipmitool")
    if program is None:
        raise OSError("ipmitool is not installed")
    try:
        done = subprocess.run(
            [program, *command],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"ipmitool gave no answer within {_TIMEOUT_S:g} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise OSError(f"ipmitool failed: {lines[-1] if lines else f'code {done.returncode}'}")
    return done.stdout


def _read_dcmi() -> float:
    return watts(_run(_DCMI))


def _read_sdr() -> float:
    return sensor_watts(_run(_SDR))


def _first_answer() -> tuple[Callable[[], float], float]:
    """How this controller is read, and its power.

    Raises:
        OSError: ipmitool failed in both ways; the message is of the first.
        ValueError: it has no power.
    """
    try:
        return _read_dcmi, _read_dcmi()
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        try:
            return _read_sdr, _read_sdr()
        except (OSError, ValueError):
            raise error from None


class IpmiReader(Reader):
    """Queries the controller."""

    period_s = _PERIOD_S

    def __init__(self, read_power: Callable[[], float]) -> None:
        self._read_power = read_power
        command = _DCMI if read_power is _read_dcmi else _SDR
        self.domains = (
            Domain(
                name="node",
                kind="node",
                method="sampled",
                meter="ipmi",
                source=" ".join(("ipmitool", *command)),
                resolution_w=1.0,
                update_period_s=_PERIOD_S,
                power_low_w=0.0,
                power_high_w=NODE_POWER_MAX_W,
                gain_error_ratio=_GAIN,
            ),
        )

    def read(self) -> Sequence[Reading]:
        """One answer.

        Raises:
            OSError: ipmitool failed or took too long.
            ValueError: its answer has no power.
        """
        power_w, t_ns, u_ns = timed(self._read_power)
        return [Reading(t_ns, "node", None, power_w, u_ns)]


class IpmiMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("node",)

    def probe(self) -> Availability:
        """Query once."""
        if shutil.which("ipmitool") is None:
            return Availability(
                ok=False, reason="ipmitool is not installed", advice="apt-get install ipmitool"
            )
        try:
            _, power_w = _first_answer()
        except (OSError, ValueError) as error:
            advice = "load ipmi_devintf and ipmi_si, and run as a user that may open /dev/ipmi0"
            return Availability(ok=False, reason=str(error), advice=advice)
        return Availability(ok=True, reason=f"the node's controller reads {power_w:g} W")

    def open(self, options: Mapping[str, str]) -> IpmiReader:
        """Query once and start; it has no options."""
        check_options("ipmi", options, ())
        read_power, _ = _first_answer()
        return IpmiReader(read_power)


METER = IpmiMeter()
