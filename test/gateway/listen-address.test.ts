import { expect, test } from 'vitest';
import { EXIT } from '../../host/gateway/errors.js';
import { bindUdpSockets, closeUdpSockets } from '../../host/gateway/platform/udp-sockets.js';

test('one IPv4 address: no IPv6 socket, and nothing on the other addresses', async () => {
  const sockets = await bindUdpSockets(0, '127.0.0.1');
  try {
    expect(sockets.v6).toBeUndefined();
    expect(sockets.v4?.address()).toMatchObject({ address: '127.0.0.1', port: sockets.port });
    // The same port is free on another address of this machine.
    const other = await bindUdpSockets(sockets.port, '127.0.0.2');
    expect(other.port).toBe(sockets.port);
    closeUdpSockets(other);
    await expect(bindUdpSockets(sockets.port, '127.0.0.1')).rejects.toMatchObject({
      exitCode: EXIT.portTaken,
    });
  } finally {
    closeUdpSockets(sockets);
  }
});

test('without an address both families take one port on every address', async () => {
  const sockets = await bindUdpSockets(0);
  try {
    expect(sockets.v4?.address().address).toBe('0.0.0.0');
    if (sockets.v6) expect(sockets.v6.address()).toMatchObject({ address: '::', port: sockets.port });
  } finally {
    closeUdpSockets(sockets);
  }
});

test('an address that this machine does not have is refused with the way out', async () => {
  // TEST-NET-3 of RFC 5737 belongs to nobody.
  const refused = bindUdpSockets(0, '203.0.113.7');
  await expect(refused).rejects.toMatchObject({ exitCode: EXIT.usage });
  await expect(refused).rejects.toThrow('this machine has no address 203.0.113.7 to listen at');
});
