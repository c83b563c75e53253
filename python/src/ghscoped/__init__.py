"""Connect this Jupyter server to GitHub: ``import ghscoped``, then ``%ghscopedcreds``.

The work is done by the program ``ghscoped`` that comes in the same package;
here it is only started, followed and shown. ``import ghscoped`` registers the
magics in a running IPython, as ``%load_ext ghscoped`` does.
"""

import sys

from ghscoped.magics import load_ipython_extension

__all__ = ["load_ipython_extension"]


def _register():
    # Jupyter Server imports this package, too, and should not import IPython for it.
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if shell is not None:
        load_ipython_extension(shell)


_register()
