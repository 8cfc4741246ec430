"""Head-direction cells of a mouse, awake and asleep: from an NWB file to tuning curves and correlations.

Needs the data set head_direction; where it is neither cached nor to be had, it says so and stops.
``python examples/head_direction.py figure.png`` writes the picture.
"""

import sys
import warnings

import numpy as np

import consilience as cs

try:
    rec = cs.datasets.load("head_direction").recording  # as cs.read("session.nwb") of a file of your own
except cs.InputError as error:
    if error.code != "not-cached":
        raise
    print(f"skipped: {error}")
    sys.exit(0)
print(rec, "\n")

# -- tuning to heading, of the seven cells of the anterodorsal nucleus

WIDTH = 0.05  # s
cells = rec.select(rec.units["area"] == "adn")
tracked = rec.intervals["position_time_support"]
counts = cells.bin(WIDTH, within=tracked)
heading = rec.bin(WIDTH, of="ry", within=tracked)  # in radians: the circular mean of each bin
shared = np.intersect1d(counts["time"], heading["time"])  # bins without a tracked sample are left out
x = counts.sel(time=shared).values
angle = heading.sel(time=shared).values[:, 0]
tuning = cs.units.tuning_curve(x, angle, width=WIDTH, bins=36, period=2 * np.pi, n_shift=1000, rng=0)

print(
    f"Tuning to heading, {shared.size * WIDTH:.0f} s awake; p by circular shifts of at least {tuning.least:.0f} s"
)
print("  cell  preferred   peak spikes/s   mean vector length        by chance       p")
for i, name in enumerate(cells.unit_names):
    interval = f"[{tuning.ci_low[i]:.2f}, {tuning.ci_high[i]:.2f}]"
    print(
        f"  {name:>4}  {np.degrees(tuning.preferred[i]):6.0f} deg  {tuning.rate[i].max():12.1f}    "
        f"{tuning.value[i]:.2f} {interval:>14}   {tuning.null_mean[i]:12.2f}   {tuning.p[i]:.4f}"
    )

# -- do cells that fire together awake fire together asleep?

with warnings.catch_warnings():
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    awake_or_asleep = rec.intervals["epochs"]
    binned = {
        state: cells.bin(0.3, within=awake_or_asleep[awake_or_asleep.columns["tags"] == state]).values
        for state in ("wake", "sleep")
    }
pairs = np.triu_indices(len(cells.spikes), 1)
together = {state: np.corrcoef(values.T)[pairs] for state, values in binned.items()}
apart = np.abs(np.angle(np.exp(1j * (tuning.preferred[pairs[0]] - tuning.preferred[pairs[1]]))))


def across(a, b, draws=5000, seed=0):
    """Correlation of two sets of pairs; p by giving the cells of one set other places (pairs are not independent)."""
    n, rng = len(cells.spikes), np.random.default_rng(seed)
    square = np.zeros((n, n))
    square[pairs] = b
    square += square.T
    value = np.corrcoef(a, b)[0, 1]
    moved = [
        np.corrcoef(a, square[np.ix_(order, order)][pairs])[0, 1]
        for order in map(rng.permutation, [n] * draws)
    ]
    return value, (1 + np.sum(np.array(moved) >= value - 1e-9)) / (1 + draws)


r, p = across(together["wake"], together["sleep"])
print(f"\nCorrelations of {apart.size} pairs in bins of 0.3 s: wake against sleep r = {r:.2f}, p = {p:.4f}")
for state in together:
    r, p = across(-apart, together[state])
    print(f"  {state:5} correlation against how near the preferred headings lie: r = {r:.2f}, p = {p:.4f}")

# -- the picture

if len(sys.argv) > 1:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(11, 6), layout="constrained")
    around = np.append(tuning.centres, tuning.centres[0])
    for k, i in enumerate(np.argsort(tuning.preferred)):
        ax = figure.add_subplot(2, 4, k + 1, projection="polar")
        low, rate, high = (np.append(v[i], v[i][0]) for v in (tuning.low, tuning.rate, tuning.high))
        ax.fill_between(around, low, high, color="C0", alpha=0.3, linewidth=0)
        ax.plot(around, rate, color="C0")
        ax.set_title(f"cell {cells.unit_names[i]}, R = {tuning.value[i]:.2f}", fontsize=10)
        ax.set_xticks(np.radians([0, 90, 180, 270]))
        ax.set_rmax(1.05 * high.max())
        ax.set_rticks([tuning.rate[i].max()], [f"{tuning.rate[i].max():.0f}/s"])
        ax.set_rlabel_position(np.degrees(tuning.preferred[i]) + 140)  # away from the curve
        ax.tick_params(labelsize=8, pad=-1)
    ax = figure.add_subplot(2, 4, 8)
    points = ax.scatter(together["wake"], together["sleep"], c=np.degrees(apart), cmap="viridis_r", s=22)
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    ax.set_xlabel("correlation awake")
    ax.set_ylabel("correlation asleep")
    ax.set_title("pairs of cells", fontsize=10)
    figure.colorbar(points, ax=ax, label="degrees between headings")
    figure.savefig(sys.argv[1], dpi=110)
    print(f"\nwrote {sys.argv[1]}")
