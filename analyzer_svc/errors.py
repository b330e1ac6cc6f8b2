"""Why a language model gave no name; each failure says what to do next.

::

    LevelError
    ├── InvalidCluster              FIELD_INVALID, ends the call
    └── ProviderFailure             one cluster's outcome, never ends the call
        ├── ProviderQuota           PROVIDER_QUOTA
        ├── ProviderTimeout         PROVIDER_TIMEOUT
        ├── ProviderBlocked         PROVIDER_BLOCKED
        ├── ProviderAnswerMalformed PROVIDER_ANSWER_MALFORMED
        ├── ProviderUnavailable     PROVIDER_UNAVAILABLE
        │   └── ProviderRequestRefused
        └── ProviderKeyRefused      PROVIDER_KEY_REFUSED
"""

from __future__ import annotations

from typing import ClassVar

from level_rpc.errors import ErrorKind, InvalidArgument, LevelError


class InvalidCluster(InvalidArgument):
    """A field of the request is missing or out of range; metadata ``field`` names it."""

    reason = "FIELD_INVALID"


class ProviderFailure(LevelError):
    """The provider of the language model gave no usable answer.

    Attributes
    ----------
    max_tries : int
        How often one cluster is tried in all when it fails like this.
    is_final : bool
        True when no other call can succeed either, so that none need be made.
    """

    max_tries: ClassVar[int] = 1
    is_final: ClassVar[bool] = False


class ProviderQuota(ProviderFailure):
    """The provider answers no more calls for now; ``retry_after`` has its own delay."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "PROVIDER_QUOTA"
    max_tries = 3


class ProviderTimeout(ProviderFailure):
    """The provider did not answer in time."""

    kind = ErrorKind.DEADLINE_EXCEEDED
    reason = "PROVIDER_TIMEOUT"
    max_tries = 2


class ProviderBlocked(ProviderFailure):
    """The provider's filters stopped the request or its answer; asking again changes nothing."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "PROVIDER_BLOCKED"


class ProviderAnswerMalformed(ProviderFailure):
    """The answer is not of the requested form; a second one often is."""

    kind = ErrorKind.INTERNAL
    reason = "PROVIDER_ANSWER_MALFORMED"
    max_tries = 2


class ProviderUnavailable(ProviderFailure):
    """The provider cannot be reached, or failed."""

    kind = ErrorKind.UNAVAILABLE
    reason = "PROVIDER_UNAVAILABLE"
    max_tries = 3


class ProviderRequestRefused(ProviderUnavailable):
    """The provider refuses requests like ours: an unknown model, a setting it does not have."""

    max_tries = 1
    is_final = True


class ProviderKeyRefused(ProviderFailure):
    """The provider refuses the key."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "PROVIDER_KEY_REFUSED"
    is_final = True
