"""The science of the workbench: data, methods, training, scoring, metrics. No orchestration."""
