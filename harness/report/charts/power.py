"""Power over time of one run: every domain, phases, snapshots, the gun and the end."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.measure.energy import PowerSeries
from harness.measure.trace import Trace
from harness.records import Domain, Run
from harness.report import numbers
from harness.report.charts.svg import Axes, Drawing, Scale, px
from harness.report.entries import EntryRun
from harness.report.phases import DEPTH_MAX, Phase, merged, phases_of
from harness.report.traces import Envelope, envelope, power_of

WIDTH = 920.0
LEFT, RIGHT, TOP = 52.0, 908.0, 38.0
PLOT_HEIGHT = 190.0
STRIP_HEIGHT = 18.0
BINS = 420
LETTER_WIDTH = 6.6
"""Width of a label's average letter: names that do not fit their box are left to its tooltip."""
COLOURS = 6


class Track(NamedTuple):
    """One domain of a chart."""

    series: PowerSeries
    domain: Domain | None
    """As the run describes it; None where the trace names a domain that the run does not."""
    colour: int

    @property
    def modelled(self) -> bool:
        """Whether its watts are an estimate."""
        return self.domain is not None and self.domain.method in ("modelled", "declared")


def tracks_of(each: EntryRun, trace: Trace | None) -> list[Track]:
    """The domains of a run that have power over time."""
    run = each.run
    if run is None or trace is None:
        return []
    domains = {domain.name: domain for domain in run.domains}
    return [
        Track(series, domains.get(series.domain), index % COLOURS)
        for index, series in enumerate(power_of(trace, run.domains))
    ]


class _TimeRange(NamedTuple):
    """The stretch of time that a chart shows, and the moment its clock counts from."""

    start_s: float
    end_s: float
    zero_s: float


def _span(run: Run, tracks: Sequence[Track]) -> _TimeRange:
    marks = [ns / 1e9 for ns in (run.window.launch_ns, run.window.end_ns) if ns is not None]
    starts = [float(track.series.t_s[0]) for track in tracks]
    ends = [float(track.series.t_s[-1]) for track in tracks]
    start_s, end_s = min(starts + marks), max(ends + marks)
    zero_s = (run.window.gun_ns or 0) / 1e9
    return _TimeRange(start_s, max(end_s, start_s + 1e-6), zero_s)


def _axes(span: _TimeRange, tracks: Sequence[Track], depth: int) -> Axes:
    top = TOP + STRIP_HEIGHT * depth
    high = max(float(track.series.power_w.max()) for track in tracks) * 1.06 or 1.0
    shifted = (span.start_s - span.zero_s, span.end_s - span.zero_s)
    return Axes(Scale(*shifted, LEFT, RIGHT), Scale(0.0, high, top + PLOT_HEIGHT, top))


def _draw_envelope(onto: Drawing, axes: Axes, thin: Envelope, zero_s: float, style: str) -> None:
    t_s = thin.t_s - zero_s
    upper = axes.trail(zip(t_s, thin.high_w, strict=True))
    lower = axes.trail(zip(t_s, thin.low_w, strict=True))
    onto.area(upper, lower, f"band {style}")
    onto.line(axes.trail(zip(t_s, thin.mean_w, strict=True)), f"power drawn {style}")


def _draw_track(onto: Drawing, axes: Axes, track: Track, zero_s: float) -> None:
    style = f"d{track.colour}{' modelled' if track.modelled else ''}"
    if len(track.series.t_s) > 2 * BINS:
        _draw_envelope(onto, axes, envelope(track.series, BINS), zero_s, style)
        return
    points = zip(track.series.t_s - zero_s, track.series.power_w, strict=True)
    onto.line(axes.trail(points), f"power drawn {style}")


def _draw_phases(onto: Drawing, axes: Axes, phases: Sequence[Phase], zero_s: float) -> None:
    names = sorted({phase.name for phase in phases})
    for phase in phases:
        left = axes.x(phase.start_ns / 1e9 - zero_s)
        right = max(axes.x(phase.end_ns / 1e9 - zero_s), left + 0.6)
        top = TOP - 10 + STRIP_HEIGHT * phase.depth
        length = numbers.quantity((phase.end_ns - phase.start_ns) / 1e9, "s")
        style = f"phase p{names.index(phase.name) % COLOURS}"
        title = f"{phase.name}: {length}, as the submission says"
        onto.rectangle((left, top), (right, top + STRIP_HEIGHT - 4), style, title)
        if right - left > LETTER_WIDTH * len(phase.name) + 8:
            onto.text((left + 5, top + 11), phase.name, "label phase-name")


