"""Any power log that has a reader here: its first lines show which one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, timezone

from harness.powerlogs.amd_smi import AmdJsonParser, AmdSmiParser
from harness.powerlogs.hl_smi import HlSmiParser
from harness.powerlogs.ipmi_sdr import IpmiParser
from harness.powerlogs.log import LINES_MAX, LogParser, power_log
from harness.powerlogs.nvidia_smi_csv import NvidiaSmiParser
from harness.powerlogs.nvidia_smi_dmon import DmonParser
from harness.powerlogs.perf_stat import PerfParser
from harness.powerlogs.powermetrics import PowermetricsParser
from harness.powerlogs.prometheus import PrometheusParser
from harness.powerlogs.ptdaemon import PtdaemonParser
from harness.powerlogs.rocm_smi import RocmJsonParser, RocmSmiParser
from harness.powerlogs.table import TableParser
from harness.powerlogs.tegrastats import TegrastatsParser
from harness.powerlogs.turbostat import TurbostatParser

PARSERS: tuple[type[LogParser], ...] = (
    PtdaemonParser, HlSmiParser, NvidiaSmiParser, AmdJsonParser, AmdSmiParser, RocmJsonParser,
    RocmSmiParser, DmonParser, PerfParser, TurbostatParser, TegrastatsParser, PowermetricsParser,
    PrometheusParser, IpmiParser,
)  # fmt: skip


def parser_for(
    lines: Sequence[str], zone: timezone | None = UTC, options: Mapping[str, str] | None = None
) -> LogParser:
    """The parser of a log by its first lines; a table with named columns where no other fits.

    Args:
        lines: Lines of the log, without blank ones; at least one.
        zone: Time zone of stamps that name none; None for this machine's zone.
        options: Names of a table's columns.
    """
    head = lines[:LINES_MAX]
    fitting = next((parser for parser in PARSERS if parser.recognizes(head)), None)
    parser = fitting(zone) if fitting else TableParser(zone, options)
    parser.prepare(lines)
    return parser


FORMAT = power_log(
    "power-log",
    "any power log of the other formats",
    ("*.csv", "*.tsv", "*.txt", "*.log", "*.json", "*.prom", "*.plist"),
    *PARSERS,
    TableParser,
)
