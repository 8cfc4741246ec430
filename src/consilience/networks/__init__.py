"""Networks as systems: wrap one, record its layers, make controls of it, or load a trained one. The only home
of torch.
"""

from consilience.networks._load import list_networks as list
from consilience.networks._load import load
from consilience.networks._network import Network
from consilience.networks._record import record
from consilience.networks._unit import Unit, record_units, respond

__all__ = ["Network", "Unit", "list", "load", "record", "record_units", "respond"]
