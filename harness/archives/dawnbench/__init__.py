"""DAWNBench: self-reported entries and their time or cost to accuracy."""
