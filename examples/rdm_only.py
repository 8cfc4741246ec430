"""Brains of which only dissimilarity matrices are known: three models, eight subjects, old and new ones."""

import numpy as np

import consilience as cs

rng = np.random.default_rng(0)
n, subjects = 36, [f"s{k + 1}" for k in range(8)]
ids = [f"object{i:02d}" for i in range(n)]
shared = rng.normal(size=(n, 6))

rdms, who, when = [], [], []
for subject in subjects:
    own = shared + 0.8 * rng.normal(size=(n, 6))  # what is particular to this subject
    for session in (1, 2):
        rdms.append(cs.measures.rdm(own + 0.8 * rng.normal(size=(n, 6)), square=True))
        who.append(subject)
        when.append(session)
brain = cs.rdm_data(
    np.stack(rdms), stimulus=ids, subject=who, session=when, distance="correlation", system="brain"
)

models = {
    "good": cs.responses(shared @ rng.normal(size=(6, 50)), stimulus=ids),
    "half": cs.responses(shared[:, :3] @ rng.normal(size=(3, 50)), stimulus=ids),
    "none": cs.responses(rng.normal(size=(n, 50)), stimulus=ids),
}
result = cs.compare(models, brain, measure=["rsa", "cka"], n_boot=500, n_perm=500, rng=0)
print(result)

columns = ["a", "value", "ci_low", "ci_high", "ci_both_low", "ci_both_high", "ceiling_low", "ceiling_high"]
frame = result.to_frame()
print("\nIntervals for new stimuli (ci) and for new stimuli and new subjects (ci_both):")
print(frame[frame["measure"] == "rsa"][columns].round(2).to_string(index=False))

difference = result.draws.sel(measure="rsa", b="brain", a="good") - result.draws.sel(
    measure="rsa", b="brain", a="half"
)
low, high = np.percentile(difference, [2.5, 97.5])
print(f"\ngood minus half, the same resamples of stimuli: [{low:.2f}, {high:.2f}]")
