# An independent client of CONNECT-UDP over HTTP/2 (RFC 9298 section 3.4, RFC 8441): python3-h2.
# h2-client.py PORT CA PATH, the token on standard input. Sends one capsule, prints what comes back.

import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings

port, ca, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
token = sys.stdin.readline().strip()

context = ssl.create_default_context(cafile=ca)
context.set_alpn_protocols(["h2"])
sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="localhost")
assert sock.selected_alpn_protocol() == "h2"
sock.settimeout(10)

connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
connection.initiate_connection()
sock.sendall(connection.data_to_send())


def events():
    data = sock.recv(65535)
    if not data:
        sys.exit("the connection ended")
    got = connection.receive_data(data)
    sock.sendall(connection.data_to_send())
    return got


# RFC 8441 section 3: extended CONNECT only after the server has said that it knows it.
while connection.remote_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL) != 1:
    events()
print("connect-protocol enabled", flush=True)

stream = connection.get_next_available_stream_id()
connection.send_headers(
    stream,
    [
        (":method", "CONNECT"),
        (":protocol", "connect-udp"),
        (":scheme", "https"),
        (":authority", f"localhost:{port}"),
        (":path", path),
        ("capsule-protocol", "?1"),
        ("authorization", f"Bearer {token}"),
    ],
)
sock.sendall(connection.data_to_send())

body = b""
while True:
    for event in events():
        if isinstance(event, h2.events.ResponseReceived):
            headers = dict(event.headers)
            print("status", headers[":status"], headers.get("capsule-protocol", "-"), flush=True)
            if headers[":status"] != "200":
                sys.exit(0)
            payload = b"from h2"
            connection.send_data(stream, bytes([0, len(payload) + 1, 0]) + payload)
            sock.sendall(connection.data_to_send())
        elif isinstance(event, h2.events.DataReceived):
            connection.acknowledge_received_data(event.flow_controlled_length, stream)
            sock.sendall(connection.data_to_send())
            body += event.data
            if len(body) >= 2 and len(body) >= 2 + body[1]:
                print("capsule", body.hex(), flush=True)
                sys.exit(0)
