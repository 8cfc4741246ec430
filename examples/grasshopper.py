"""What a locust's auditory receptor listens for: its receptive field in time, and a model that predicts its spikes.

Needs the data set grasshopper; where it is neither cached nor to be had, it says so and stops.
``python examples/grasshopper.py figure.png`` writes the picture.
"""

import sys

import numpy as np

import consilience as cs

try:
    data = cs.datasets.load("grasshopper")
except cs.InputError as error:
    if error.code != "not-cached":
        raise
    print(f"skipped: {error}")
    sys.exit(0)

WIDTH = 0.0005  # s; the neuron fires at most once in a frame
fields, models = {}, {}
for name, rec in data.recordings.items():
    level = rec.bin(WIDTH, of="level")  # of the sound, dB, in frames of half a millisecond
    fields[name] = cs.receptive_field(rec, level, lags=0.02, method="asd", rng=0)
    models[name] = cs.receptive_field(rec, level, lags=0.02, method=cs.models.LNP(filter="asd"), rng=0)
    field, model = fields[name].data.isel(unit=0), models[name].data.isel(unit=0)
    beyond = field["lag"].values[np.abs(field["z"].values) > float(field["threshold"])]
    print(f"noise up to {name}: {float(field['n_spikes']):.0f} spikes in {len(level) * WIDTH:.0f} s")
    print(f"  a field: largest z {float(field['statistic']):.1f}, by chance {float(field['null_mean']):.1f}, ", end="")
    print(f"p = {float(field['p']):.4f}; {beyond.size} of {field.sizes['lag']} lags beyond chance")
    print(f"  peak {1000 * float(field['peak_lag']):.1f} ms before the spike")
    for words, one in (("linear (ASD)", field), ("with nonlinearity (LNP)", model)):
        r = f"{float(one['score']):.3f} [{float(one['score_low']):.3f}, {float(one['score_high']):.3f}]"
        print(f"  {words:24} r held out {r}", end="")
        if np.isfinite(one["bits_per_spike"]):
            ends = f"[{float(one['bits_low']):.2f}, {float(one['bits_high']):.2f}]"
            print(f", {float(one['bits_per_spike']):.2f} {ends} bits per spike", end="")
        print()

if len(sys.argv) > 1:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(11, 5.2), layout="constrained", width_ratios=[1, 0.8, 1.7])
    for row, (name, rec) in zip(axes, data.recordings.items()):
        field = fields[name].data.isel(unit=0)
        time = -1000 * field["lag"].values
        row[0].axhline(0, color="0.8", linewidth=0.8)
        row[0].fill_between(time, field["ci_low"], field["ci_high"], color="C0", alpha=0.25, linewidth=0)
        row[0].plot(time, field["value"], color="C0")
        row[0].set_title(f"noise up to {name}: the field", fontsize=10)
        row[0].set_ylabel("spikes per frame and dB", fontsize=9)
        # a model of the first 8 s, and what it makes of the rest
        level, counts = rec.bin(WIDTH, of="level").values[:, 0], rec.bin(WIDTH).values[:, 0]
        cut = int(8 / WIDTH)
        model = cs.models.LNP(lags=40, filter="asd").fit(level[:cut], counts[:cut])
        row[1].plot(model.edges_[0], model.rates_[0] / WIDTH, color="C1", marker="o", markersize=3)
        row[1].set_title("rate over the output of the filter", fontsize=10)
        row[1].set_ylabel("spikes/s", fontsize=9)
        rate = model.predict(level[cut:]) / WIDTH
        shown = slice(200, 700)
        at = 1000 * WIDTH * np.arange(rate.size)[shown]
        row[2].fill_between(at, 0, rate[shown], color="C1", alpha=0.4, linewidth=0)
        fired = at[counts[cut:][shown] > 0]
        top = 1.12 * np.nanmax(rate[shown])
        row[2].vlines(fired, top, 1.08 * top, color="k", linewidth=1)
        row[2].set_title("predicted rate, and spikes, of seconds that were held out", fontsize=10)
        row[2].set_xlim(at[0], at[-1])
        for ax in row:
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=8)
    axes[1, 0].set_xlabel("time from the spike (ms)", fontsize=9)
    axes[1, 1].set_xlabel("output of the filter (standard deviations)", fontsize=9)
    axes[1, 2].set_xlabel("time (ms)", fontsize=9)
    figure.savefig(sys.argv[1], dpi=110)
    print(f"\nwrote {sys.argv[1]}")
