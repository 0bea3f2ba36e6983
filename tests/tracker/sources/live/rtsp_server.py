"""An RTSP server that plays JPEG pictures round and round, for the system's Python, which has GStreamer's bindings.

python3 rtsp_server.py PORT FOLDER WIDTH HEIGHT [USER PASSWORD]; port 0 for any. Prints the port, then serves /live on
this machine only, until it is killed.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PIPELINE = (
    '( multifilesrc location="{folder}/%d.jpg" index=0 loop=true caps="image/jpeg,framerate=10/1" ! jpegdec '
    "! videoconvert ! videoscale ! video/x-raw,width={width},height={height} "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5 bitrate=800 "
    "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


def main(port, folder, width, height, *credentials):
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE.format(folder=folder, width=width, height=height))
    factory.set_shared(True)
    if credentials:
        auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(*credentials), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        for right in ("access", "construct"):
            permissions.add_permission_for_role("viewer", f"media.factory.{right}", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        raise SystemExit("the port is taken")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
