"""Models of purchases: BG/NBD says how often customers will buy and whether they still do, Gamma–Gamma what they spend.

They follow Fader, Hardie and Lee (2005) and Fader and Hardie (2013). They need NumPy and SciPy, the extra `hub[scoring]`.
A fit takes a bounded number of steps; one that does not converge within them says so."""

import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import NamedTuple, TypeAlias

from hub.errors import BadInput

HAS_SCIPY = find_spec("scipy") is not None  # the extra hub[scoring]

if HAS_SCIPY:
    import numpy
    from scipy.optimize import minimize
    from scipy.special import gammaln, hyp2f1

Numbers: TypeAlias = Sequence[float]
MAX_STEPS = 3_000
MAX_EVALUATIONS = 6_000
# Parameters beyond these say that the likelihood grows without end, as it does for customers who are all alike.
SMALLEST, GREATEST = 1e-6, 1e6
TOLERANCE = 1e-9


class NotFitted(Exception):
    """A model has no parameters: its fit did not converge, or there is too little to fit it on."""


class PurchaseHistory(NamedTuple):
    """Of customers, in one order: purchases after the first, and time from the first to the last and to now, in weeks."""

    repeats: Numbers
    recency: Numbers
    age: Numbers


class BgNbd(NamedTuple):
    """Parameters of the BG/NBD model, and the log-likelihood of what they were fitted on."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


class GammaGamma(NamedTuple):
    """Parameters of the Gamma–Gamma model, and the log-likelihood of what they were fitted on."""

    p: float
    q: float
    gamma: float
    log_likelihood: float


def require_scipy() -> None:
    """Raises BadInput, with the remedy, where the extra is not installed."""
    if not HAS_SCIPY:
        message = "kind: PURCHASES needs the extra `hub[scoring]`; install it, or take another kind."
        raise BadInput(message, argument="kind")


def fit_bg_nbd(history: PurchaseHistory) -> BgNbd:
    """The likeliest parameters; raises NotFitted."""
    x, recency, age = map(numpy.asarray, history)

    def log_likelihood(r: float, alpha: float, a: float, b: float) -> float:
        heterogeneity = gammaln(r + x) - gammaln(r) + r * numpy.log(alpha)
        heterogeneity += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        alive = -(r + x) * numpy.log(alpha + age)
        repeated = numpy.log(a) - numpy.log(b + numpy.maximum(x, 1) - 1) - (r + x) * numpy.log(alpha + recency)
        gone = numpy.where(x > 0, repeated, -numpy.inf)
        return float((heterogeneity + numpy.logaddexp(alive, gone)).sum())

    return BgNbd(*_maximize(log_likelihood, 4, len(x)))


def fit_gamma_gamma(repeats: Numbers, mean_values: Numbers) -> GammaGamma:
    """The likeliest parameters for customers with a repeated purchase and a mean value above zero; raises NotFitted."""
    x, scale = numpy.asarray(repeats), max(1e-4, sum(mean_values) / max(1, len(mean_values)))
    mean = numpy.asarray(mean_values) / scale  # so that the search begins near, whatever the currency

    def log_likelihood(p: float, q: float, gamma: float) -> float:
        shape = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * numpy.log(gamma)
        values = (p * x - 1) * numpy.log(mean) + p * x * numpy.log(x) - (p * x + q) * numpy.log(gamma + mean * x)
        return float((shape + values).sum())

    p, q, gamma, likelihood = _maximize(log_likelihood, 3, len(x))
    if q <= 1:
        raise NotFitted("not fitted: the values of purchases differ so much that they have no mean.")
    return GammaGamma(p, q, gamma * scale, likelihood - len(x) * math.log(scale))


def probability_alive(model: BgNbd, history: PurchaseHistory) -> list[float]:
    """For each customer, the probability that it still buys; it is 1 as long as there is one purchase."""
    return [float(value) for value in 1 / (1 + _odds_of_loss(model, history))]


def expected_purchases(model: BgNbd, history: PurchaseHistory, weeks: float) -> list[float]:
    """For each customer, the number of purchases to be expected in the next weeks."""
    r, alpha, a, b, _ = model
    x, _, age = map(numpy.asarray, history)
    share = weeks / (alpha + age + weeks)
    series = hyp2f1(r + x, b + x, a + b + x - 1, share)
    count = (a + b + x - 1) / (a - 1) * (1 - (1 - share) ** (r + x) * series)
    return [float(value) for value in count / (1 + _odds_of_loss(model, history))]


def expected_value(model: GammaGamma, repeats: Numbers, mean_values: Numbers) -> list[float]:
    """For each customer, the mean value of a purchase to be expected; that of all for customers without a repeated one."""
    x, mean = numpy.asarray(repeats), numpy.asarray(mean_values)
    return [float(v) for v in model.p * (model.gamma + mean * x) / (model.p * x + model.q - 1)]


def _odds_of_loss(model: BgNbd, history: PurchaseHistory) -> "numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]":
    r, alpha, a, b, _ = model
    x, recency, age = map(numpy.asarray, history)
    odds = a / (b + numpy.maximum(x, 1) - 1) * ((alpha + age) / (alpha + recency)) ** (r + x)
    result: numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]] = numpy.where(x > 0, odds, 0.0)
    return result


def _maximize(log_likelihood: Callable[..., float], parameters: int, customers: int) -> Sequence[float]:
    """The parameters above zero that make the log-likelihood greatest, and that; raises NotFitted."""
    if not customers:
        raise NotFitted("not fitted: no customer has repeated a purchase.")

    def loss(logarithms: "numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]") -> float:
        value = log_likelihood(*numpy.exp(logarithms)) / customers
        return -value if numpy.isfinite(value) else 1e300

    options = {"maxiter": MAX_STEPS, "maxfev": MAX_EVALUATIONS, "xatol": 1e-7, "fatol": TOLERANCE}
    with numpy.errstate(all="ignore"):
        result = minimize(loss, numpy.zeros(parameters), method="Nelder-Mead", options=options)
        fitted = [float(value) for value in numpy.exp(result.x)]
    if not result.success or not all(SMALLEST < value < GREATEST for value in fitted):
        raise NotFitted(f"not fitted: no parameters fit the purchases of {customers:,} customers best.")
    return [*fitted, log_likelihood(*fitted)]
