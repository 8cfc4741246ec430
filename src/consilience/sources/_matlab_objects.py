"""Objects of MATLAB (table, string, datetime, ...): their content is in a form of MATLAB's own, so they are named only.

A file holds numbers that point into a private section of it (MCOS), which The MathWorks does not describe. What is
said instead is which class it is, and what to type in MATLAB so that plain values are saved.
"""

from __future__ import annotations

from consilience.sources._variables import Unread

__all__ = ["unread_object"]

_TYPED = {
    "table": "writetable({name}, '{last}.csv') and name that file here, or {name} = table2struct({name}, 'ToScalar', "
    "true), with its columns of string through cellstr, and save again",
    "timetable": "{name} = table2struct(timetable2table({name}), 'ToScalar', true), its times through seconds, and "
    "save again",
    "string": "{name} = cellstr({name}) and save again",
    "categorical": "{name} = cellstr({name}) and save again",
    "datetime": "{name} = seconds({name} - t0), t0 being when the clock of the recording began, and save again",
    "duration": "{name} = seconds({name}) and save again",
    "containers.Map": "{name} = struct('keys', {{keys({name})}}, 'values', {{values({name})}}) and save again",
    "dictionary": "{name} = entries({name}, 'struct') and save again",
    "function_handle": "{name} = func2str({name}), which saves its text",
}
_OTHER = "{name} = struct({name}) and save again"


def unread_object(kind: str) -> Unread:
    """What is said of an object of class ``kind``."""
    sound = kind.isascii() and kind.isprintable() and 0 < len(kind) <= 40
    return Unread(
        f"a {kind} of MATLAB" if sound else "an object of MATLAB",
        "only MATLAB itself reads its objects: there, " + _TYPED.get(kind, _OTHER),
    )
