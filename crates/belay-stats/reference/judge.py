#!/usr/bin/env python3
"""Makes the reference values of the judge's statistics with NumPy, SciPy and statsmodels.

    pip install numpy scipy statsmodels && python3 judge.py

Writes normal.tsv, ranks.tsv, ridge.tsv and wealth.tsv beside itself. The seeds are fixed; the values do not depend on the machine
beyond the last digits.
"""
import pathlib
import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import WLS

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(4)


def row(*cells):
    return "\t".join(" ".join(repr(float(v)) for v in np.atleast_1d(c)) for c in cells)


def write(name, what, rows):
    (HERE / name).write_text(f"# made by judge.py: {what}\n" + "\n".join(rows) + "\n")


write("normal.tsv", "x, upper tail of the standard normal distribution",
      [row(x, stats.norm.sf(x)) for x in [-3.5, -1, 0, 0.1, 0.5, 1, 1.96, 2.5, 2.999, 3.001, 5, 10, 30]])

ranks = []
for case in range(40):
    m, n = rng.integers(1, 61, 2)
    ties = case % 2 == 0
    a, b = rng.normal(0, 3, m), rng.normal(case % 5 / 2, 3, n)
    if ties:
        a, b = np.round(a), np.round(b)
    if len(set(a) | set(b)) == 1:
        a[0] += 1
    test = stats.mannwhitneyu(a, b, alternative="two-sided", method="asymptotic", use_continuity=True)
    ranks.append(row(a, b, test.statistic, test.pvalue, np.median(np.subtract.outer(a, b))))
write("ranks.tsv", "a, b, U, two-sided p, Hodges-Lehmann shift", ranks)

# Ridge with Huber weights, by statsmodels: the penalty is added as rows of data, the weights are those of the solve before.
ridges = []
for case in range(6):
    n, p = 60, 3 + case % 3
    x = np.column_stack([np.ones(n), rng.normal(size=(n, p - 1))])
    if case > 2:
        x[:, -1] = x[:, 1] + x[:, 2 % p]
    y = x @ rng.normal(size=p) + 0.3 * rng.standard_t(2, n)
    scale = np.r_[1.0, x[:, 1:].std(axis=0) + 1e-9]
    z = x / scale
    penalty = np.sqrt(5.0) * np.eye(p)[1:]
    w = np.ones(n)
    for solve in range(3):
        fit = WLS(np.r_[y, np.zeros(p - 1)], np.r_[z, penalty], weights=np.r_[w, np.ones(p - 1)]).fit().params
        r = y - z @ fit
        sigma = 1.4826 * np.median(np.abs(r - np.median(r))) + 1e-9
        w = np.minimum(1, 2 * sigma / np.abs(r))
    ridges.append(row(x.ravel(), y, fit / scale))
write("ridge.tsv", "rows of x, y, coefficients after three solves (lambda 5)", ridges)

# The e-process, straight from its definition: densities of a Student t, by scipy.
paths = []
for direction, freedom in [("both", 3), ("up", 3), ("both", 15), ("up", 15)]:
    z = np.r_[rng.standard_t(3, 20), rng.standard_t(3, 10) + 2.5]
    shifts = [0.5, 1, 2, 4]
    f = stats.t(freedom).logpdf
    bets = [lambda u, m=m: f(u - m) - f(u) for m in shifts]
    for c in [3, 8]:
        if direction == "both":
            bets.append(lambda u, c=c: f(u / c) - np.log(c) - f(u))
        else:
            bets.append(lambda u, c=c: np.log(2 / (1 + c)) + (f(u / c) - f(u) if u > 0 else 0))
    if direction == "both":
        bets += [lambda u, m=m: f(u + m) - f(u) for m in shifts]
    bets.append(lambda u: 0.0)  # half of the capital is bet on nothing
    begun = np.r_[np.full(len(bets) - 1, 0.5 / (len(bets) - 1)), 0.5]
    capital, ln_e, path = begun, 0.0, []
    for u in z:
        capital = capital * np.minimum(np.exp([bet(u) for bet in bets]), 1000)
        total = capital.sum()
        ln_e += np.log(total)
        capital = 0.98 * capital / total + 0.02 * begun
        path.append(ln_e)
    paths.append(row([float(direction == "both"), freedom], z, path))
write("wealth.tsv", "1 for both directions and 0 for up and degrees of freedom, innovations, ln e after each", paths)
