"""The old name, so that course material goes on working: see ``ghscoped``."""

import ghscoped  # noqa: F401 - importing it registers the magics
