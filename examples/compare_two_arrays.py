"""Two arrays over the same stimuli: related or not, in-sample or held out, with and without repeats."""

import warnings

import numpy as np

import consilience as cs

rng = np.random.default_rng(0)
n = 60
ids = [f"image{i:02d}" for i in range(n)]
signal = rng.normal(size=(n, 5))
x = signal @ rng.normal(size=(5, 100)) + rng.normal(size=(n, 100))
related = signal @ rng.normal(size=(5, 120)) + rng.normal(size=(n, 120))
unrelated = rng.normal(size=(n, 120))

print("Plain arrays in, one number out. What do two unrelated systems score?")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", cs.ConsilienceWarning)  # null-not-zero says the same in words
    for measure in (cs.measures.cca, cs.measures.procrustes, cs.measures.cca_held_out, cs.measures.cka):
        scores = [float(measure(x, y)) for y in (related, unrelated)]
        print(f"  {measure.__name__:13} related {scores[0]:6.3f}   unrelated {scores[1]:6.3f}")
print("In-sample CCA is 1 for anything with this many units, and in-sample Procrustes far above 0.")
print("Held-out CCA is 0 for nothing, and small for 5 shared directions averaged over all that are fitted.\n")

a = cs.responses(x, stimulus=ids, system="network")
order = rng.permutation(n)  # rows in another order: ids decide
others = {
    "related": cs.responses(related[order], stimulus=np.array(ids)[order]),
    "unrelated": cs.responses(unrelated, stimulus=ids),
}
print(cs.compare(a, others, measure=["cka", "rsa", "procrustes"], n_boot=200, n_perm=100, rng=0), "\n")

print("With repeats of every stimulus there is a noise ceiling:")
trials = np.repeat(related, 3, axis=0) + 4 * rng.normal(size=(3 * n, 120))
brain = cs.responses(trials, kind="rate", stimulus=np.repeat(ids, 3), repeat="count", system="brain")
result = cs.compare(a, brain, measure=["cka", "rsa"], n_boot=200, n_perm=100, rng=0)
print(result)
columns = ["measure", "value", "ceiling_low", "ceiling_high", "ratio"]
print(result.to_frame()[columns].round(3).to_string(index=False))
