"""The README.txt of every bundle: how to read it without JouleMark."""

README_TEXT = """\
This folder is the sealed record of one training run, made by JouleMark.
Every file is text, gzip or safetensors; nothing here needs JouleMark to be read.

run.json           workload, submission, seeds, window, snapshots, status, findings
machine.json       the machine before and after
events.jsonl       one JSON object per line: launch, ready, gun, snapshots, end
trace.csv.gz       raw meter readings: t_ns, domain, energy_j, power_w, u_ns (half the read time)
vitals.csv.gz      other quantities: processor ticks, pressure, temperatures
ruleset.toml       the rules in force
submission.tar.gz  the source as it was run
snapshots/         weights of kept snapshots (safetensors); run.json has the SHA-256 of all
eval.json          the metric of each snapshot, computed after the run on hidden labels
log.txt            standard output and error, capped
manifest.json      SHA-256 and size of every file above; written last

All times t_ns are nanoseconds on the monotonic clock after the run's origin; run.json gives the
wall time of the origin. window.gun_ns is the start signal, when the training data were sent;
window.end_ns is the death of the submission's last process. The cost of a snapshot is counted from
the start signal to its stamp_ns. A domain's energy_j is a raw counter in joules (it may wrap, see
wrap_j in run.json); power_w is in watts. An empty field was not measured: it is not zero. Domains
whose method is "modelled" are estimates, not measurements.

To check that nothing was altered: compare the SHA-256 of each file with manifest.json.
"""
