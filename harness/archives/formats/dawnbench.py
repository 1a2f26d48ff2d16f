"""DAWNBench: reads, scores and writes its entries."""

from harness.archives.dawnbench.reader import read
from harness.archives.dawnbench.scorer import score
from harness.archives.dawnbench.writer import write
from harness.formats.format import Format

FORMAT = Format(name="dawnbench", title="DAWNBench entries", read=read, score=score, write=write)
