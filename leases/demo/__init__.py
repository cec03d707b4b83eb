"""The demo: an invented fleet, six weeks of its trips, and what happened at the desk between them.

`fleet` and `trips` make the files, `story` tells what people did, `report` reads what came of it; apps above this one
add `parts`. The command `demo` puts them together. The ledger knows nothing of it.
"""
