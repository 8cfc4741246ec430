"""Which layer of a trained network represents objects the way IT does? The lines of the README.

Needs the data set objects92 and the weights of EfficientNet-Lite0; where they are neither cached nor to be
had, it says so and stops.
"""

import sys

import consilience as cs

try:
    objects = cs.datasets.load("objects92")  # 92 photographs; RDMs of monkey IT and human IT
    net = cs.networks.load("efficientnet_lite0")  # trained on ImageNet
except cs.InputError as error:
    if error.code not in ("not-cached", "missing-dependency"):
        raise
    print(f"skipped: {error}")
    sys.exit(0)

layers = cs.record(net, objects.stimuli, layers=["_blocks.*", "_conv_head"])
brains = {name: objects.systems[name] for name in ("monkey_IT", "human_IT")}

result = cs.compare(layers, brains, measure="rsa", rng=0)
best = result.best()
print(best)
print()
print(result)
