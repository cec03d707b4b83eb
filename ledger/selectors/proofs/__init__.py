"""The proofs that hold at every moment, each as a query for the first thing that breaks it.

`verify_ledger` runs them. They recompute every projection from what is only ever added to (postings, allocations,
journal entries) and compare; so they find what was changed behind the triggers too.

`subledger`: postings against everything that follows from them. `journal`: entries by themselves, and against what
they are entries of. `control_accounts`: each control account against the sub-ledger behind it. Archived months are part
of what is added up: while there are any, the proofs are run inside `services.archives.whole_ledger`.
"""

from .check import Check, Proof
from .runner import ARCHIVES_READ, CHECKS, run_proofs

__all__ = ["ARCHIVES_READ", "CHECKS", "Check", "Proof", "run_proofs"]
