"""Live sources with real processes: an RTSP server that is killed, stopped and spoilt, and a camera that is unplugged."""
