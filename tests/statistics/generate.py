"""Makes votes.csv and expected.json: the reference for the statistics of surveys.

    python3 -m venv venv
    venv/bin/pip install numpy==2.4.* scipy==1.17.* statsmodels==0.15.* krippendorff==0.9.*
    venv/bin/python generate.py

The votes are simulated once from a fixed seed. What they say is worked out with other
people's code: statsmodels (Wilson, logistic regression with cluster-robust errors), scipy
(binomial test, median absolute deviation, clustered bootstrap) and krippendorff.
"""

import csv
import json
import pathlib

import krippendorff
import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

HERE = pathlib.Path(__file__).parent
ARMS = 3
STRENGTHS = np.array([0.6, 0.0, -0.4])
PARTICIPANTS, VOTES_EACH, ITEMS = 24, 15, 60


def simulate(rng):
    """Participants differ in taste, lean a little to the left, and some times are odd."""
    pairs = [(0, 1), (0, 2), (1, 2)]
    items = [pairs[i % 3] for i in range(ITEMS)]
    quality = rng.normal(0, 0.5, (ITEMS, 2))
    votes = []
    for person in range(PARTICIPANTS):
        taste = rng.normal(0, 0.5, ARMS)
        for item in rng.choice(ITEMS, VOTES_EACH, replace=False):
            a, b = items[item]
            swap = rng.random() < 0.5
            left, right = (b, a) if swap else (a, b)
            own = quality[item][::-1] if swap else quality[item]
            lead = STRENGTHS[left] + taste[left] + own[0] - STRENGTHS[right] - taste[right] - own[1]
            kind = rng.random()
            if kind < 0.12:
                verdict = "tie"
            elif kind < 0.18:
                verdict = "both_bad"
            else:
                verdict = "left" if rng.random() < 1 / (1 + np.exp(-lead - 0.15)) else "right"
            time = int(np.exp(rng.normal(7.8, 0.45)))
            if rng.random() < 0.02:
                time = 40 if rng.random() < 0.5 else time * 60
            votes.append((person, int(item), int(left), int(right), verdict, time))
    return votes


def score(vote, arm):
    _, _, left, right, verdict, _ = vote
    if arm not in (left, right):
        return None
    if verdict in ("tie", "both_bad"):
        return 0.5
    return float((left if verdict == "left" else right) == arm)


def win_rates(votes):
    rates = []
    for arm in range(ARMS):
        for against in [None] + [other for other in range(ARMS) if other != arm]:
            rows = [v for v in votes if score(v, arm) is not None]
            if against is not None:
                rows = [v for v in rows if against in (v[2], v[3])]
            decided = [v for v in rows if v[4] in ("left", "right")]
            for ties, used in (("half", rows), ("out", decided)):
                scores = np.array([score(v, arm) for v in used])
                low, high = proportion_confint(scores.sum(), len(scores), method="wilson")
                rates.append(
                    {
                        "arm": arm,
                        "against": against,
                        "ties": ties,
                        "n": len(scores),
                        "rate": scores.mean(),
                        "wilson": [low, high],
                        "bootstrap": clustered_bootstrap(used, scores),
                    }
                )
    return rates


def clustered_bootstrap(votes, scores):
    people = np.array([v[0] for v in votes])
    ids = np.unique(people)
    totals = np.array([scores[people == p].sum() for p in ids])
    counts = np.array([(people == p).sum() for p in ids], dtype=float)
    result = stats.bootstrap(
        (totals, counts),
        lambda t, c, axis: t.sum(axis=axis) / c.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=100_000,
        batch=10_000,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    return list(result.confidence_interval)


def bradley_terry(votes):
    """A logistic regression without intercept on "left arm less right arm"."""
    x = np.zeros((len(votes), ARMS))
    for row, (_, _, left, right, _, _) in enumerate(votes):
        x[row, left] += 1
        x[row, right] -= 1
    y = np.array([score(v, v[2]) for v in votes])
    people = np.array([v[0] for v in votes])
    model = sm.GLM(y, x[:, 1:], family=sm.families.Binomial())
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": people}, tol=1e-14, maxiter=200)
    # From "against arm 0" to "against the mean of all arms".
    contrast = np.eye(ARMS)[:, 1:] - 1 / ARMS
    strengths = contrast @ fit.params
    errors = np.sqrt(np.diag(contrast @ fit.cov_params() @ contrast.T))
    z = stats.norm.ppf(0.975)
    return [
        {"log_odds": s, "interval": [s - z * e, s + z * e]}
        for s, e in zip(strengths, errors, strict=True)
    ]


def side_bias(votes):
    left = sum(v[4] == "left" for v in votes)
    right = sum(v[4] == "right" for v in votes)
    low, high = proportion_confint(left, left + right, method="wilson")
    p_value = stats.binomtest(left, left + right).pvalue
    return {"left": left, "right": right, "wilson": [low, high], "p_value": p_value}


def agreement(votes):
    said = {"tie": ARMS, "both_bad": ARMS + 1}
    table = np.full((PARTICIPANTS, ITEMS), np.nan)
    for person, item, left, right, verdict, _ in votes:
        arm = left if verdict == "left" else right
        table[person, item] = said.get(verdict, arm)
    alpha = krippendorff.alpha(table, level_of_measurement="nominal")
    return {"items": int((np.sum(~np.isnan(table), axis=0) > 1).sum()), "alpha": alpha}


def response_times(votes):
    times = np.array([v[5] for v in votes], dtype=float)
    logs = np.log(np.maximum(times, 1))
    centre = np.median(logs)
    spread = stats.median_abs_deviation(logs, scale="normal")
    outside = np.abs(logs - centre) > 3.5 * spread
    return {
        "median_ms": np.median(times),
        "fast_ms": np.exp(centre - 3.5 * spread),
        "slow_ms": np.exp(centre + 3.5 * spread),
        "outliers": [int(i) for i in np.flatnonzero(outside)],
    }


def paper():
    """The paper's win rate of 76 %, at three sizes."""
    cases = []
    for n in (100, 400, 1600):
        wins = n * 76 // 100
        low, high = proportion_confint(wins, n, method="wilson")
        cases.append({"wins": wins, "n": n, "wilson": [low, high]})
    return cases


def main():
    votes = simulate(np.random.default_rng(20261123))
    with (HERE / "votes.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["participant", "item", "left", "right", "verdict", "response_ms"])
        writer.writerows(votes)
    expected = {
        "paper": paper(),
        "win_rates": win_rates(votes),
        "bradley_terry": bradley_terry(votes),
        "side_bias": side_bias(votes),
        "agreement": agreement(votes),
        "response_times": response_times(votes),
    }
    text = json.dumps(expected, indent=1, default=float)
    (HERE / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
