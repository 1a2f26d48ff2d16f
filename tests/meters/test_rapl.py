"""RAPL zones: their tree, their wraps, their mirrors, and what is told where none can be read."""

import os
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.measure.energy import disjoint
from harness.meters import rapl
from harness.meters.fake import Wave
from harness.records import Domain
from harness.records.base import load
from tests.lab import powercap


def opened(root: Path) -> dict[str, Domain]:
    reader = rapl.METER.open({"root": str(root)})
    try:
        return {domain.name: domain for domain in reader.domains}
    finally:
        reader.close()


def as_records(specs: dict[str, Domain]) -> list[Domain]:
    return [load(Domain, asdict(spec), "meter") for spec in specs.values()]


def counted(specs: dict[str, Domain]) -> set[str]:
    return {item.name for item in disjoint(as_records(specs))}


def test_memory_lies_under_its_package_but_is_not_within_it(tmp_path):
    powercap.server(tmp_path, sockets=2)
    specs = opened(tmp_path)
    assert specs["dram-0"].parents == ()
    assert specs["dram-0"].kind == "dram"
    assert specs["cpu-core-1"].parents == ("cpu-package-1",)
    assert counted(specs) == {"cpu-package-0", "cpu-package-1", "dram-0", "dram-1"}


def test_psys_contains_the_packages_and_stands_for_them(tmp_path):
    powercap.server(tmp_path, sockets=1)
    powercap.zone(tmp_path, "intel-rapl:1", "psys")
    specs = opened(tmp_path)
    assert specs["cpu-package-0"].parents == ("cpu-psys",)
    assert counted(specs) == {"cpu-psys"}


def test_psys_alone_is_no_meter_of_the_processor(tmp_path):
    powercap.zone(tmp_path, "intel-rapl:0", "psys")
    availability = rapl._availability(tmp_path)
    assert not availability.ok
    assert "does not measure the processor" in availability.reason
    with pytest.raises(OSError, match="psys"):
        rapl.METER.open({"root": str(tmp_path)})


def test_mmio_shows_the_same_silicon_and_is_left_out(tmp_path):
    powercap.server(tmp_path, sockets=1)
    powercap.zone(tmp_path, "intel-rapl-mmio:0", "package-0")
    assert sorted(opened(tmp_path)) == ["cpu-core-0", "cpu-package-0", "dram-0"]


def test_a_live_mmio_twin_of_a_zone_that_stands_still_is_read(tmp_path):
    powercap.server(tmp_path, sockets=1)
    twin = powercap.zone(tmp_path, "intel-rapl-mmio:0", "package-0")
    with powercap.running({twin: Wave("constant", 81.0)}):
        specs = opened(tmp_path)
    assert "intel-rapl-mmio:0" in specs["cpu-package-0"].source
    assert sorted(specs) == ["cpu-core-0", "cpu-package-0", "dram-0"]


def test_mmio_alone_is_read(tmp_path):
    powercap.zone(tmp_path, "intel-rapl-mmio:0", "package-0")
    assert sorted(opened(tmp_path)) == ["cpu-package-0"]


def test_the_index_of_a_zone_is_not_the_number_of_its_socket(tmp_path):
    powercap.zone(tmp_path, "intel-rapl:0", "package-1")
    powercap.zone(tmp_path, "intel-rapl:0:0", "dram")
    powercap.zone(tmp_path, "intel-rapl:1", "package-0")
    powercap.zone(tmp_path, "intel-rapl:1:0", "dram")
    reader = rapl.METER.open({"root": str(tmp_path)})
    sources = {domain.name: domain.source for domain in reader.domains}
    reader.close()
    assert "intel-rapl:0:0" in sources["dram-1"]
    assert "intel-rapl:1:0" in sources["dram-0"]


class Scripted:
    """A counter whose values are written down."""

    def __init__(self, values: list[float]) -> None:
        self._values = iter(values)

    def values(self) -> tuple[float, None]:
        return next(self._values), None


def test_dies_that_show_one_counter_are_mirrors():
    first = Scripted([0.0, 1, 1, 2, 2, 3, 3, 4, 4, 5.0])
    second = Scripted([1.0, 2.0, 3.0, 4.0])
    assert rapl.mirrored(first, second)  # type: ignore[arg-type]


def test_dies_with_counters_of_their_own_are_not_mirrors():
    first = Scripted([0.0, 1, 1, 2, 2, 3, 3, 4, 4, 5.0])
    second = Scripted([1.0, 2.5, 3.0, 4.0])
    assert not rapl.mirrored(first, second)  # type: ignore[arg-type]


