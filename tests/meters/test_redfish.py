"""Redfish power, against a local TLS server that answers as a management controller does."""

import base64
import datetime as dt
import http.server
import ipaddress
import json
import ssl
import threading

import pytest

from harness.meters import redfish

x509 = pytest.importorskip("cryptography.x509")

CHASSIS = {"Members": [{"@odata.id": "/redfish/v1/Chassis/1"}]}
POWER = {"PowerControl": [{"MemberId": "0", "PowerConsumedWatts": 344}]}
METRICS = {"PowerWatts": {"Reading": 412.5}, "EnergyJoules": {"Reading": 99000.25}}


def certificate(folder):
    """A key and a certificate for 127.0.0.1, signed by itself."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bmc")])
    day = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day.replace(year=2120))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "bmc.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Controller:
    """A controller whose resources a test sets."""

    def __init__(self, folder):
        self.resources: dict[str, object] = {"/redfish/v1/Chassis": CHASSIS}
        self.requests = 0
        controller = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                controller.requests += 1
                expected = "Basic " + base64.b64encode(b"root:secret").decode()
                status = 200
                body: object = controller.resources.get(self.path)
                if self.headers["Authorization"] != expected:
                    status, body = 401, {"error": {}}
                elif body is None:
                    status, body = 404, {"error": {}}
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.cafile = certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cafile)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def options(self):
        return {
            "url": f"https://127.0.0.1:{self.server.server_port}",
            "user": "root",
            "cafile": str(self.cafile),
        }


@pytest.fixture
def controller(tmp_path, monkeypatch):
    monkeypatch.setenv(redfish.PASSWORD_VARIABLE, "secret")
    made = Controller(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


def read(options):
    reader = redfish.METER.open(options)
    (reading,) = reader.read()
    (domain,) = reader.domains
    reader.close()
    return domain, reading


def test_the_older_power_resource_gives_watts(controller):
    controller.resources["/redfish/v1/Chassis/1/Power"] = POWER
    domain, reading = read(controller.options)
    assert (reading.power_w, reading.energy_j) == (344.0, None)
    assert (domain.kind, domain.method, domain.source) == (
        "node",
        "sampled",
        "/redfish/v1/Chassis/1/Power",
    )


def test_environment_metrics_give_joules_and_come_first(controller):
    controller.resources["/redfish/v1/Chassis/1/Power"] = POWER
    controller.resources["/redfish/v1/Chassis/1/EnvironmentMetrics"] = METRICS
    domain, reading = read(controller.options)
    assert (reading.power_w, reading.energy_j) == (412.5, 99000.25)
    assert domain.method == "counter"


def test_empty_environment_metrics_fall_back_to_power(controller):
    controller.resources["/redfish/v1/Chassis/1/EnvironmentMetrics"] = {"PowerWatts": None}
    controller.resources["/redfish/v1/Chassis/1/Power"] = POWER
    assert read(controller.options)[1].power_w == 344.0


def test_one_of_several_chassis_has_to_be_chosen(controller):
    members = [{"@odata.id": f"/redfish/v1/Chassis/{name}"} for name in ("Self", "GPU_Tray")]
    controller.resources["/redfish/v1/Chassis"] = {"Members": members}
    controller.resources["/redfish/v1/Chassis/Self/Power"] = POWER
    controller.resources["/redfish/v1/Chassis/GPU_Tray/EnvironmentMetrics"] = METRICS
    with pytest.raises(OSError, match="choose one with chassis=NAME of: Self, GPU_Tray"):
        read(controller.options)
    assert read(controller.options | {"chassis": "GPU_Tray"})[1].power_w == 412.5


def test_a_controller_without_power_is_refused(controller):
    with pytest.raises(OSError, match=r"no chassis .* gives power \(chassis: 1\)"):
        read(controller.options)


def test_a_wrong_password_names_the_variables(controller, monkeypatch):
    monkeypatch.setenv(redfish.PASSWORD_VARIABLE, "guess")
    with pytest.raises(OSError, match=redfish.PASSWORD_VARIABLE):
        read(controller.options)


def test_a_certificate_that_is_not_trusted_is_refused(controller):
    options = {name: value for name, value in controller.options.items() if name != "cafile"}
    with pytest.raises(OSError, match="certificate verify failed"):
        read(options)


def test_http_without_tls_is_refused():
    with pytest.raises(ValueError, match="https://host"):
        redfish.METER.open({"url": "http://127.0.0.1"})


@pytest.mark.parametrize("body", [b"<html>", [], {"PowerControl": [{"PowerConsumedWatts": None}]}])
def test_an_answer_without_power_is_no_reading(controller, body):
    controller.resources["/redfish/v1/Chassis/1/Power"] = POWER
    reader = redfish.METER.open(controller.options)
    controller.resources["/redfish/v1/Chassis/1/Power"] = body
    with pytest.raises((OSError, ValueError)):
        reader.read()
    controller.resources["/redfish/v1/Chassis/1/Power"] = POWER
    assert reader.read()[0].power_w == 344.0
    reader.close()


def test_the_probe_needs_an_address(monkeypatch, controller):
    monkeypatch.delenv(redfish.URL_VARIABLE, raising=False)
    assert redfish.URL_VARIABLE in redfish.METER.probe().advice
    monkeypatch.setenv(redfish.URL_VARIABLE, "https://127.0.0.1:1")
    assert not redfish.METER.probe().ok
