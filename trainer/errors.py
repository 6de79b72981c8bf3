"""Our exceptions, one family; catch the branch you can answer for.

DashboothError
├── UserError              the input is at fault: the message says what to do next
│   ├── ConfigError        a flag or a field of a config file
│   ├── PhotoError         the photos of a subject
│   ├── DataError          the texts to learn from or to score
│   ├── BaseModelError     the SDXL checkpoint: not found, gated, no network, not SDXL
│   ├── MissingPackageError   an optional library that the chosen option needs
│   └── ArtifactError      a run folder or a file in it
├── NonFiniteError         NaN or Inf in a weight, a latent or the loss; names the culprit
├── ResumeError            a checkpoint that cannot be continued exactly
├── ExportError            an exported file does not reproduce the trained adapter
└── Interrupted            stopped on request, with everything saved
"""

from __future__ import annotations


class DashboothError(Exception):
    """Root of the family."""


class UserError(DashboothError):
    """The input is at fault. The message: what was given, what was possible, what to do next."""


class ConfigError(UserError):
    """A flag or a field of a config file. Collects all faults, one a line."""


class PhotoError(UserError):
    """The photos of a subject cannot be used."""


class DataError(UserError):
    """The texts to learn from or to score cannot be used."""


class BaseModelError(UserError):
    """The base checkpoint cannot be used: not found, gated, no network, not SDXL."""


class MissingPackageError(UserError):
    """An optional library that the chosen option needs is not installed."""


class ArtifactError(UserError):
    """A run folder, or a file in it, is missing, foreign or damaged."""


class NonFiniteError(DashboothError):
    """NaN or Inf in a weight, a latent or the loss; the message names the culprit."""


class ResumeError(DashboothError):
    """A checkpoint cannot be continued exactly."""


class ExportError(DashboothError):
    """An exported file does not reproduce the trained adapter."""


class Interrupted(DashboothError):
    """Stopped on request, after everything was saved."""
