"""Connect this Jupyter server to GitHub: ``import ghscoped``, then ``%ghscopedcreds``.

The work is done by the program ``ghscoped`` that comes in the same package;
here it is only started, followed and shown. ``import ghscoped`` registers the
magics in a running IPython, as ``%load_ext ghscoped`` does.
"""

from ghscoped.magics import load_ipython_extension

__all__ = ["load_ipython_extension"]


def _register():
    try:
        from IPython import get_ipython
    except ImportError:  # used without IPython: there is nothing to register
        return
    shell = get_ipython()
    if shell is not None:
        load_ipython_extension(shell)


_register()
