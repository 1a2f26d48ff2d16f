"""A table of an external meter: `time,power` and columns of similar names."""

from harness.powerlogs.log import power_log
from harness.powerlogs.table import TableParser

FORMAT = power_log(
    "power-table", "tables of external meters", ("*.csv", "*.tsv", "*.txt"), TableParser
)
