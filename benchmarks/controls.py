"""What must break, breaks, and what must not, does not: the demo's question under four controls.

Run as ``python -m benchmarks.controls``. Needs the packaged data (objects92, efficientnet_lite0).

reversed    photos in reverse order: activations equal to 1e-5 relative, values, layer ranks and p equal
shuffled    stimulus ids of the network's responses shuffled: the best layer is no longer significant
permuted    trained parameters permuted within each tensor, statistics recalibrated: falls to the untrained copies
untrained   re-initialised copies: below the trained network, paired interval
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

import consilience as cs

LAYERS = ["_conv_stem", "_blocks.*", "_conv_head", "_fc"]
BRAINS = ("monkey_IT", "human_IT")


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1000)
    options = parser.parse_args()
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    start = time.perf_counter()
    objects = cs.datasets.load("objects92")
    net = cs.networks.load("efficientnet_lite0")
    brains = {name: objects.systems[name] for name in BRAINS}
    settings = {"measure": ["rsa", "cka"], "n_boot": options.draws, "n_perm": options.draws, "rng": 0}

    def record(network: cs.Network, stimuli=objects.stimuli):  # type: ignore[no-untyped-def]
        return cs.record(network, stimuli, layers=LAYERS, progress=False)

    trained = record(net)
    baseline = {seed: record(net.untrained(seed=seed, stimuli=objects.stimuli)) for seed in range(3)}
    result = cs.compare(trained, brains, **settings, baseline=baseline)
    say("## Trained against untrained: nested best layer\n")
    say(
        "| measure | brain | layer | nested [95 %] | naive | p (max over layers) | minus untrained seed 0, 1, 2 |"
    )
    say("|---|---|---|---|---|---|---|")
    for one in result.best():
        low, high = one.interval
        gaps = [
            f"{d:.3f} [{lo:.3f}, {hi:.3f}]" + (f" both [{bl:.3f}, {bh:.3f}]" if np.isfinite(bl) else "")
            for d, lo, hi, bl, bh in zip(
                *(
                    one.data[name].values.ravel()
                    for name in (
                        "difference",
                        "difference_low",
                        "difference_high",
                        "difference_both_low",
                        "difference_both_high",
                    )
                )
            )
        ]
        frame = one.to_frame().iloc[0]
        say(
            f"| {frame['measure']} | {frame['b']} | {one.layer} | {one.value:.3f} [{low:.3f}, {high:.3f}] | "
            f"{one.naive[1]:.3f} | {frame['p']:.4f} | {'; '.join(gaps)} |"
        )

    say("\n## Controls\n\n| control | what | figure |\n|---|---|---|")
    reverse = objects.stimuli.isel(stimulus=slice(None, None, -1))
    backwards = record(net, reverse)
    worst = 0.0
    for name, data in trained.items():
        other = cs.align(data, backwards[name])[1].values
        here = cs.align(data, backwards[name])[0].values
        worst = max(worst, float(np.abs(here - other).max() / np.abs(here).max()))
    again = cs.compare(backwards, brains, **settings)
    say(f"| reversed | largest relative difference of activations | {worst:.1e} |")
    gap = float(np.abs(again.data["value"] - result.data["value"]).max())
    say(f"| reversed | largest difference of values | {gap:.1e} |")
    ranks = np.array_equal(
        np.argsort(again.data["value"].values, axis=1), np.argsort(result.data["value"].values, axis=1)
    )
    say(
        f"| reversed | layer ranks equal; p equal | {ranks}; {bool((again.data['p'] == result.data['p']).all())} |"
    )

    rng = np.random.default_rng(0)
    order = rng.permutation(objects.stimuli.sizes["stimulus"])
    shuffled = {
        name: data.assign_coords(stimulus=("trial", data["stimulus"].values[order]))
        for name, data in trained.items()
    }
    broken = cs.compare(shuffled, brains, **settings)
    for one in broken.best():
        frame = one.to_frame().iloc[0]
        say(
            f"| shuffled ids | {frame['measure']}, {frame['b']}: best layer nested, naive, p (max over layers) | "
            f"{one.value:.3f}, {one.naive[1]:.3f}, {frame['p']:.3f} |"
        )

    permuted = record(net.permuted(seed=0, stimuli=objects.stimuli))
    fallen = cs.compare(permuted, brains, **settings)
    for one in fallen.best():
        frame = one.to_frame().iloc[0]
        untrained = result.best()[frame["measure"], frame["b"]].data["baseline_value"].values.ravel()
        say(
            f"| permuted parameters | {frame['measure']}, {frame['b']}: nested best (untrained; trained) | "
            f"{one.value:.3f} ({', '.join(f'{v:.3f}' for v in untrained)}; "
            f"{result.best()[frame['measure'], frame['b']].value:.3f}) |"
        )
    subjects = objects.systems["human_IT"]
    mean = subjects.mean("rdm").values
    monkey = objects.systems["monkey_IT"].values[0]
    upper = np.triu_indices(len(mean), 1)
    say(
        f"| human and monkey IT | Pearson r of mean RDMs | {np.corrcoef(mean[upper], monkey[upper])[0, 1]:.3f} |"
    )
    say(f"\n{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
