"""Networks as systems: wrap one, record its layers, make controls of it, or load a trained one. The only home
of torch.
"""

from consilience.networks._concepts import ConceptSensitivity, concept_sensitivity
from consilience.networks._directions import directions
from consilience.networks._input_field import InputField, input_field
from consilience.networks._linear_probe import LinearProbe, linear_probe
from consilience.networks._load import list_networks as list
from consilience.networks._load import load
from consilience.networks._nearest_tokens import nearest_tokens
from consilience.networks._network import Network
from consilience.networks._record import record
from consilience.networks._stimulus_search import StimulusSearch
from consilience.networks._text_windows import text_windows
from consilience.networks._unit import Unit
from consilience.networks._unit_respond import record_units, respond

__all__ = [
    "ConceptSensitivity",
    "InputField",
    "LinearProbe",
    "Network",
    "StimulusSearch",
    "Unit",
    "concept_sensitivity",
    "directions",
    "input_field",
    "linear_probe",
    "list",
    "load",
    "nearest_tokens",
    "record",
    "record_units",
    "respond",
    "text_windows",
]
