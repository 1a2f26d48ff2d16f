"""Reads a server's power from its management controller by Redfish over HTTPS.

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
from typing import Any, NamedTuple
from urllib.parse import urlsplit

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


class Sample(NamedTuple):
    """What one answer of the controller holds."""

    power_w: float | None
    energy_j: float | None


class Client:
    """A connection to one controller; it is opened again after a failure."""

    def __init__(self, url: str, user: str, password: str, cafile: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"redfish meter: option url: '{url}' is not of the form https://host")
        self._host, self._port = parts.hostname, parts.port or 443
        self._context = ssl.create_default_context(cafile=cafile or None)
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Accept": "application/json", "Authorization": f"Basic {token}"}
        self._connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> dict[str, Any]:
        """Return the resource at `path`.

        Raises:
            FileNotFoundError: the controller has no such resource.
            OSError: it cannot be reached, refuses the request, or its answer is no JSON object.
        """
        try:
            status, body = self._request(path)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise OSError(f"{self._host}: {path}: {error}") from error
        if status == http.client.NOT_FOUND:
            raise FileNotFoundError(f"{self._host} has no {path}")
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise OSError(
                f"{self._host} refuses the user (HTTP {status}); "
                f"set {USER_VARIABLE} and {PASSWORD_VARIABLE}"
            )
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise OSError(f"{self._host}: {path}: the answer is not JSON: {error}") from error
        if status != http.client.OK or not isinstance(answer, dict):
            raise OSError(f"{self._host}: {path}: HTTP {status}")
        return answer

    def _request(self, path: str) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=_TIMEOUT_S, context=self._context
            )
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        return response.status, response.read(_ANSWER_BYTES_MAX)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _reading(resource: Mapping[str, Any], name: str) -> float | None:
    sensor = resource.get(name)
    return _number(sensor.get("Reading")) if isinstance(sensor, dict) else None


def parse_resource(resource: Mapping[str, Any]) -> Sample:
    """Return watts and joules of an `EnvironmentMetrics` or a `Power` resource.

    Raises:
        ValueError: it holds neither.
    """
    power_w = _reading(resource, "PowerWatts")
    energy_j = _reading(resource, "EnergyJoules")
    controls = resource.get("PowerControl")
    if power_w is None and isinstance(controls, list):
        values = [
            _number(control.get("PowerConsumedWatts"))
            for control in controls
            if isinstance(control, dict)
        ]
        known = [value for value in values if value is not None]
        power_w = known[0] if known else None
    if power_w is None and energy_j is None:
        raise ValueError("the answer has neither PowerWatts, EnergyJoules nor PowerConsumedWatts")
    return Sample(power_w, energy_j)


def find_resource(client: Client, chassis: str = "") -> str:
    """Return the path of the resource that gives the power of a chassis.

    Args:
        client: connection to the controller.
        chassis: last part of the chassis's path; empty where only one gives power.

    Raises:
        OSError: no chassis gives power, or several do and none was chosen.
    """
    members = client.get("/redfish/v1/Chassis").get("Members", [])
    paths = [str(member.get("@odata.id", "")).rstrip("/") for member in members]
    matches = []
    for path in paths:
        if chassis and path.rpartition("/")[2] != chassis:
            continue
        for name in ("EnvironmentMetrics", "Power"):
            try:
                parse_resource(client.get(f"{path}/{name}"))
            except (FileNotFoundError, ValueError):
                continue
            matches.append(f"{path}/{name}")
            break
    names = ", ".join(path.rpartition("/")[2] for path in paths)
    if not matches:
        raise OSError(f"no chassis of the controller gives power (chassis: {names or 'none'})")
    if len(matches) > 1:
        raise OSError(f"several chassis give power; choose one with chassis=NAME of: {names}")
    return matches[0]


class RedfishReader(Reader):
    """Queries the controller once a second."""

    period_s = _PERIOD_S

    def __init__(self, client: Client, path: str, first: Sample) -> None:
        self._client, self._path = client, path
        self.domains = (
            Domain(
                name="node-redfish",
                kind="node",
                method="sampled" if first.energy_j is None else "counter",
                meter="redfish",
                source=path,
                resolution_w=1.0,
                resolution_j=None if first.energy_j is None else 1.0,
                update_period_s=_PERIOD_S,
                power_low_w=0.0,
                power_high_w=NODE_POWER_MAX_W,
                gain_error_ratio=_GAIN,
            ),
        )

    def read(self) -> Sequence[Reading]:
        """Ask once; half of the time that the answer took is the uncertainty of its stamp.

        Raises:
            OSError: the controller did not answer.
            ValueError: its answer holds no power.
        """
        resource, t_ns, u_ns = timed(lambda: self._client.get(self._path))
        sample = parse_resource(resource)
        return [Reading(t_ns, "node-redfish", sample.energy_j, sample.power_w, u_ns)]

    def close(self) -> Mapping[str, float]:
        """Close the connection."""
        self._client.close()
        return {}


def _client(options: Mapping[str, str]) -> Client:
    return Client(
        options.get("url") or os.environ.get(URL_VARIABLE, ""),
        options.get("user") or os.environ.get(USER_VARIABLE, ""),
        os.environ.get(PASSWORD_VARIABLE, ""),
        options.get("cafile", ""),
    )


class RedfishMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("node",)

    def probe(self) -> Availability:
        """Ask the controller that `JOULEMARK_REDFISH_URL` names once."""
        if not os.environ.get(URL_VARIABLE):
            return Availability(
                ok=False,
                reason="no management controller is named",
                advice=f"set {URL_VARIABLE}=https://HOST, {USER_VARIABLE} and {PASSWORD_VARIABLE}",
            )
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
        client = _client(options)
        try:
            path = find_resource(client, options.get("chassis", ""))
            return RedfishReader(client, path, parse_resource(client.get(path)))
        except BaseException:
            client.close()
            raise


METER = RedfishMeter()
