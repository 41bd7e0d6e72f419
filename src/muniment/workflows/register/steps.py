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

from muniment.jobs import Step
from muniment.workflows.register.beginning import ContainerStep, ServiceStep, SubmissionStep
from muniment.workflows.register.callbacks import CallbackStep
from muniment.workflows.register.ending import AgainStep, EndStep, FinishStep, RegistrationStep, SealStep
from muniment.workflows.register.office import Office


def steps(office: Office) -> list[Step]:
    """Every step a worker has to know to register containers."""
    first = (SubmissionStep(office), ContainerStep(office), ServiceStep(office), SealStep(office))
    return [
        *first,
        AgainStep(office),
        RegistrationStep(office),
        FinishStep(office),
        EndStep(office),
        CallbackStep(office),
    ]
