#!/usr/bin/python3
"""The work of bench_fit by SciPy's L-BFGS-B with the analytic gradient, on two processes.

usage: bench_scipy.py FILE [SHARE]    SHARE: of the starts and resamples that are really done (default 1)
"""
import itertools
import multiprocessing
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
from scipy.optimize import minimize

N, D, LOSS = np.loadtxt(sys.argv[1], delimiter=",", skiprows=1, unpack=True)
SHARE = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
log_n, log_d, log_loss = np.log(N), np.log(D), np.log(LOSS)
DELTA = 1e-3
SCALE = 1e3  # L-BFGS-B's tolerances are absolute below 1: without it, it stops far from the optimum


def objective(at, times):
    """Sum of Huber penalties on log loss, and its gradient."""
    e, a, b, alpha, beta = at
    terms = np.stack([np.full_like(log_n, e), a - alpha * log_n, b - beta * log_d])
    top = terms.max(axis=0)
    shares = np.exp(terms - top)
    total = shares.sum(axis=0)
    residual = top + np.log(total) - log_loss
    shares /= total
    size = np.abs(residual)
    penalty = np.where(size <= DELTA, 0.5 * residual**2, DELTA * (size - 0.5 * DELTA))
    slope = times * np.clip(residual, -DELTA, DELTA)
    ga, gb = slope * shares[1], slope * shares[2]
    gradient = np.array([slope @ shares[0], ga.sum(), gb.sum(), -(ga @ log_n), -(gb @ log_d)])
    return SCALE * (times @ penalty), SCALE * gradient


def from_start(start):
    found = minimize(objective, start, args=(np.ones_like(log_n),), method="L-BFGS-B", jac=True)
    return found.fun, found.x


def resampled(task):
    seed, start = task
    random = np.random.default_rng(seed)
    times = np.bincount(random.integers(0, len(log_n), len(log_n)), minlength=len(log_n)).astype(float)
    return minimize(objective, start, args=(times,), method="L-BFGS-B", jac=True).x


if __name__ == "__main__":
    halves, fives, sixes = (-1, -0.5, 0, 0.5, 1), (0, 0.5, 1, 1.5, 2), (0, 5, 10, 15, 20, 25)
    grid = [np.array(s, float) for s in itertools.product(halves, sixes, sixes, fives, fives)]
    some = grid[:: max(1, round(1 / SHARE))]
    with multiprocessing.Pool(2) as pool:
        begin = time.perf_counter()
        ends = pool.map(from_start, some, chunksize=20)
        middle = time.perf_counter()
        best = min(ends, key=lambda end: end[0])
        count = round(4000 * SHARE)
        pool.map(resampled, [(k, best[1]) for k in range(count)], chunksize=20)
        end = time.perf_counter()
    seconds = (middle - begin) * len(grid) / len(some) + (end - middle) * 4000 / count
    reached = sum(value < best[0] * 1.00001 for value, _ in ends)
    print(f"SciPy: {seconds:.2f} s for {len(grid)} starts and 4000 resamples" +
          (f" (from {len(some)} and {count})" if SHARE < 1 else "") +
          f", objective {best[0] / SCALE:.10g}, reached from {reached} of {len(some)} starts")
