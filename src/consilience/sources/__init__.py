"""Files in: recordings and arrays, chosen by what the file is, never by its name, and never unpickled."""

from consilience._recording._finding import Finding
from consilience.sources._door import read
from consilience.sources._doubts import doubt_responses
from consilience.sources._files import check_file, check_path_text, read_bytes_limit
from consilience.sources._from_object import from_object
from consilience.sources._ids import read_ids
from consilience.sources._look import look_into
from consilience.sources._nwb_write import write_nwb
from consilience.sources._read import Raw, read_array, read_raw
from consilience.sources._rsatoolbox import read_rsatoolbox
from consilience.sources._variables import variables
from consilience.sources._write_array import write_array

__all__ = [
    "Finding",
    "Raw",
    "check_file",
    "check_path_text",
    "doubt_responses",
    "from_object",
    "look_into",
    "read",
    "read_array",
    "read_bytes_limit",
    "read_ids",
    "read_raw",
    "read_rsatoolbox",
    "write_nwb",
    "variables",
    "write_array",
]
