"""Ports for workers that run on one machine."""

import socket


def free_ports(count):
    """Numbers of ports that nothing listens to."""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in listening]
    for each in listening:
        each.close()
    return ports
