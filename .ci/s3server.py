#!/usr/bin/python3
"""A real S3 server on one machine, for tests: OpenStack Swift with its s3api.

    s3server.py DATA_DIR PORT [USER]

Needs the Debian packages python3-swift and memcached. Serves S3 on 127.0.0.1:PORT (PORT+1 … PORT+4 are used inside), keeps
everything under DATA_DIR (a file system with user xattrs), prints "ready" once it answers, and ends on SIGTERM or SIGINT with all
that it started. As root it changes to USER first. The access key is S3_ACCESS (ACCOUNT:USER, default test:tester), the secret key
is S3_SECRET (default testing-secret).
"""
import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from array import array
from weakref import WeakValueDictionary

START_TIMEOUT_S = 60
STORAGE_SERVERS = ("account", "container", "object")
SERVERS = STORAGE_SERVERS + ("proxy",)
PARTITION_SHIFT = 32 - 4  # 16 partitions


class Settings:
    def __init__(self, data, port, user):
        self.data = os.path.abspath(data)
        self.etc = os.path.join(self.data, "etc")
        self.user = user
        self.ports = {"proxy": port, "account": port + 1, "container": port + 2, "object": port + 3, "memcached": port + 4}
        self.account, self.login = os.environ.get("S3_ACCESS", "test:tester").split(":")
        self.secret = os.environ.get("S3_SECRET", "testing-secret")

    def filters(self):
        """The proxy's middleware in order: s3api must stand before tempauth and slo."""
        return {
            "catch_errors": [],
            "gatekeeper": [],
            "healthcheck": [],
            "memcache": [f"memcache_servers = 127.0.0.1:{self.ports['memcached']}"],
            "listing_formats": [],
            "s3api": ["location = us-east-1", "max_upload_part_num = 10000"],
            "tempauth": [f"user_{self.account}_{self.login} = {self.secret} .admin"],
            "copy": [],
            "slo": ["max_manifest_segments = 10000"],
            "versioned_writes": ["allow_object_versioning = true"],
            "symlink": [],
        }


