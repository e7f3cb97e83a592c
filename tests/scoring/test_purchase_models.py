"""BG/NBD and Gamma–Gamma on CDNOW give what their authors printed; what does not converge is not fitted."""

import importlib.util
from collections import defaultdict
from datetime import date, datetime
from pathlib import Path

import pytest

from hub.domain.scoring.purchase_models import (
    NotFitted,
    PurchaseHistory,
    expected_purchases,
    expected_value,
    fit_bg_nbd,
    fit_gamma_gamma,
    probability_alive,
)

END = date(1997, 9, 30)


def cdnow() -> tuple[PurchaseHistory, list[float]]:
    """The calibration period of the sample, one purchase per day, in weeks; and the mean values of repeated purchases."""
    spec = importlib.util.find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None, "lifetimes is one of the tools of development; it is not imported"
    days: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in (Path(spec.origin).parent / "datasets/CDNOW_sample.txt").read_text("utf-8").splitlines():
        _, customer, day, _, amount = line.split()
        placed_on = datetime.strptime(day, "%Y%m%d").date()
        if placed_on <= END:
            days[customer][placed_on] += float(amount)
    repeats: list[float] = []
    recency: list[float] = []
    age: list[float] = []
    means = []
    for values in days.values():
        first, *later = sorted(values)
        repeats.append(len(later))
        recency.append((max(values) - first).days / 7)
        age.append((END - first).days / 7)
        means.append(sum(values[day] for day in later) / max(1, len(later)))
    return PurchaseHistory(repeats, recency, age), means


def test_bg_nbd_fits_cdnow_as_printed() -> None:
    model = fit_bg_nbd(cdnow()[0])
    assert [f"{value:.3f}" for value in model[:4]] == ["0.243", "4.414", "0.793", "2.426"]
    assert f"{model.log_likelihood:.1f}" == "-9582.4"
    # The customer of the paper's note on Excel: 1.226 purchases in the next 39 weeks.
    somebody = PurchaseHistory([2], [30.43], [38.86])
    assert [round(count, 3) for count in expected_purchases(model, somebody, 39)] == [1.226]
    assert [round(share, 4) for share in probability_alive(model, somebody)] == [0.7266]
    assert probability_alive(model, PurchaseHistory([0], [0], [10])) == [1.0]


def test_gamma_gamma_fits_cdnow_as_printed() -> None:
    history, means = cdnow()
    repeated = [(x, mean) for x, mean in zip(history.repeats, means, strict=True) if x]
    assert len(repeated) == 946
    model = fit_gamma_gamma([x for x, _ in repeated], [mean for _, mean in repeated])
    assert [f"{value:.2f}" for value in model[:3]] == ["6.25", "3.74", "15.44"]
    cents = fit_gamma_gamma([x for x, _ in repeated], [mean * 100 for _, mean in repeated])
    assert f"{cents.gamma / 100:.2f}" == "15.44"
    assert round(expected_value(model, [0], [0])[0], 2) == round(model.p * model.gamma / (model.q - 1), 2)


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(PurchaseHistory([], [], []), id="nobody"),
        pytest.param(PurchaseHistory([0] * 40, [0] * 40, [9] * 40), id="no repeated purchase"),
        pytest.param(PurchaseHistory([1] * 40, [1] * 40, [2] * 40), id="all alike"),
    ],
)
def test_a_fit_without_a_best_answer_says_so(history: PurchaseHistory) -> None:
    with pytest.raises(NotFitted, match="not fitted"):
        fit_bg_nbd(history)
