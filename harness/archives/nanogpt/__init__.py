"""modded-nanogpt: logs of speedruns."""
