"""``python -m benchmarks [name ...] [--threads 1 2]``: check, time, print a table; a full run writes
results.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks._report import machine, table
from benchmarks._row import Outcome, Row, run

NAMES = (
    "layers",
    "rdm",
    "crossnobis",
    "crossnobis-noise",
    "rdm-movie",
    "resampling",
    "resampling-whitened",
    "resampling-tau",
    "import",
    "help",
    "features",
    "predictivity",
    "compare",
    "cka",
    "svcca",
    "streaming",
    "shapes",
    "stochastic",
    "decoding",
    "ridge",
    "banded",
    "epochs",
    "correlograms",
    "glm",
    "selectivity",
    "sta",
    "stc",
    "stc-1",
    "asd",
    "gabors",
    "field-null",
    "synthesis",
    "synthesis-core",
    "information",
    "tuning-fits",
    "lesions-middle",
    "lesions-last",
    "shapley",
    "two-nn",
    "mle-dimension",
    "mle-pointwise",
    "capacity",
    "attribution",
    "attribution-occlusion",
    "dpca",
    "cp",
    "factor-analysis",
    "gpfa",
    "gpfa-cv",
)


def _rows(threads: int, wanted: list[str]) -> list[Row]:
    from benchmarks import (
        _attribution,
        _correlograms,
        _cp,
        _crossnobis,
        _decoding,
        _dimensionality,
        _dpca,
        _encoding,
        _epochs,
        _extras,
        _factor_analysis,
        _families,
        _glm,
        _gpfa,
        _layers,
        _lesions,
        _manifold_capacity,
        _map_fits,
        _rdm_comparison,
        _rdms,
        _receptive_fields,
        _resampling,
        _selectivity,
        _shapes,
        _shapley,
        _startup,
        _stochastic,
        _streaming,
        _synthesis,
        _unit_information,
    )

    sources = {
        _epochs: ("epochs",),
        _correlograms: ("correlograms",),
        _layers: ("layers",),
        _rdms: ("rdm",),
        _crossnobis: ("crossnobis", "crossnobis-noise", "rdm-movie"),
        _resampling: ("resampling",),
        _rdm_comparison: ("resampling-whitened", "resampling-tau"),
        _startup: ("import", "help"),
        _extras: ("features", "predictivity", "compare"),
        _families: ("cka", "svcca"),
        _streaming: ("streaming",),
        _shapes: ("shapes",),
        _stochastic: ("stochastic",),
        _decoding: ("decoding",),
        _encoding: ("ridge", "banded"),
        _glm: ("glm",),
        _gpfa: ("gpfa", "gpfa-cv"),
        _selectivity: ("selectivity",),
        _receptive_fields: ("sta", "stc", "stc-1", "asd"),
        _map_fits: ("gabors", "field-null"),
        _synthesis: ("synthesis", "synthesis-core"),
        _unit_information: ("information", "tuning-fits"),
        _lesions: ("lesions-middle", "lesions-last"),
        _shapley: ("shapley",),
        _manifold_capacity: ("capacity",),
        _dpca: ("dpca",),
        _cp: ("cp",),
        _dimensionality: ("two-nn", "mle-dimension", "mle-pointwise"),
        _factor_analysis: ("factor-analysis",),
        _attribution: ("attribution", "attribution-occlusion"),
    }
    made = [
        row for module, names in sources.items() if set(names) & set(wanted) for row in module.rows(threads)
    ]
    return [row for row in made if row.name in wanted]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"rows to run, of {', '.join(NAMES)}; default all"
    )
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1], help="BLAS and torch threads; default 1"
    )
    parser.add_argument(
        "--output", type=Path, help="where to write; default benchmarks/results.md after a full run"
    )
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no row {unknown[0]!r}; choose from {', '.join(NAMES)}")

    output = options.output or (None if options.names else Path(__file__).with_name("results.md"))

    import torch
    from threadpoolctl import threadpool_limits

    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    sections: list[str] = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        outcomes: list[Outcome] = []
        with threadpool_limits(threads):
            for row in _rows(threads, options.names or list(NAMES)):
                print(f"{row.name} ...", end=" ", file=sys.stderr, flush=True)
                outcomes.append(run(row))
                print("done", file=sys.stderr, flush=True)
                if output is not None:  # after each row, so that a run that is stopped leaves something
                    parts = [machine(load), *sections, table(outcomes, threads)]
                    output.write_text("\n\n".join(parts) + "\n")
        sections.append(table(outcomes, threads))
    print("\n\n".join([machine(load), *sections]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
