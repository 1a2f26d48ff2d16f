"""Student's t without scipy: loading `scipy.special` costs more than most scores do.

The regularised incomplete beta function by its continued fraction (DLMF 8.17.22, evaluated by
Lentz's method), and its inverse by bisection and Newton's steps; equal to scipy's to 1e-10.
"""

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

TINY = 1e-300
STEP = 1e-16
ROUNDS = 500
_HALF = math.lgamma(0.5)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, for x < (a + 1) / (a + b + 2)."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > TINY else TINY)
    value = d
    for m in range(1, ROUNDS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > TINY else TINY)
            c = 1.0 + numerator / c
            c = c if abs(c) > TINY else TINY
            value *= d * c
        if abs(d * c - 1.0) < STEP:
            break
    return value


def _beta(a: float, b: float, x: float, y: float) -> float:
    """I_x(a, b), with y = 1 - x given apart so that neither loses digits."""
    if x <= 0.0:
        return 0.0
    if y <= 0.0:
        return 1.0
    logs = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(y)
    front = math.exp(logs)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, y) / b


def cdf(t: float, df: float) -> float:
    """P(T <= t) for Student's t with `df` degrees of freedom, which need not be whole.

    The tail is I_x(df / 2, 1 / 2) / 2 with x = df / (df + t²) (DLMF 8.17, and Student 1908).
    """
    if math.isnan(t) or math.isnan(df):
        return math.nan
    if math.isinf(t):
        return 1.0 if t > 0 else 0.0
    if math.isinf(df):
        return math.erfc(-t / math.sqrt(2)) / 2
    square = t * t
    tail = _beta(df / 2, 0.5, df / (df + square), square / (df + square)) / 2
    return 1.0 - tail if t > 0 else tail


def _fractions(a: "Floats", b: "Floats", x: "Floats") -> "Floats":
    """The same of many at once, each until its own last step."""
    import numpy as np

    c, d = np.ones(len(x)), 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / np.where(np.abs(d) > TINY, d, TINY)
    value, found, left = d, np.empty(len(x)), np.arange(len(x))
    for m in range(1, ROUNDS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / np.where(np.abs(d) > TINY, d, TINY)
            c = 1.0 + numerator / c
            c = np.where(np.abs(c) > TINY, c, TINY)
            value = value * (d * c)
        going = np.abs(d * c - 1.0) >= STEP
        found[left[~going]] = value[~going]
        a, b, x, c, d = (item[going] for item in (a, b, x, c, d))
        value, left = value[going], left[going]
        if not len(left):
            break
    found[left] = value
    return found


def _betas(a: "Floats", x: "Floats", y: "Floats") -> "Floats":
    """I_x(a, 1/2) of many at once, for x and y = 1 - x above 0."""
    import numpy as np

    # The functions of `math`, whose last digits numpy's own may not share.
    logs = [
        math.lgamma(a_ + 0.5) - math.lgamma(a_) - _HALF + a_ * math.log(x_) + 0.5 * math.log(y_)
        for a_, x_, y_ in zip(a.tolist(), x.tolist(), y.tolist(), strict=True)
    ]
    front = np.array([math.exp(log) for log in logs])
    near = x < (a + 1) / (a + 0.5 + 2)
    half = np.full(len(a), 0.5)
    fraction = _fractions(np.where(near, a, half), np.where(near, half, a), np.where(near, x, y))
    return np.where(near, front * fraction / a, 1.0 - front * fraction / half)


def cdfs(t: "Floats", df: "Floats") -> "Floats":
    """`cdf` of many at once, digit for digit."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        square = t * t
        x, y = df / (df + square), square / (df + square)
    plain = np.isfinite(square) & np.isfinite(df) & (x > 0.0) & (y > 0.0)
    found = np.empty(len(t))
    tail = _betas(df[plain] / 2, x[plain], y[plain]) / 2
    found[plain] = np.where(t[plain] > 0, 1.0 - tail, tail)
    for at in np.flatnonzero(~plain).tolist():
        found[at] = cdf(float(t[at]), float(df[at]))
    return found


def _density(t: float, df: float) -> float:
    logs = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    return math.exp(logs - (df + 1) / 2 * math.log1p(t * t / df))


def _upper(p: float, df: float) -> float:
    """The t whose upper tail is p, for 0 < p < 1/2."""
    low, high = 0.0, 1.0
    while cdf(-high, df) > p:
        low, high = high, high * 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if cdf(-middle, df) > p else (low, middle)
    t = (low + high) / 2
    for _ in range(3):
        density = _density(t, df)
        step = (cdf(-t, df) - p) / density if density > 0 else 0.0
        t = min(max(t + step, low), high)
    return t


@lru_cache(maxsize=4096)
def quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p."""
    if not 0.0 < p < 1.0:
        return math.copysign(math.inf, p - 0.5) if p in (0.0, 1.0) else math.nan
    if p == 0.5:  # noqa: PLR2004 - the median
        return 0.0
    return _upper(1 - p, df) if p > 0.5 else -_upper(p, df)  # noqa: PLR2004
