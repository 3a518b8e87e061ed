import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sendAtOnce } from '../../host/gateway/platform/udp-sockets.js';

describe('a socket with the look-up of Node, as it comes from another process', () => {
  let receiver: Socket;
  let sender: Socket;

  beforeEach(async () => {
    receiver = createSocket('udp4').bind(0, '127.0.0.1');
    sender = createSocket('udp4').bind(0, '127.0.0.1');
    await Promise.all([once(receiver, 'listening'), once(sender, 'listening')]);
  });

  afterEach(() => {
    receiver.close();
    sender.close();
  });

  /** Sends "first" and uses its bytes again at once, as a data plane does; what arrives. */
  async function sendAndReuse(socket: Socket): Promise<string> {
    const bytes = Buffer.from('..first..');
    const arrived = once(receiver, 'message');
    socket.send(bytes, 2, 5, receiver.address().port, '127.0.0.1');
    bytes.write('again', 2);
    return String((await arrived)[0]);
  }

  test('sends what is there a turn later', async () => {
    expect(await sendAndReuse(sender)).toBe('again');
  });

  test('sends what it was given, once its look-up is replaced', async () => {
    sendAtOnce(sender);
    expect(await sendAndReuse(sender)).toBe('first');
  });

  test('sends a copy where Node hides its look-up', async () => {
    // Has no state of its own, so there is nothing to replace.
    const opaque = Object.create(sender) as Socket;
    sendAtOnce(opaque);
    expect(await sendAndReuse(opaque)).toBe('first');
  });
});
