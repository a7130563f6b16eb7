#!/usr/bin/env python3
"""Makes binomial.tsv, the reference values of src/binomial.rs, with SciPy (made with 1.17.1).

    pip install scipy && python3 binomial.py > binomial.tsv
"""
from scipy.special import betainc, gammaln
from scipy.stats import beta, binom

print("# made by binomial.py: function, arguments, value (repr of a double)")
for x in [1e-8, 0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 7.0, 10.0, 25.3, 100.0, 171.0, 1e3, 1e6, 1e10]:
    print("ln_gamma", repr(x), repr(float(gammaln(x))), sep="\t")
for a, b, x in [(0.5, 0.5, 0.3), (2.0, 3.0, 0.4), (10.0, 90.0, 0.05), (150.0, 3.0, 0.99), (1e4, 1e4, 0.49), (1.0, 1.0, 0.7), (400.0, 600.0, 0.5)]:
    print("regularized_beta", repr(a), repr(b), repr(x), repr(float(betainc(a, b, x))), sep="\t")
CASES = [(0, 1, 0.5), (0, 10, 0.1), (3, 10, 0.3), (10, 10, 0.9), (5, 60, 0.01), (1, 1000, 0.0005), (480, 1000, 0.5), (620, 1000, 0.5),
         (0, 5000, 0.001), (20, 5000, 0.001), (50_000, 100_000, 0.5), (50_600, 100_000, 0.5), (999_000, 1_000_000, 0.999), (7, 8, 0.25)]
for k, n, p in CASES:
    print("pmf", k, n, repr(p), repr(float(binom.pmf(k, n, p))), sep="\t")
    print("lower_tail", k, n, repr(p), repr(float(binom.cdf(k, n, p))), sep="\t")
    print("upper_tail", k, n, repr(p), repr(float(binom.sf(k - 1, n, p))), sep="\t")
for k, n in [(0, 1), (1, 1), (0, 20), (20, 20), (3, 10), (48, 100), (5, 1000), (700, 1000), (1, 100_000)]:
    for level in [0.9, 0.95, 0.99]:
        # Not binomtest().proportion_ci: its root finder stops 2e-12 short, which is 2e-6 of a small bound.
        alpha = round(1 - level, 10)
        low = 0.0 if k == 0 else float(beta.ppf(alpha / 2, k, n - k + 1))
        high = 1.0 if k == n else float(beta.isf(alpha / 2, k + 1, n - k))
        print("interval", k, n, repr(alpha), repr(low), repr(high), sep="\t")
