"""The old name, so that course material continues to work: see ``ghscoped``."""

import ghscoped  # noqa: F401 - importing it registers the magics
