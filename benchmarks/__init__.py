"""Side-by-side timings against the tools a user would otherwise take: ``python -m benchmarks``.

Each row first asserts that all sides give the same answer, to a stated tolerance, then times them in turn.
Peers are never dependencies: those that cannot be imported are said to be missing, and their side is left
out. To use peers from a folder of their own, name it in ``CONSILIENCE_PEERS``; for results.md it was
filled by ``pip install --target FOLDER --no-deps rsatoolbox torch_cka scikit-image lazy_loader tqdm``.
"""
