"""BagIt profiles 1.1 to 1.4: what a community asks of its bags beyond the specification."""

from __future__ import annotations

from muniment.validation.bagit.profile.check import check_profile
from muniment.validation.bagit.profile.model import Profile, read_profile

__all__ = ["Profile", "check_profile", "read_profile"]
