"""modded-nanogpt: reads and scores logs of speedruns."""

from harness.archives.nanogpt.reader import read
from harness.archives.nanogpt.scorer import score
from harness.formats.format import Format

FORMAT = Format(name="modded-nanogpt", title="modded-nanogpt's logs", read=read, score=score)
