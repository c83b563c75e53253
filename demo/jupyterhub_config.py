"""The JupyterHub of the demo and of the tests: 4.1, 5.x and 6.x.

Not for production: anybody may sign in with the one password, and servers run
as the user who started the Hub. What a real Hub copies from here is the
service, the two roles and the template.

Everything that differs from run to run is in the JSON file that
DEMO_HUB_SETTINGS names; internal/hubtest writes it.
"""

import json
import os
import random
import socket
import sys

import jupyterhub.spawner
from jupyterhub import version_info

c = get_config()  # noqa: F821 - given by JupyterHub

with open(os.environ["DEMO_HUB_SETTINGS"], encoding="utf-8") as file:
    settings = json.load(file)

here = os.path.dirname(os.path.abspath(__file__))
data = settings["data"]
service = settings["service"]

# --- the service, its scopes and its entry in the menu ---------------------

connect_github = {
    "name": "connect-github",
    "display": True,
    "url": service["url"],
    "api_token": service["api_token"],
    # What the service may do with the token of the user who signed in. It has
    # no scopes of its own.
    "oauth_client_allowed_scopes": [
        "read:users!user",
        "read:servers!user",
        "tokens!user",
        "servers!user",
    ],
    # The user is asked once, and told what the service may do.
    "oauth_no_confirm": False,
}
if version_info >= (5,):  # sharing, which JupyterHub 4 does not know
    connect_github["oauth_client_allowed_scopes"].append("read:shares!user")
if service["command"]:  # else it is external: somebody else starts it
    connect_github["command"] = service["command"]
    connect_github["cwd"] = data
    connect_github["environment"] = service["environment"]

ACCESS = "access:services!service=connect-github"
c.JupyterHub.services = [
    connect_github,
    {"name": "rig", "api_token": settings["admin_token"], "display": False},
]
c.JupyterHub.load_roles = [
    # A server's own token may ask the service for its owner's credential.
    {
        "name": "server",
        "scopes": [
            "users:activity!user",
            "access:servers!server",
            ACCESS,
            "read:users!user",
        ],
    },
    # For the program that runs this Hub, never for the service.
    {
        "name": "rig",
        "services": ["rig"],
        "scopes": [
            "admin:users",
            "admin:servers",
            "tokens",
            "access:servers",
            "access:services",
            "list:services",
            "read:hub",
        ],
    },
]
if version_info >= (6,):
    c.JupyterHub.extra_user_scopes = {ACCESS}
else:  # naming the role replaces it, so "self" is repeated
    c.JupyterHub.load_roles.append({"name": "user", "scopes": ["self", ACCESS]})

c.JupyterHub.template_paths = [os.path.join(here, "templates")]

# --- addresses and state ----------------------------------------------------

c.JupyterHub.bind_url = settings["bind_url"]
if settings["subdomain_host"]:  # each user and service has a host below it
    c.JupyterHub.subdomain_host = settings["subdomain_host"]
elif version_info >= (5,):
    c.JupyterHub.public_url = settings["public_url"]
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = settings["hub_port"]
c.JupyterHub.db_url = "sqlite:///" + os.path.join(data, "jupyterhub.sqlite")
c.JupyterHub.cookie_secret_file = os.path.join(data, "jupyterhub_cookie_secret")
c.ConfigurableHTTPProxy.command = settings["proxy_command"]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings['proxy_api_port']}"
c.ConfigurableHTTPProxy.auth_token = settings["proxy_token"]
c.ConfigurableHTTPProxy.pid_file = os.path.join(data, "proxy.pid")
c.JupyterHub.cleanup_servers = True
c.JupyterHub.cleanup_proxy = True

# --- people -------------------------------------------------------------------

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = settings["password"]
if version_info >= (5,):
    c.Authenticator.allow_all = True

# --- their servers --------------------------------------------------------------

single = settings["singleuser"]
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.allow_named_servers = True
c.SimpleLocalProcessSpawner.home_dir_template = os.path.join(data, "home", "{username}")
c.Spawner.cmd = [os.path.join(os.path.dirname(sys.executable), "jupyterhub-singleuser")]
c.Spawner.args = single["args"] + (["--allow-root"] if os.geteuid() == 0 else [])
c.Spawner.environment = single["environment"]
c.Spawner.default_url = single["default_url"]
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120


marks = []  # open for as long as this Hub runs


def kept_port():
    """JupyterHub's random_port, but its find is this Hub's own.

    JupyterHub frees a port seconds before the server takes it, and meanwhile
    the system may give it to anybody who asks for any port. So it is sought
    below those which systems give by themselves, and a UDP socket of the same
    number keeps it from the other Hubs of this machine (internal/hubtest's
    reserve does the same).
    """
    while True:
        port = random.randrange(10_000, 20_000)
        mark = socket.socket(type=socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            mark.close()
            continue
        marks.append(mark)
        return port


jupyterhub.spawner.random_port = kept_port
c.LocalProcessSpawner.interrupt_timeout = 2
c.LocalProcessSpawner.term_timeout = 2
c.LocalProcessSpawner.kill_timeout = 2

os.makedirs(os.path.join(data, "home"), mode=0o755, exist_ok=True)

exec(compile(settings["extra"], "extra configuration", "exec"))  # noqa: S102
