"""CPU of sealing a bundle of 2 MB and of checking it, and how fast each kind of file is checked.

python -m benchmarks.seal_verify [--rounds N]

The bundle is made, not measured: a trace of an hour at 10 Hz, and one snapshot for the rest.
"""

import argparse
import gzip
import hashlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.bundle import Bundle, manifest_files, seal
from harness.sign import generate, load_key, sign_ahead
from harness.verify import verify
from harness.verify.reader import BundleReader
from tests.verify.made import Parts, Results

RUN_ID = "20261122T000000Z-0001"
SECONDS, RATE_HZ = 3600, 10
BUNDLE_BYTES = 2_000_000
LARGE_BYTES = 200_000_000


def trace_text() -> bytes:
    """An hour of a counter at 10 Hz."""
    chance = random.Random(1)
    energy_j = 0.0
    lines = ["t_ns,domain,energy_j,power_w,u_ns\n"]
    for step in range(SECONDS * RATE_HZ):
        energy_j += chance.uniform(4.0, 6.0)
        t_ns = 10**9 + step * 10**8 + chance.randrange(10**6)
        lines.append(f"{t_ns},cpu-package-0,{energy_j:.6f},,{chance.randrange(10**4, 10**5)}\n")
    return "".join(lines).encode()


def made(root: Path, size_bytes: int) -> Path:
    """A sealed bundle of about that many bytes."""
    text = trace_text()

    def change(parts: Parts) -> None:
        packed = gzip.compress(text, mtime=0)
        weights = random.Random(2).randbytes(max(100, size_bytes - len(packed)))
        parts.files |= {"trace.csv.gz": packed, "snapshots/0000.safetensors": weights}
        shot = parts.run["snapshots"][0]
        shot["size_bytes"], shot["sha256"] = len(weights), hashlib.sha256(weights).hexdigest()
        parts.run["sampler"]["readings_count"] = SECONDS * RATE_HZ

    return Results(root).add(RUN_ID, change)


def cpu_ms(act: Callable[[], object], rounds: int) -> float:
    """Median CPU milliseconds of an act."""
    times = []
    for _ in range(rounds):
        begin_ns = time.process_time_ns()
        act()
        times.append((time.process_time_ns() - begin_ns) / 1e6)
    return statistics.median(times)


def sealing(folder: Path, key_file: Path) -> Callable[[], object]:
    """What the bench does at the end of a run: hash, sign, make durable, write the manifest."""
    manifest = Bundle(folder).manifest
    generate(key_file)
    key = load_key(key_file)

    def act() -> None:
        (folder / "manifest.dsse.json").unlink(missing_ok=True)
        fresh = manifest.model_copy(update={"files": manifest_files(folder)})
        sign_ahead(folder, fresh, key)
        seal(folder, fresh)

    return act


def figures(rounds: int) -> dict[str, float]:
    """All figures by name."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        small, large = made(root / "small", BUNDLE_BYTES), made(root / "large", LARGE_BYTES)
        assert verify(small).ok, list(verify(small).failures())
        text_bytes = len(trace_text())
        trace_ms = cpu_ms(lambda: BundleReader(small).trace, rounds)
        large_ms = cpu_ms(lambda: verify(large), max(3, rounds // 5))
        return {
            "seal_2mb_cpu_ms": cpu_ms(sealing(small, root / "key"), rounds),
            "verify_2mb_cpu_ms": cpu_ms(lambda: verify(small), rounds),
            "verify_200mb_mb_per_cpu_s": LARGE_BYTES / large_ms / 1e3,
            "trace_text_mb_per_cpu_s": text_bytes / trace_ms / 1e3,
        }


def main() -> None:
    """Fingerprint the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    result = figures(parser.parse_args().rounds)
    print(json.dumps({name: round(value, 1) for name, value in result.items()}, indent=1))


if __name__ == "__main__":
    main()
