"""Records of other projects' results: imported, scored and shown, never awarded.

An imported run is no bundle: it was not witnessed, it is in no ledger, and its seeds are not ours.
Each import writes one file of JSON lines, `imported/<format>/<archive>.jsonl` below the results
folder, one line for each run of the archive and nothing else, so that thousands of runs cost one
file.
"""

from typing import Literal

from harness.records.base import FORMAT, Record, Status
from harness.records.run import Finding, FiniteFloat

EnergyMethod = Literal["window", "mlperf-current", "mlperf-2024-06"]
"""How joules were derived from power readings: `window` integrates over the run itself."""

Fact = str | int | FiniteFloat | bool | None


class Curve(Record):
    """Metrics over the course of a run; all columns have the same length."""

    time_s: tuple[FiniteFloat, ...]
    """Seconds on the run's own clock, in the order of the source."""
    metric: dict[str, tuple[FiniteFloat | None, ...]]
    """Each metric by its name in the source; None where there is no number."""
    steps_count: tuple[FiniteFloat | None, ...] = ()
    """Training steps, epochs or samples at that moment; empty where the source states none."""
    steps_unit: str = ""
    """What is counted, as `step`, `epoch` or `sample`."""


class PowerFile(Record):
    """One power log of a run and what was found in it."""

    source: str
    """File, relative to the archive."""
    sha256: str
    kind: Literal["node", "switch"]
    readings_count: int
    window_readings_count: int
    """Of these, inside the run window."""
    span_s: FiniteFloat | None
    """From the first reading to the last."""
    gap_max_s: FiniteFloat | None
    """Greatest time without a reading inside the run window."""
    duplicates_count: int
    """Readings that carry the time stamp of another one."""
    conversion_ratio: FiniteFloat
    """Declared efficiency that the readings are multiplied by."""
    measured: str = ""
    """`AC` or `DC`, where the log says so."""
    energy_by_method_j: dict[str, FiniteFloat] = {}
    """Joules by each method that gives any."""


class ImportedRun(Record):
    """One run of an archive."""

    format: int = FORMAT
    imported: Literal[True] = True
    source_format: str
    """Format plug-in that read it."""
    workload: str
    """The benchmark's or task's own name."""
    submission: str
    """The submitter's or the submission's folder name."""
    machine: str
    """The system's folder, or the hardware's name."""
    run: str
    """Which run of the archive, unique with the three names above."""
    study: str = ""
    """Group of trials that count as one run, where the format has such."""
    status: Status
    reason: str = ""
    """One sentence: why this status."""
    curve: Curve | None = None
    time_s: FiniteFloat | None = None
    """Seconds that the source states for the whole run."""
    energy_by_method_j: dict[str, FiniteFloat] = {}
    """Joules by each method that gives any; empty: not measured."""
    energy_by_domain_j: dict[str, FiniteFloat] = {}
    """Joules of the parts (node, switch, gpu-0, cpu ...), not to be added up blindly."""
    energy_u_j: FiniteFloat | None = None
    """Expanded uncertainty (k = 2) of the method `window`; None: unknown."""
    energy_u_by_domain_j: dict[str, FiniteFloat] = {}
    """The same of the parts; a part whose uncertainty is unknown is not listed."""
    energy_bound_by_domain_j: dict[str, tuple[FiniteFloat, FiniteFloat]] = {}
    """Least and greatest joules of the parts for any course of the power, where it is bounded."""
    energy_kind: Literal["counter", "sampled", "modelled", "declared"] | None = None
    """Weakest method of the joules' parts; None: no joules."""
    power: tuple[PowerFile, ...] = ()
    facts: dict[str, Fact] = {}
    """What else the source says: seed, price an hour, batch size, software."""
    findings: tuple[Finding, ...] = ()
    source: str
    """File, relative to the archive."""
    sha256: str
    """Digest of that file; empty where there is none."""


class ImportedFigure(Record):
    """A cost with its interval."""

    value: FiniteFloat
    low: FiniteFloat | None
    """Lower end; None where the data give none."""
    high: FiniteFloat | None
    """Upper end; None where it is open or the data give none."""
    n: int
    """Runs behind it."""
    level: FiniteFloat
    """Confidence of the interval, as 0.95."""


class ImportedScore(Record):
    """One submission on one workload and machine, under the rules of its archive."""

    workload: str
    submission: str
    machine: str
    imported: Literal[True] = True
    n: int
    """Runs (or studies) that count."""
    due_count: int | None
    """Runs (or studies) that the rules require; None: any number."""
    failures: int
    """Runs without a valid result, missing ones included."""
    status: Literal["scored", "target_missed", "too_few_runs", "excluded"]
    reason: str
    time_to_target_s: ImportedFigure | None
    energy_to_target_j: ImportedFigure | None
    energy_method: EnergyMethod | None = None
    """Which of the methods below the figure is; None: no joules."""
    energy_by_method_j: dict[str, FiniteFloat | None] = {}
    """The same by every method; None where a method is not defined for these logs."""
    cost_to_target_usd: ImportedFigure | None = None
    """Time at the declared price of the hardware."""
    best_ratio: FiniteFloat | None = None
    """Time in multiples of the fastest submission's, where the rules use it."""
    scaling_ratio: FiniteFloat | None = None
    """Factor that the project's own review applied to times and joules."""
    facts: dict[str, Fact] = {}


class ImportedStanding(Record):
    """A place on the leaderboard of an archive."""

    submission: str
    machine: str
    workload: str
    """Empty where the score spans all workloads."""
    quantity: str
    """What ranks, as `time_to_target_s` or `profile`."""
    better: Literal["higher", "lower"]
    score: FiniteFloat
    low: FiniteFloat | None
    high: FiniteFloat | None
    rank: int
    rank_low: int
    """Best rank that the data allow."""
    rank_high: int
    """Worst rank that the data allow."""
    tie_group: str
    """Letters; entries that share one are tied."""
    imported: Literal[True] = True


class ImportedScoreDocument(Record):
    """`joulemark score` under a ruleset for an archive."""

    format: int = FORMAT
    ruleset: str
    imported: Literal[True] = True
    as_shipped: bool
    """True: as the project's own code computes it; False: as its rules say."""
    scores: tuple[ImportedScore, ...]
    leaderboard: tuple[ImportedStanding, ...]
    findings: tuple[Finding, ...]
