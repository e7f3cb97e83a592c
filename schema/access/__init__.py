"""Access: API keys are no entities, so nothing is declared here; hub.domain.access has their commands."""

MODULES = ()
