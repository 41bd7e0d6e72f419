"""OSF containers: accepted by a foreman, fetched by workers, frozen as registrations, reported by callbacks.

`Foreman` is what a door (HTTP, command line) speaks with; `steps` is what a worker has to know. Both are given an
`RegistrationContext`: the archive, the stores, the session and the rules of the house.
"""

from __future__ import annotations

from muniment.doors.osf.callbacks import Address, address_of
from muniment.doors.osf.context import KIND, Parity, Policy, RegistrationContext
from muniment.doors.osf.foreman import Accepted, Download, Foreman, NamedCredential
from muniment.doors.osf.links import Links
from muniment.doors.osf.steps import steps
from muniment.doors.osf.submission import Submission, read_submission
from muniment.workflows.signing import HEADER_SIGNATURE, HEADER_TIMESTAMP, Signer

__all__ = [
    "HEADER_SIGNATURE",
    "HEADER_TIMESTAMP",
    "KIND",
    "Accepted",
    "Address",
    "Download",
    "Foreman",
    "Links",
    "NamedCredential",
    "Parity",
    "Policy",
    "RegistrationContext",
    "Signer",
    "Submission",
    "address_of",
    "read_submission",
    "steps",
]