def _draw_moments(onto: Drawing, axes: Axes, run: Run, zero_s: float) -> None:
    """Vertical lines for the gun and the end, with their names above everything."""
    base = axes.y.start
    for name, t_ns in (("gun", run.window.gun_ns), ("end", run.window.end_ns)):
        if t_ns is not None:
            x = axes.x(t_ns / 1e9 - zero_s)
            onto.line([(x, TOP - 22), (x, base)], f"moment {name}")
            side = "end" if x > (LEFT + RIGHT) / 2 else "start"
            onto.text(
                (x + (-4 if side == "end" else 4), TOP - 16), name, f"label phase-name {side}"
            )


def _draw_snapshots(onto: Drawing, axes: Axes, each: EntryRun, zero_s: float) -> None:
    run = each.run
    assert run is not None
    for shot in run.snapshots:
        x, base = axes.x(shot.stamp_ns / 1e9 - zero_s), axes.y.start
        counts = shot.index == each.score.snapshot
        style = "snapshot counted" if counts else "snapshot"
        words = f"snapshot {shot.index}, {numbers.quantity(shot.size_bytes, 'B')}"
        height = 11 if counts else 7
        onto.area([(x - 3.5, base), (x, base - height)], [(x - 3.5, base), (x + 3.5, base)], style)
        if counts:
            onto.rectangle((x - 4, base - height), (x + 4, base), "ghost", f"{words}, counts")


def _description(each: EntryRun, tracks: Sequence[Track], phases: Sequence[Phase]) -> str:
    parts = [
        f"{track.series.domain} {numbers.quantity(float(track.series.power_w.mean()), 'W')} on "
        f"average, at most {numbers.quantity(float(track.series.power_w.max()), 'W')}"
        f"{' (modelled, not measured)' if track.modelled else ''}"
        for track in tracks
    ]
    names = ", ".join(sorted({phase.name for phase in phases}))
    told = f" Phases: {names}." if names else " The submission named no phases."
    return f"Run {each.score.run_id}: {'; '.join(parts)}.{told}"


def phases_shown(each: EntryRun, span_ns: int) -> list[Phase]:
    """Phases of a run, thinned for a chart over that many nanoseconds."""
    run = each.run
    assert run is not None
    end_ns = run.window.end_ns or run.window.gun_ns or 0
    return merged(phases_of(each.events, end_ns), int(span_ns / (RIGHT - LEFT) * 1.5))


def power_chart(each: EntryRun, tracks: Sequence[Track], ident: str) -> Markup | None:
    """The power trace of one run; None where there are no readings."""
    run = each.run
    if run is None or not tracks:
        return None
    span = _span(run, tracks)
    phases = phases_shown(each, int((span.end_s - span.start_s) * 1e9))
    depth = min(max((phase.depth + 1 for phase in phases), default=0), DEPTH_MAX)
    axes = _axes(span, tracks, depth)
    drawing = Drawing(WIDTH, axes.y.start + 42)
    _draw_idle(drawing, axes, run, span.zero_s)
    axes.draw(drawing, "seconds after the gun", "")
    start = len(drawing.pieces)
    _draw_phases(drawing, axes, phases, span.zero_s)
    for track in tracks:
        _draw_track(drawing, axes, track, span.zero_s)
    _draw_snapshots(drawing, axes, each, span.zero_s)
    _draw_moments(drawing, axes, run, span.zero_s)
    drawing.window(start, LEFT, RIGHT)
    drawing.text((LEFT - 8, axes.y.end - 6), "W", "axis-name end")
    title = f"Power over time, seed {each.score.seed}"
    data = (
        f' data-low="{axes.x.low:.9g}" data-high="{axes.x.high:.9g}" '
        f'data-base="{px(axes.y.start)}" data-top="{px(axes.y.end)}" data-watts="{axes.y.high:.9g}"'
    )
    return drawing.markup(ident, title, _description(each, tracks, phases), data)


def _draw_idle(onto: Drawing, axes: Axes, run: Run, zero_s: float) -> None:
    """Shade what lies outside the run window: it is shown, and not scored."""
    top, base = axes.y.end, axes.y.start
    if run.window.gun_ns is not None:
        gun = axes.x(run.window.gun_ns / 1e9 - zero_s)
        onto.rectangle((LEFT, top), (gun, base), "outside")
    if run.window.end_ns is not None:
        end = axes.x(run.window.end_ns / 1e9 - zero_s)
        onto.rectangle((end, top), (RIGHT, base), "outside")
