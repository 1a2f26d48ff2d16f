"""What each tool is made to do: open, wait for a while, close, and print what it says.

Every program prints one line of JSON that begins with `RESULT`: joules (null where the tool gives
none), the monotonic stamps of the window, and CPU seconds and memory at each stage.
"""

PRELUDE = """
import json, os, resource, sys, time
seconds, asks = float(sys.argv[1]), sys.argv[2]
def opened():
    stamp_ns = time.monotonic_ns()
    open("go.new", "w").write(str(stamp_ns))
    os.rename("go.new", "go")
    return stamp_ns
def cpu():
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)
def rss_mib():
    lines = open("/proc/self/status").read().split("\\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
begun_cpu, begun_mib = cpu(), rss_mib()
def result(joules, begin_ns, end_ns, stages, note=""):
    stages = dict(zip(("import", "start", "run", "stop"), stages))
    print("RESULT " + json.dumps({"joules": joules, "begin_ns": begin_ns, "end_ns": end_ns,
        "stages": stages, "mib": rss_mib() - begun_mib, "note": note}), flush=True)
"""

OURS = """
import tempfile
from pathlib import Path
from harness.measure.choice import choose
from harness.measure.metering import Metering
imported = cpu() - begun_cpu
choice, meters = choose(["auto"])
folder = Path(tempfile.mkdtemp())
metering = Metering.start(choice, folder, 0, 0.1)
started = cpu() - begun_cpu
metering.mark()
begin_ns = opened()
time.sleep(seconds)
end_ns = time.monotonic_ns()
metering.mark()
time.sleep(0.05)
ran = cpu() - begun_cpu
report = metering.stop()
stopped = cpu() - begun_cpu
from harness.measure.energy import EnergyReader, total
from harness.measure.trace import read_trace
trace = read_trace(folder / "trace.csv.gz") if metering.domains else None
reader = EnergyReader(trace, metering.domains)
told = [reader.energy(each.name, begin_ns, end_ns) for each in metering.domains]
kinds = {"gpu": ("gpu",), "cpu": ("cpu", "dram")}.get(asks, ("gpu", "cpu", "dram"))
asked = [each for each in metering.domains if each.kind in kinds]
whole = total([each for each in told if each.kind in kinds], asked)
note = f"u {whole.u_j:.1f} J, method {whole.method}" if whole.u_j else (
    "; ".join(f"{each.domain}: {each.energy_j} J {each.method} {each.reason}" for each in told)
    or "no meter")
sampled = report.cpu_s - report.import_cpu_s - sum(report.helpers_cpu_s.values()) if report else 0.0
result(whole.energy_j, begin_ns, end_ns, (imported, started, started + sampled, stopped), note)
"""

CODECARBON = """
from codecarbon import OfflineEmissionsTracker
imported = cpu() - begun_cpu
tracker = OfflineEmissionsTracker(country_iso_code="USA", measure_power_secs=1, output_methods=[],
                                  rapl_include_dram=True)
tracker.start()
started = cpu() - begun_cpu
begin_ns = opened()
time.sleep(seconds)
end_ns = time.monotonic_ns()
ran = cpu() - begun_cpu
tracker.stop()
stopped = cpu() - begun_cpu
data = tracker.final_emissions_data
kwh = {"gpu": data.gpu_energy, "cpu": data.cpu_energy, "all": data.energy_consumed}
note = f"cpu {data.cpu_energy * 3.6e6:.0f} J, ram {data.ram_energy * 3.6e6:.0f} J"
result(kwh[asks] * 3.6e6, begin_ns, end_ns, (imported, started, ran, stopped), note)
"""

