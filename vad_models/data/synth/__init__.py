"""Synthetic footage, for tests and demonstrations without a download."""
