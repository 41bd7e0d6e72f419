"""The steps that register a container, as a worker does them.

```
osf.submission ─► osf.container ─► osf.service …          fetch, all into one transaction
      │                 │          osf.container …        each child, in the same way
      │                 └ then ─► osf.seal                commit, or give up with the reasons
      │                               ├─► osf.registration …   one for each store
      │                               └ then ─► osf.finish     owe the callbacks
      └ then ─► osf.end                                   see that everybody was told, whatever happened
```

A container commits when all its services and children ended well; files that cannot be had are no failure. Each step
may be killed and run again at any point: the transaction's journal says what was fetched, the store what was written.
"""

from __future__ import annotations

from muniment.doors.osf.callbacks import CallbackStep
from muniment.doors.osf.check import CheckStep, DamagedStep
from muniment.doors.osf.context import RegistrationContext
from muniment.doors.osf.finish import AgainStep, EndStep, FinishStep, RegistrationStep, SealStep
from muniment.doors.osf.start import ContainerStep, ServiceStep, SubmissionStep
from muniment.jobs import Step


def steps(registration_context: RegistrationContext) -> list[Step]:
    """Every step a worker has to know to register containers."""
    first = (
        SubmissionStep(registration_context),
        ContainerStep(registration_context),
        ServiceStep(registration_context),
        SealStep(registration_context),
    )
    return [
        *first,
        AgainStep(registration_context),
        RegistrationStep(registration_context),
        FinishStep(registration_context),
        EndStep(registration_context),
        CallbackStep(registration_context),
        CheckStep(registration_context),
        DamagedStep(registration_context),
    ]
