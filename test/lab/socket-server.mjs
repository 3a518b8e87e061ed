/**
 * Runs inside a network namespace, makes UDP sockets there and hands them to the test process: a socket stays in the
 * namespace it was made in, whoever holds it.
 */
import { createSocket } from 'node:dgram';

process.on('message', ({ id, address, port }) => {
  const socket = createSocket({
    type: address.includes(':') ? 'udp6' : 'udp4',
    ipv6Only: address.includes(':'),
  });
  socket.once('error', (error) => {
    process.send({ id, error: error.message });
  });
  socket.bind(port, address, () => {
    process.send({ id }, socket, () => socket.close());
  });
});
process.on('disconnect', () => process.exit(0));
