"""The signs that are watched, from written files and from this machine."""

from pathlib import Path

from harness.measure import vitals
from tests.measure.test_machine import written


def test_processor_time_is_split_into_busy_idle_and_stolen():
    # user nice system idle iowait irq softirq steal guest guest_nice
    text = "cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1 1 1 1\n"
    result = dict(vitals.stat_ticks(text))
    assert result == {
        "cpu-busy-ticks": 10 + 20 + 30 + 6 + 7,
        "cpu-total-ticks": 531,
        "cpu-steal-ticks": 8,
    }


def test_the_other_parsers():
    assert dict(vitals.pressure("io", "some avg10=1.25 avg60=0 total=1\nfull avg10=9\n")) == {
        "pressure-io-percent": 1.25
    }
    swap = "nr_free_pages 5\npswpin 7\npswpout 8\npswpx 9\n"
    assert dict(vitals.swapping(swap)) == {"pswpin-pages": 7, "pswpout-pages": 8}
    assert dict(vitals.load("0.66 0.5 0.4 1/200 77\n")) == {"load-average": 0.66}


def test_a_machine_is_read_anew_every_time(tmp_path: Path):
    cpu = "sys/devices/system/cpu"
    files = {
        "proc/loadavg": "0.5 0 0 1/1 1\n",
        f"{cpu}/cpu0/cpufreq/scaling_cur_freq": "1000000\n",
        f"{cpu}/cpu1/cpufreq/scaling_cur_freq": "3000000\n",
        f"{cpu}/cpu0/thermal_throttle/core_throttle_count": "2\n",
        "sys/class/thermal/thermal_zone0/temp": "41000\n",
        "sys/class/hwmon/hwmon0/temp1_input": "52500\n",
    }
    watched = vitals.Vitals(written(tmp_path, files))
    first = dict(watched.read())
    assert first["load-average"] == 0.5
    assert first["cpu-clock-mean-hz"] == 2e9
    assert first["cpu-throttle-count"] == 2
    assert first["temperature-max-c"] == 52.5
    (tmp_path / "proc/loadavg").write_text("1.5 0 0 1/1 1\n")
    assert dict(watched.read())["load-average"] == 1.5


def test_what_is_not_there_is_left_out(tmp_path: Path):
    names = set(dict(vitals.Vitals(tmp_path).read()))
    assert names == {"clock-wall-drift-s", "clock-boottime-drift-s", "clock-raw-drift-s"}


def test_a_long_file_is_read_whole(tmp_path: Path):
    text = "x" * 20_000 + "\npswpin 5\n"
    watched = vitals.Vitals(written(tmp_path, {"proc/vmstat": text}))
    assert dict(watched.read())["pswpin-pages"] == 5


def test_clocks_of_a_quiet_machine_stay_together():
    for name, moved_s in vitals.clock_offsets():
        assert abs(moved_s) < 0.5, name