def write_configuration(settings):
    def write(name, lines):
        with open(os.path.join(settings.etc, name + ".conf"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    # The prefix and suffix enter every path's hash: another value would lose the data.
    write("swift", [
        "[swift-hash]", "swift_hash_path_prefix = braid", "swift_hash_path_suffix = braid",
        "[storage-policy:0]", "name = default", "default = yes",
        "[swift-constraints]", "max_meta_value_length = 2048",
    ])
    for server in SERVERS:
        lines = [
            "[DEFAULT]", "bind_ip = 127.0.0.1", f"bind_port = {settings.ports[server]}", f"user = {settings.user}",
            "workers = 0", f"swift_dir = {settings.etc}", f"devices = {settings.data}/devices", "mount_check = false",
            # Otherwise a nearly full disk refuses writes.
            "fallocate_reserve = 0", "log_level = WARNING",
        ]
        if server == "proxy":
            filters = settings.filters()
            lines += ["[pipeline:main]", "pipeline = " + " ".join([*filters, "proxy-server"])]
            for name, options in filters.items():
                lines += [f"[filter:{name}]", f"use = egg:swift#{name}", *options]
            lines += [
                "[app:proxy-server]", "use = egg:swift#proxy", "account_autocreate = true", "conn_timeout = 5",
                "node_timeout = 60", "recoverable_node_timeout = 60",
            ]
        else:
            lines += [
                "[pipeline:main]", f"pipeline = {server}-server", f"[app:{server}-server]", f"use = egg:swift#{server}",
                f"recon_cache_path = {settings.data}/cache",
            ]
            if server == "object":
                # A put answers only after its listing entry exists; the daemon that would add it later does not run here.
                lines += ["container_update_timeout = 30"]
        write(server + "-server", lines)


def write_rings(settings):
    """One device, one replica for each kind of server."""
    from swift.common.ring import RingData

    for server in STORAGE_SERVERS:
        device = {
            "id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "d1", "meta": "",
            "ip": "127.0.0.1", "port": settings.ports[server],
            "replication_ip": "127.0.0.1", "replication_port": settings.ports[server],
        }
        RingData([array("H", [0] * 16)], [device], PARTITION_SHIFT).save(os.path.join(settings.etc, server + ".ring.gz"))


def patch_s3api():
    """Three places where Swift 2.30 differs from S3 as minio's client knows it."""
    from eventlet.semaphore import Semaphore
    from swift.common.middleware.s3api.controllers.multi_upload import UploadsController
    from swift.common.middleware.s3api.controllers.obj import ObjectController
    from swift.common.middleware.s3api.s3api import S3ApiMiddleware
    from swift.common.middleware.s3api.s3request import S3Request

    list_uploads, call, validate, put_object = (
        UploadsController.GET, S3ApiMiddleware.__call__, S3Request._validate_headers, ObjectController.PUT)
    key_locks = WeakValueDictionary()

    # An empty "delimiter=" in a listing of uploads means none.
    def GET(self, req):
        if req.params.get("delimiter") == "":
            req.params = {key: value for key, value in req.params.items() if key != "delimiter"}
        return list_uploads(self, req)

    # A HEAD that fails must not announce a chunked body.
    def __call__(self, env, start_response):
        def start(status, headers, exc_info=None):
            if env["REQUEST_METHOD"] == "HEAD" and not any(name.lower() == "content-length" for name, _ in headers):
                headers = headers + [("Content-Length", "0")]
            return start_response(status, headers, exc_info)
        return call(self, env, start)

    # "If-None-Match: *" on a put: s3api refuses it although Swift can do it …
    def _validate_headers(self):
        create_only = self.method == "PUT" and self.environ.get("HTTP_IF_NONE_MATCH") == "*"
        if create_only:
            del self.environ["HTTP_IF_NONE_MATCH"]
        validate(self)
        if create_only:
            self.environ["HTTP_IF_NONE_MATCH"] = "*"

    # … but looks first and writes then: one put at a time per key makes that atomic.
    def PUT(self, req):
        if req.environ.get("HTTP_IF_NONE_MATCH") != "*":
            return put_object(self, req)
        with key_locks.setdefault((req.container_name, req.object_name), Semaphore()):
            return put_object(self, req)

    GET.publicly_accessible = PUT.publicly_accessible = True
    UploadsController.GET, S3ApiMiddleware.__call__ = GET, __call__
    S3Request._validate_headers, ObjectController.PUT = _validate_headers, PUT


def die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def assert_ports_free(settings):
    """Swift would retry a taken port for half a minute."""
    for port in settings.ports.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def become(user, data):
    if os.geteuid() != 0 or user == "root":
        return
    subprocess.run(["chown", "-R", user + ":", data], check=True)
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def start_all(settings):
    """Starts memcached and the four servers; returns {pid: name}."""
    import swift.account.server
    import swift.container.server
    import swift.obj.server
    import swift.proxy.server  # noqa: F401 - imported once, before the forks
    from swift.common.wsgi import run_wsgi

    memcached = subprocess.Popen(
        ["memcached", "-u", settings.user, "-l", "127.0.0.1", "-p", str(settings.ports["memcached"]), "-U", "0", "-m", "32"],
        stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    children = {memcached.pid: "memcached"}
    for server in SERVERS:
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            options = {}
            if server == "object":
                options["global_conf_callback"] = swift.obj.server.global_conf_callback
            os._exit(run_wsgi(os.path.join(settings.etc, server + "-server.conf"), server + "-server", verbose=True, **options))
        children[pid] = server
    return children


def answers(settings):
    try:
        for port in settings.ports.values():
            socket.create_connection(("127.0.0.1", port), 1).close()
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.ports['proxy']}/healthcheck", timeout=5) as response:
            return response.read() == b"OK"
    except OSError:
        return False


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    user = sys.argv[3] if len(sys.argv) > 3 else pwd.getpwuid(os.geteuid()).pw_name
    settings = Settings(sys.argv[1], int(sys.argv[2]), user)
    assert_ports_free(settings)
    for directory in (settings.etc, settings.data + "/devices/d1", settings.data + "/cache"):
        os.makedirs(directory, exist_ok=True)
    write_configuration(settings)
    become(user, settings.data)

    from swift.common import utils
    # Before anything else of Swift is imported: it reads swift.conf at import.
    utils.set_swift_dir(settings.etc)
    write_rings(settings)
    patch_s3api()
    children = start_all(settings)

    def stop(*_):
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not answers(settings):
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            sys.exit(f"{children[pid]} ended with status {status}")
        if time.monotonic() > deadline:
            sys.exit(f"not ready in {START_TIMEOUT_S} s")
        time.sleep(0.05)
    print("ready", flush=True)
    # None of them ends by itself; when this process ends, the kernel ends the others.
    pid, status = os.wait()
    sys.exit(f"{children[pid]} ended with status {status}")


if __name__ == "__main__":
    main()