ZEUS = """
import multiprocessing
def main():
    from zeus.monitor import ZeusMonitor
    imported = cpu() - begun_cpu
    monitor = ZeusMonitor()
    # The first window starts its processes, which takes seconds; that is not held against it.
    monitor.begin_window("first", sync_execution=False)
    monitor.end_window("first", sync_execution=False)
    started = cpu() - begun_cpu
    begin_ns = opened()
    monitor.begin_window("w", sync_execution=False)
    time.sleep(seconds)
    told = monitor.end_window("w", sync_execution=False)
    end_ns = time.monotonic_ns()
    ran = cpu() - begun_cpu
    stages = (imported, started, ran, ran)
    parts = {**(told.cpu_energy or {}), **{-1 - n: j for n, j in (told.dram_energy or {}).items()}}
    figures = {"gpu": told.total_energy, "cpu": sum(parts.values()) if parts else None}
    note = f"gpu {told.gpu_energy}, cpu {told.cpu_energy}, dram {told.dram_energy}"
    result(figures.get(asks, told.total_energy), begin_ns, end_ns, stages, note)
    for each in multiprocessing.active_children():
        each.kill()
    os._exit(0)
if __name__ == "__main__":  # it starts its samplers again from this file
    main()
"""

CARBONTRACKER = """
import tempfile
from carbontracker.tracker import CarbonTracker
imported = cpu() - begun_cpu
logs = tempfile.mkdtemp()
tracker = CarbonTracker(epochs=1, monitor_epochs=1, update_interval=1, components=asks,
                        log_dir=logs, verbose=2, epochs_before_pred=0)
started = cpu() - begun_cpu
begin_ns = opened()
tracker.epoch_start()
time.sleep(seconds)
tracker.epoch_end()
end_ns = time.monotonic_ns()
ran = cpu() - begun_cpu
tracker.stop()
stopped = cpu() - begun_cpu
from carbontracker import parser
told = parser.parse_all_logs(log_dir=logs)
actual = told[0]["actual"] if told else None
joules = actual["energy (kWh)"] * 3.6e6 if actual else None
result(joules, begin_ns, end_ns, (imported, started, ran, stopped), "its PUE is in the figure")
"""

PERUN = """
import tempfile
imported = 0.0
folder = tempfile.mkdtemp()
script = os.path.join(folder, "w.py")
stamps = os.path.join(folder, "stamps")
open(script, "w").write(
    "import os, time\\nbegin = time.monotonic_ns()\\nopen(%r, 'w').write(str(begin))\\n"
    "os.rename(%r, %r)\\ntime.sleep(%r)\\n"
    "open(%r, 'w').write(f'{begin} {time.monotonic_ns()}')\\n"
    % (*[os.path.abspath(name) for name in ("go.new", "go.new", "go")], seconds, stamps))
import subprocess
perun = os.path.join(os.path.dirname(sys.executable), "perun")
done = subprocess.run([perun, "monitor", "--format", "json", "--data_out", folder, script],
                      cwd=folder, capture_output=True, text=True)
sys.stderr.write(done.stderr + done.stdout)
ran = cpu() - begun_cpu
begin_ns, end_ns = map(int, open(stamps).read().split())
found = {}
def look(tree):
    if isinstance(tree, dict):
        if str(tree.get("type")).lower() in KINDS and "value" in tree:
            found.setdefault(str(tree["type"]).lower(), []).append(tree["value"])
        for each in tree.values():
            look(each)
    elif isinstance(tree, list):
        for each in tree:
            look(each)
KINDS = {"gpu": ["gpu_energy"], "cpu": ["cpu_energy", "dram_energy"]}.get(
    asks, ["gpu_energy", "cpu_energy", "dram_energy"])
for root, _, names in os.walk(folder):
    for name in names:
        if name.endswith(".json"):
            look(json.load(open(os.path.join(root, name))))
joules = sum(map(max, found.values())) if found else None
result(joules, begin_ns, end_ns, (imported, imported, ran, ran), str(found or ""))
"""

PROGRAMS = {
    "joulemark": OURS,
    "codecarbon": CODECARBON,
    "zeus": ZEUS,
    "carbontracker": CARBONTRACKER,
    "perun": PERUN,
}
