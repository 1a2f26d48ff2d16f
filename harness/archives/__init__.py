"""Results of other projects: readers, scorers, writers, rulesets and the page that shows them.

The core never imports this package: the registry finds its plug-ins in `formats/`, `rulesets/`
and `pages/`. Each archive has a folder of its own with its reader, scorer and writer.
"""
