"""Power logs of other tools: one reader for each format, for imports and for meters."""