def test_equal_counters_that_stand_still_prove_nothing():
    assert not rapl.mirrored(Scripted([7.0] * 10), Scripted([7.0] * 4))  # type: ignore[arg-type]


def test_a_second_socket_that_starts_equal_is_never_dropped(tmp_path):
    """A peer drops it, since it compares values alone."""
    powercap.server(tmp_path, sockets=2)
    assert {"cpu-package-0", "cpu-package-1"} <= set(opened(tmp_path))


def test_a_reading_is_the_counter_in_joules(tmp_path):
    powercap.zone(tmp_path, "intel-rapl:0", "package-0", energy_uj=123_456_789)
    reader = rapl.METER.open({"root": str(tmp_path)})
    (reading,) = reader.read()
    assert reading.energy_j == 123.456789
    assert reading.power_w is None
    assert reader.domains[0].wrap_j == pytest.approx(powercap.WRAP_UJ / 1e6)
    reader.close()


def test_an_unknown_wrap_range_stays_unknown(tmp_path):
    powercap.zone(tmp_path, "intel-rapl:0", "package-0", wrap_uj=None)
    assert opened(tmp_path)["cpu-package-0"].wrap_j is None


def test_the_highest_limit_bounds_the_power(tmp_path):
    folder = powercap.zone(tmp_path, "intel-rapl:0", "package-0")
    (folder / "constraint_0_max_power_uw").write_text("165000000\n")
    (folder / "constraint_1_power_limit_uw").write_text("198000000\n")
    assert opened(tmp_path)["cpu-package-0"].power_high_w == pytest.approx(396.0)


def test_a_zone_that_vanishes_is_reported_and_the_others_are_read(tmp_path):
    powercap.server(tmp_path, sockets=2)
    reader = rapl.METER.open({"root": str(tmp_path)})
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("not a number\n")
    names = {item.domain for item in reader.read()}
    assert "cpu-package-0" in names
    assert "cpu-package-1" not in names
    assert "cannot be read" in reader.errors["cpu-package-1"]
    reader.close()


def test_no_tree_is_reported_with_advice(monkeypatch, tmp_path):
    monkeypatch.setenv(rapl.ROOT_VARIABLE, str(tmp_path))
    availability = rapl.METER.probe()
    assert not availability.ok
    assert "has no intel-rapl zone" in availability.reason
    assert "intel_rapl_msr" in availability.advice
    with pytest.raises(OSError, match="no intel-rapl zone"):
        rapl.METER.open({})


def test_a_tree_that_a_container_hides_differs_from_one_that_is_not_there(monkeypatch, tmp_path):
    """The links of the class stay, and what they point to is gone."""
    (tmp_path / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/intel-rapl:0")
    monkeypatch.setenv(rapl.ROOT_VARIABLE, str(tmp_path))
    availability = rapl.METER.probe()
    assert not availability.ok
    assert "cannot be read" in availability.reason
    assert "-v /sys/devices/virtual/powercap" in availability.advice
    with pytest.raises(OSError, match="cannot be read"):
        rapl.METER.open({})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_missing_permission_is_reported_with_advice(monkeypatch, tmp_path):
    (powercap.zone(tmp_path, "intel-rapl:0", "package-0") / "energy_uj").chmod(0)
    monkeypatch.setenv(rapl.ROOT_VARIABLE, str(tmp_path))
    availability = rapl.METER.probe()
    assert not availability.ok
    assert "chmod a+r" in availability.advice


def test_permission_denied_from_the_kernel_is_reported_with_advice(monkeypatch, tmp_path):
    powercap.zone(tmp_path, "intel-rapl:0", "package-0")
    monkeypatch.setenv(rapl.ROOT_VARIABLE, str(tmp_path))

    def refuse(path: Path) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return path.read_text().strip()

    monkeypatch.setattr(rapl, "file_text", refuse)
    availability = rapl.METER.probe()
    assert not availability.ok
    assert "Permission denied" in availability.reason
    assert "chmod a+r" in availability.advice


def test_a_tree_that_can_be_read_is_available(monkeypatch, tmp_path):
    powercap.server(tmp_path, sockets=1)
    monkeypatch.setenv(rapl.ROOT_VARIABLE, str(tmp_path))
    availability = rapl.METER.probe()
    assert availability.ok
    assert "cpu-package-0" in availability.reason


def test_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match="unknown option 'rot'; there are: root"):
        rapl.METER.open({"rot": "/"})
