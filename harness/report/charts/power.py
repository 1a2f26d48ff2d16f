"""Power over time of one run: domains, phases, snapshots, start signal and end."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.measure.energy import PowerSeries
from harness.measure.trace import Trace
from harness.records import Domain
from harness.report import numbers
from harness.report.breakdown import DEPTH_MAX, merged, phases_of
from harness.report.charts.svg import Axes, Drawing, Scale, px
from harness.report.entries import EntryRun
from harness.report.traces import envelope, power_of

WIDTH = 920.0
LEFT, RIGHT, TOP = 52.0, 908.0, 38.0
PLOT_HEIGHT = 190.0
STRIP_HEIGHT = 18.0
BINS = 420
LETTER_WIDTH = 6.6
"""Width of an average letter: a name that does not fit its box is only in its tooltip."""
COLOURS = 6


class Track(NamedTuple):
    """One domain of a chart."""

    series: PowerSeries
    domain: Domain | None
    """As the run describes it; None where only the trace names the domain."""
    colour: int

    @property
    def modelled(self) -> bool:
        """Whether the power is an estimate."""
        return self.domain is not None and self.domain.method in ("modelled", "declared")

    @property
    def style(self) -> str:
        """Style classes of its lines."""
        return f"d{self.colour}{' modelled' if self.modelled else ''}"


def tracks_of(run: EntryRun, trace: Trace | None) -> list[Track]:
    """Return the domains of a run that have power over time."""
    if run.run is None or trace is None:
        return []
    domains = {domain.name: domain for domain in run.run.domains}
    return [
        Track(series, domains.get(series.domain), index % COLOURS)
        for index, series in enumerate(power_of(trace, run.run.domains))
    ]


class _PowerChart:
    """Draws the power of one run."""

    def __init__(self, run: EntryRun, tracks: Sequence[Track]) -> None:
        assert run.run is not None
        self.run, self.record = run, run.run
        window = run.run.window
        times = [ns / 1e9 for ns in (window.launch_ns, window.end_ns) if ns is not None]
        times += [float(track.series.t_s[at]) for track in tracks for at in (0, -1)]
        self.zero_s = (window.gun_ns or 0) / 1e9
        start_s, end_s = min(times), max(*times, min(times) + 1e-6)
        gap_ns = int((end_s - start_s) * 1e9 / (RIGHT - LEFT) * 1.5)
        phases = phases_of(run.events, window.end_ns or window.gun_ns or 0)
        self.phases = merged(phases, gap_ns)
        depth = min(max((phase.depth + 1 for phase in self.phases), default=0), DEPTH_MAX)
        top = TOP + STRIP_HEIGHT * depth
        high = max(float(track.series.power_w.max()) for track in tracks) * 1.06 or 1.0
        self.axes = Axes(
            Scale(start_s - self.zero_s, end_s - self.zero_s, LEFT, RIGHT),
            Scale(0.0, high, top + PLOT_HEIGHT, top),
        )
        self.drawing = Drawing(WIDTH, self.axes.y.start + 42)

    def x(self, t_ns: int) -> float:
        return self.axes.x(t_ns / 1e9 - self.zero_s)

    def draw_phases(self, names: Sequence[str]) -> None:
        """Draw each phase as a box with its name, if it fits."""
        for phase in self.phases:
            left = self.x(phase.start_ns)
            right = max(self.x(phase.end_ns), left + 0.6)
            top = TOP - 10 + STRIP_HEIGHT * phase.depth
            length = numbers.quantity((phase.end_ns - phase.start_ns) / 1e9, "s")
            title = f"{phase.name}: {length}, as reported by the submission"
            corner = (right, top + STRIP_HEIGHT - 4)
            style = f"phase p{names.index(phase.name) % COLOURS}"
            self.drawing.rectangle((left, top), corner, style, title)
            if right - left > LETTER_WIDTH * len(phase.name) + 8:
                self.drawing.text((left + 5, top + 11), phase.name, "label phase-name")

    def draw_track(self, track: Track) -> None:
        """Draw the power of one domain: its readings, or their envelope where there are many."""
        series, axes = track.series, self.axes
        t_s, mean_w = series.t_s, series.power_w
        if len(t_s) > 2 * BINS:
            t_s, low_w, mean_w, high_w = envelope(series, BINS)
            high, low = (zip(t_s - self.zero_s, ends, strict=True) for ends in (high_w, low_w))
            self.drawing.area(axes.points(high), axes.points(low), f"band {track.style}")
        mean = axes.points(zip(t_s - self.zero_s, mean_w, strict=True))
        self.drawing.line(mean, f"power drawn {track.style}")

    def draw_snapshots(self) -> None:
        """Draw a triangle for each snapshot, a large one for the scored snapshot."""
        base = self.axes.y.start
        for shot in self.record.snapshots:
            x, scored = self.x(shot.stamp_ns), shot.index == self.run.score.snapshot
            height = 11 if scored else 7
            upper, lower = [(x - 3.5, base), (x, base - height)], [(x - 3.5, base), (x + 3.5, base)]
            self.drawing.area(upper, lower, "snapshot counted" if scored else "snapshot")
            if scored:
                size = numbers.quantity(shot.size_bytes, "B")
                title = f"snapshot {shot.index}, {size}, scored"
                self.drawing.rectangle((x - 4, base - height), (x + 4, base), "ghost", title)

    def draw_moments(self) -> None:
        """Draw vertical lines at the start signal and at the end, with their names on top."""
        window = self.record.window
        for style, name, t_ns in (("gun", "start", window.gun_ns), ("end", "end", window.end_ns)):
            if t_ns is None:
                continue
            x = self.x(t_ns)
            self.drawing.line([(x, TOP - 22), (x, self.axes.y.start)], f"moment {style}")
            side, shift = ("end", -4) if x > (LEFT + RIGHT) / 2 else ("start", 4)
            self.drawing.text((x + shift, TOP - 16), name, f"label phase-name {side}")


def power_chart(run: EntryRun, tracks: Sequence[Track], ident: str) -> Markup | None:
    """Draw the power of one run; None where there are no readings."""
    if run.run is None or not tracks:
        return None
    chart = _PowerChart(run, tracks)
    drawing, axes, window = chart.drawing, chart.axes, run.run.window
    # What is outside the run window is not scored.
    for t_ns, edge in ((window.gun_ns, LEFT), (window.end_ns, RIGHT)):
        if t_ns is not None:
            left, right = sorted((edge, chart.x(t_ns)))
            drawing.rectangle((left, axes.y.end), (right, axes.y.start), "outside")
    axes.draw(drawing, "seconds since the start signal", "")
    start = len(drawing.pieces)
    names = sorted({phase.name for phase in chart.phases})
    chart.draw_phases(names)
    for track in tracks:
        chart.draw_track(track)
    chart.draw_snapshots()
    chart.draw_moments()
    drawing.window(start, LEFT, RIGHT)
    drawing.text((LEFT - 8, axes.y.end - 6), "W", "axis-name end")
    data = (
        f' data-low="{axes.x.low:.9g}" data-high="{axes.x.high:.9g}" '
        f'data-base="{px(axes.y.start)}" data-top="{px(axes.y.end)}" data-watts="{axes.y.high:.9g}"'
    )
    parts = [
        f"{track.series.domain} {numbers.quantity(float(track.series.power_w.mean()), 'W')} on "
        f"average, at most {numbers.quantity(float(track.series.power_w.max()), 'W')}"
        f"{' (modelled, not measured)' if track.modelled else ''}"
        for track in tracks
    ]
    phases = f"Phases: {', '.join(names)}." if names else "The submission reported no phases."
    description = f"Run {run.score.run_id}: {'; '.join(parts)}. {phases}"
    return drawing.markup(ident, f"Power over time, seed {run.score.seed}", description, data)
