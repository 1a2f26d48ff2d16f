"""A server's power from its management controller by Redfish over HTTPS.

For each chassis the controller offers `EnvironmentMetrics` (`PowerWatts`, and on some controllers
the counter `EnergyJoules`) or the older `Power` (`PowerControl[].PowerConsumedWatts`). Source: DMTF
DSP2046, schemas EnvironmentMetrics v1.3 and Power v1.7. The password is taken from the environment,
never from an option, since options are recorded.
"""

import base64
import http.client
import json
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from harness.meters._files import Values
from harness.meters._sensing import NODE_POWER_MAX_W, check_options, timed
from harness.plugins import Availability, Domain, Reader, Reading

URL_VARIABLE = "JOULEMARK_REDFISH_URL"
USER_VARIABLE = "JOULEMARK_REDFISH_USER"
PASSWORD_VARIABLE = "JOULEMARK_REDFISH_PASSWORD"  # noqa: S105 - the name of a variable

_OPTIONS = ("url", "user", "chassis", "cafile")
_TIMEOUT_S = 5.0
_PERIOD_S = 1.0
_GAIN = 0.05
"""Controllers are specified to a few percent of full scale; few are calibrated."""

_ANSWER_BYTES_MAX = 1 << 20
_MISSING_STATUS = 404
_REFUSED_STATUS = (401, 403)


class RedfishClient:
    """A connection to one controller; it is opened again after a failure."""

    def __init__(self, options: Mapping[str, str]) -> None:
        url = options.get("url") or os.environ.get(URL_VARIABLE, "")
        user = options.get("user") or os.environ.get(USER_VARIABLE, "")
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"redfish meter: option url: '{url}' is not of the form https://host")
        self._host = parts.hostname
        context = ssl.create_default_context(cafile=options.get("cafile") or None)
        secret = f"{user}:{os.environ.get(PASSWORD_VARIABLE, '')}"
        token = base64.b64encode(secret.encode()).decode()
        self._headers = {"Accept": "application/json", "Authorization": f"Basic {token}"}
        self._connection = http.client.HTTPSConnection(
            self._host, parts.port or 443, timeout=_TIMEOUT_S, context=context
        )

    def get(self, path: str) -> dict[str, Any] | None:
        """The resource at a path; None where there is none.

        Raises:
            OSError: the controller cannot be reached, refuses, or its answer is no JSON object.
        """
        try:
            self._connection.request("GET", path, headers=self._headers)
            response = self._connection.getresponse()
            status, body = response.status, response.read(_ANSWER_BYTES_MAX)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise OSError(f"{self._host}: {path}: {error}") from error
        if status == _MISSING_STATUS:
            return None
        if status in _REFUSED_STATUS:
            advice = f"set {USER_VARIABLE} and {PASSWORD_VARIABLE}"
            raise OSError(f"{self._host} refuses the user (HTTP {status}); {advice}")
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise OSError(f"{self._host}: {path}: the answer is not JSON: {error}") from error
        if status != http.client.OK or not isinstance(answer, dict):
            raise OSError(f"{self._host}: {path}: HTTP {status}")
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        self._connection.close()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def parse_resource(resource: Mapping[str, Any] | None) -> Values:
    """Joules and watts of an `EnvironmentMetrics` or a `Power` resource.

    Raises:
        ValueError: it holds neither.
    """
    resource = resource or {}
    energy_j, power_w = (
        _number(sensor.get("Reading")) if isinstance(sensor, dict) else None
        for sensor in (resource.get("EnergyJoules"), resource.get("PowerWatts"))
    )
    controls = resource.get("PowerControl")
    for control in controls if isinstance(controls, list) else ():
        if power_w is None and isinstance(control, dict):
            power_w = _number(control.get("PowerConsumedWatts"))
    if power_w is None and energy_j is None:
        raise ValueError("the answer has neither PowerWatts, EnergyJoules nor PowerConsumedWatts")
    return energy_j, power_w


def find_resource(client: RedfishClient, chassis: str = "") -> str:
    """The path of the resource that gives the power of a chassis.

    Args:
        client: connection to the controller.
        chassis: last part of the chassis's path; empty where only one gives power.

    Raises:
        OSError: no chassis gives power, or several do and none was chosen.
    """
    members = (client.get("/redfish/v1/Chassis") or {}).get("Members", [])
    paths = [str(member.get("@odata.id", "")).rstrip("/") for member in members]
    matches: dict[str, str] = {}
    for path in paths:
        for name in ("EnvironmentMetrics", "Power"):
            if path in matches or (chassis and path.rpartition("/")[2] != chassis):
                continue
            try:
                parse_resource(client.get(f"{path}/{name}"))
            except ValueError:
                continue
            matches[path] = f"{path}/{name}"
    names = ", ".join(path.rpartition("/")[2] for path in paths)
    if not matches:
        raise OSError(f"no chassis of the controller gives power (chassis: {names or 'none'})")
    if len(matches) > 1:
        raise OSError(f"several chassis give power; choose one with chassis=NAME of: {names}")
    return next(iter(matches.values()))


class RedfishReader(Reader):
    """Queries the controller once a second."""

    period_s = _PERIOD_S

    def __init__(self, client: RedfishClient, path: str) -> None:
        self._client, self._path = client, path
        energy_j, _ = parse_resource(client.get(path))
        self.domains = (
            Domain(
                name="node-redfish",
                kind="node",
                method="sampled" if energy_j is None else "counter",
                meter="redfish",
                source=path,
                resolution_w=1.0,
                resolution_j=None if energy_j is None else 1.0,
                update_period_s=_PERIOD_S,
                power_low_w=0.0,
                power_high_w=NODE_POWER_MAX_W,
                gain_error_ratio=_GAIN,
            ),
        )

    def read(self) -> Sequence[Reading]:
        """One answer; half of the time that it took is the uncertainty of its stamp.

        Raises:
            OSError: the controller did not answer.
            ValueError: its answer holds no power.
        """
        resource, t_ns, u_ns = timed(lambda: self._client.get(self._path))
        return [Reading(t_ns, "node-redfish", *parse_resource(resource), u_ns)]

    def close(self) -> Mapping[str, float]:
        """Close the connection."""
        self._client.close()
        return {}


class RedfishMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("node",)

    def probe(self) -> Availability:
        """Query the controller that `JOULEMARK_REDFISH_URL` names once."""
        if not os.environ.get(URL_VARIABLE):
            advice = f"set {URL_VARIABLE}=https://HOST, {USER_VARIABLE} and {PASSWORD_VARIABLE}"
            reason = "no management controller is named"
            return Availability(ok=False, reason=reason, advice=advice)
        try:
            reader = self.open({})
            (reading,) = reader.read()
            reader.close()
        except (OSError, ValueError) as error:
            return Availability(ok=False, reason=str(error))
        shown = f"{reading.energy_j:g} J" if reading.power_w is None else f"{reading.power_w:g} W"
        return Availability(ok=True, reason=f"the node's controller reads {shown}")

    def open(self, options: Mapping[str, str]) -> RedfishReader:
        """Connect to a controller.

        Options: `url` (https://host[:port]), `user`, `chassis`, and `cafile` (a certificate file
        that the controller's own certificate is checked against).
        """
        check_options("redfish", options, _OPTIONS)
        client = RedfishClient(options)
        try:
            return RedfishReader(client, find_resource(client, options.get("chassis", "")))
        except BaseException:
            client.close()
            raise


METER = RedfishMeter()
